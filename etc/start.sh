#!/usr/bin/env bash
# `npm start`: everything this host needs, then the demo factory in the foreground.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
bash "$root/etc/prepare.sh"
bash "$root/etc/demo/build-guest.sh"
exec node "$root/dist/start.js" "$@"
