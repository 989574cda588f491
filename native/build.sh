#!/bin/bash
# Builds the addon (build/Release/binding.node) and its TypeScript part (dist/). Says and does nothing when both are
# up to date: each has a stamp with the hash of all it was built from.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p build dist
exec 9>build/.lock
flock 9

fail() {
  echo "libvirt addon: $1" >&2
  exit 1
}

hash_of() {
  sha256sum "$@" | sha256sum
}

has_header() {
  echo "#include <$1>" | "${CXX:-g++}" -E -x c++ - >/dev/null 2>&1
}

build_addon() {
  for tool in "${CXX:-g++}" make python3; do
    command -v "$tool" >/dev/null || fail "$tool is missing: apt-get install g++ make python3 (or dnf install gcc-c++ make python3)"
  done
  has_header libvirt/libvirt.h ||
    fail "libvirt's headers are missing: apt-get install libvirt-dev (or dnf install libvirt-devel)"

  # The running node's own headers, if installed with it, save downloading them.
  local prefix options=()
  prefix=$(node -p 'path.resolve(fs.realpathSync(process.execPath), "../..")')
  [ ! -e "$prefix/include/node/node.h" ] || options+=("--nodedir=$prefix")
  node "$node_gyp" configure build --silent "${options[@]}" >build/log 2>&1 || {
    grep -vE '^gyp (info|verb)|^  (CXX|TOUCH|COPY|SOLINK)' build/log >&2
    fail "the build failed, see native/build/log"
  }
}

node_gyp=$(node -p 'require.resolve("node-gyp/bin/node-gyp.js")') || fail "node-gyp is missing: npm install"
stamp="$(node -p 'process.version + " " + process.arch') $(hash_of binding.gyp build.sh src/*)"
if [ ! -e build/Release/binding.node ] || [ "$stamp" != "$(cat build/.stamp 2>/dev/null)" ]; then
  build_addon
  echo "$stamp" >build/.stamp
fi

stamp=$(hash_of package.json tsconfig.json ../tsconfig.json lib/*)
if [ ! -e dist/index.js ] || [ "$stamp" != "$(cat dist/.stamp 2>/dev/null)" ]; then
  node "$(node -p 'path.dirname(require.resolve("typescript/package.json"))')/bin/tsc" -p tsconfig.json
  echo "$stamp" >dist/.stamp
fi
