#!/usr/bin/env bash
# `npm run fuzz [-- --seconds N --seed N]`: mutated datagrams against the protocol library for as long as asked.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
cd "$root"
bash etc/prepare.sh
exec node --import tsx test/vacquery/fuzz.ts "$@"
