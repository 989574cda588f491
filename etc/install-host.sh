#!/usr/bin/env bash
# `npm run install-host`: installs this checkout on the host as a service. Configuration that is there is never changed.
# DESTDIR=/some/where puts everything below that directory instead, as for building a package.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
destination="${DESTDIR:-}"
program=/usr/local/lib/vac

bash "$root/etc/prepare.sh"
say() { printf '%s\n' "$*" >&2; }

say "installing the program into $destination$program …"
new="$destination$program.new"
rm -rf "$new"
mkdir -p "$new/node_modules/libvirt/build/Release" "$destination/usr/local/bin" "$destination/usr/local/share/man/man5"
cp -r "$root/package.json" "$root/dist" "$root/etc" "$root/LICENSE" "$new/"
cp -r "$root/native/package.json" "$root/native/dist" "$new/node_modules/libvirt/"
cp "$root"/native/build/Release/*.node "$new/node_modules/libvirt/build/Release/"
# The program's own packages, without those that only building and testing need.
cd "$root"
npm ls --omit=dev --all --parseable 2>/dev/null | while read -r package; do
  relative="${package#"$root/"}"
  case "$relative" in node_modules/*) [ -L "$package" ] || cp -r --parents "$relative" "$new/" ;; esac
done
rm -rf "$destination$program.old"
[ ! -e "$destination$program" ] || mv "$destination$program" "$destination$program.old"
mv "$new" "$destination$program"
rm -rf "$destination$program.old"
for name in vacd vac; do
  printf '#!/bin/sh\nexec node %s/dist/%s.js "$@"\n' "$program" "$name" >"$destination/usr/local/bin/$name"
  chmod 755 "$destination/usr/local/bin/$name"
done
cp "$root/etc/man/vac.conf.5" "$destination/usr/local/share/man/man5/"

mkdir -p "$destination/etc/vac.d" "$destination/etc/systemd/system"
if [ -z "$(ls "$destination"/etc/vac.d/*.conf "$destination/etc/vac.conf" 2>/dev/null)" ]; then
  cp "$root/etc/vac.conf.example" "$destination/etc/vac.conf"
  say "wrote $destination/etc/vac.conf from the example: edit it (vac_space, machinetypes), then: vac check-config"
fi
cp "$root/systemd/vacd.service" "$destination/etc/systemd/system/vacd.service"
if [ -z "$destination" ] && [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  say "installed. Start it with: systemctl enable --now vacd"
else
  say "installed. Without systemd, start it with: /usr/local/bin/vacd"
fi
