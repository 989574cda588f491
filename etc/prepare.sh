#!/usr/bin/env bash
# What every command of package.json needs first: host packages and services, npm packages, a build. Each part looks
# whether it has anything to do, so that the second time this takes about a second.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }

if [ "$(id -u)" != 0 ]; then
  say "vac: this must be run as root: it makes virtual machines, networks and exports (try sudo)"
  exit 1
fi

bash etc/host-setup.sh "$@"

# npm's own record of what is installed is newer than the list of what should be: nothing to do.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "npm packages: installing …"
  log=$(mktemp)
  if ! npm ci --no-audit --no-fund >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    say "vac: npm ci failed (above); see whether this host reaches its package registry"
    exit 1
  fi
  rm -f "$log"
  touch node_modules/.package-lock.json
fi

stamp=dist/.built
if [ ! -e "$stamp" ] || [ -n "$(find src native etc/demo package.json tsconfig.json tsconfig.build.json \
    \( -name node_modules -o -name build -o -name dist \) -prune -o -type f -newer "$stamp" -print -quit)" ]; then
  say "build: libvirt binding and program …"
  npm run --silent build
  touch "$stamp"
fi
