#!/usr/bin/env bash
# `npm run bench [-- --only NAME] [-- --json]`: everything this host needs, then the benchmarks.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
bash etc/prepare.sh
bash etc/demo/build-guest.sh
exec node --import tsx test/bench/main.ts "$@"
