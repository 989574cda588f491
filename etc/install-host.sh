#!/usr/bin/env bash
# `npm run install-host`: installs this checkout on the host as a service. Existing configuration is never changed.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
prefix="${VAC_PREFIX:-/usr/local}"
target="$prefix/lib/vac"

bash "$root/etc/prepare.sh"
say() { printf '%s\n' "$*" >&2; }

say "installing the program into $target …"
new="$target.new"
rm -rf "$new"
mkdir -p "$new" "$prefix/bin"
cp -r "$root/package.json" "$root/dist" "$root/etc" "$root/LICENSE" "$new/"
mkdir -p "$new/node_modules/libvirt"
cp -r "$root/native/package.json" "$root/native/dist" "$root/native/build" "$new/node_modules/libvirt/"
# The program's own packages, without those that only building and testing need.
(cd "$root" && npm ls --omit=dev --all --parseable) | tail -n +2 | while read -r package; do
  case "$package" in
    "$root/node_modules/"*) [ -L "$package" ] || (cd "$root" && cp -r --parents "${package#"$root/"}" "$new/") ;;
  esac
done
rm -rf "$target.old"
[ ! -e "$target" ] || mv "$target" "$target.old"
mv "$new" "$target"
rm -rf "$target.old"
for name in vacd vac; do
  printf '#!/bin/sh\nexec node %s/dist/%s.js "$@"\n' "$target" "$name" >"$prefix/bin/$name"
  chmod 755 "$prefix/bin/$name"
done

mkdir -p /etc/vac.d
if [ -z "$(ls /etc/vac.d/*.conf /etc/vac.conf 2>/dev/null)" ]; then
  cp "$root/etc/vac.conf.example" /etc/vac.conf
  say "wrote /etc/vac.conf from the example: edit it (vac_space, machinetypes), then: vac check-config"
fi
if [ -d /run/systemd/system ]; then
  sed "s#/usr/local/bin/#$prefix/bin/#" "$root/systemd/vacd.service" >/etc/systemd/system/vacd.service
  systemctl daemon-reload
  say "installed. Start it with: systemctl enable --now vacd"
else
  say "installed. There is no systemd here; start it with: $prefix/bin/vacd"
fi
