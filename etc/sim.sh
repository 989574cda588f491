#!/usr/bin/env bash
# `npm run sim [-- OPTION...]`: random runs of the simulated space, or one of them again; see test/sim/main.ts.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
bash etc/prepare.sh
exec node --import tsx test/sim/main.ts "$@"
