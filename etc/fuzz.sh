#!/usr/bin/env bash
# `npm run fuzz [-- --datagrams N | --seconds N] [--seed N] [--keep]`: mutated datagrams against the protocol library.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
bash etc/prepare.sh
exec node --import tsx test/vacquery/fuzz-main.ts "$@"
