#!/usr/bin/env bash
# What every command of package.json needs first: host packages and services, npm packages, a build. Each part looks
# whether it has anything to do, so that the second time this takes about a second. Safe to run by several at once.
set -euo pipefail
cd -P "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }

if [ "$(id -u)" != 0 ]; then
  say "vac: this must be run as root: it makes virtual machines, networks and exports (try sudo)"
  exit 1
fi

bash etc/host-setup.sh "$@"

# One at a time in a checkout; the lock goes with this process, and is not handed on to what it starts.
exec 9< etc
flock -n 9 || { say "waiting for another command that sets this checkout up …" && flock 9; }

# npm's own record of what is installed is newer than the list of what should be: nothing to do.
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  say "npm packages: installing …"
  log=$(mktemp)
  trap 'rm -f "$log"' EXIT
  # Packages for development are needed, whatever NODE_ENV is; install scripts are not: the binding is built below. A
  # failure must show, however quiet the npm that called this is.
  if ! npm ci --include=dev --ignore-scripts --no-audit --no-fund --loglevel=warn >"$log" 2>&1 9<&-; then
    tail -n 20 "$log" >&2
    say "vac: npm ci failed (above); see whether this host reaches its package registry"
    exit 1
  fi
  touch node_modules/.package-lock.json
fi

stamp=dist/.built
if [ ! -e "$stamp" ] || [ -n "$(find src native package.json tsconfig.json \
    \( -name node_modules -o -name build -o -name dist \) -prune -o -type f -newer "$stamp" -print -quit)" ]; then
  say "build: libvirt binding and program …"
  mkdir -p dist
  # Dated before the build: what is edited while it goes on is newer, and built the next time.
  touch "$stamp.new"
  if ! npm run --silent build 9<&-; then
    say "vac: the build failed (above); mend what it names and run this again"
    exit 1
  fi
  mv "$stamp.new" "$stamp"
fi
