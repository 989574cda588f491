#!/usr/bin/env bash
# `npm run install-host`: installs this checkout on the host as a service. Configuration that is there is never changed.
# DESTDIR=/some/where puts everything below that directory instead, as for building a package.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"
destination="${DESTDIR:+$(realpath -m "$DESTDIR")}"
program=/usr/local/lib/vac
units=/usr/local/lib/systemd/system

say() { printf '%s\n' "$*" >&2; }
fail() {
  say "install-host: $*"
  exit 1
}

bash "$root/etc/prepare.sh"
cd "$root"

# By this very program, wherever it is: the service's PATH may know no node, or another one.
node="$(node -p process.execPath)"

say "installing the program into $destination$program …"
new="$destination$program.new"
rm -rf "$new"
mkdir -p "$new/node_modules/libvirt/build/Release"
cp -r package.json dist etc LICENSE "$new/"
cp -r native/package.json native/dist "$new/node_modules/libvirt/"
cp native/build/Release/*.node "$new/node_modules/libvirt/build/Release/"
# The program's own packages, without those that only building and testing need.
packages="$(npm ls --omit=dev --all --parseable --loglevel=error)" ||
  fail "npm ls finds the packages of this checkout incomplete (above): run npm ci, then this again; nothing was changed"
while read -r package; do
  relative="${package#"$root/"}"
  case "$relative" in node_modules/*) [ -L "$package" ] || cp -r --parents "$relative" "$new/" ;; esac
done <<<"$packages"
"$node" "$new/dist/vacd.js" --version >/dev/null ||
  fail "the new program in $new does not start (above); the one that is installed was not changed"

rm -rf "$destination$program.old"
[ ! -e "$destination$program" ] || mv "$destination$program" "$destination$program.old"
mv "$new" "$destination$program"
rm -rf "$destination$program.old"

share="$destination/usr/local/share"
mkdir -p "$destination/usr/local/bin" "$destination$units" "$destination/etc/vac.d"
# Garbage is collected sooner than Node would: a third less memory for a daemon that hardly allocates.
flags=--max-semi-space-size=4
for name in vacd vac; do
  printf '#!/bin/sh\nexec "%s" %s "%s/dist/%s.js" "$@"\n' "$node" "$flags" "$program" "$name" >"$destination/usr/local/bin/$name"
  chmod 755 "$destination/usr/local/bin/$name"
done
for page in etc/man/*.[1-9]; do
  install -D -m 644 "$page" "$share/man/man${page##*.}/$(basename "$page")"
done
# Where bash-completion and zsh look by themselves, whether they are there now or not.
install -D -m 644 etc/completion/vac.bash "$share/bash-completion/completions/vac"
install -D -m 644 etc/completion/_vac "$share/zsh/site-functions/_vac"
# Not below /etc: what is there is the administrator's, and goes before this.
cp systemd/vacd.service "$destination$units/"
# Accounting's timers are the site's to enable: it may send in another way, or from one host alone (etc/accounting.md).
cp systemd/vac-apel-*.service systemd/vac-apel-*.timer "$destination$units/"
install -D -m 644 systemd/machine.slice.d/10-vac.conf "$destination$units/machine.slice.d/10-vac.conf"
# For desktops (etc/overnight.md): what an administrator copies to / from here; none of it is in force before.
desktop="$share/doc/vac/overnight"
install -D -m 644 etc/overnight.md "$desktop/overnight.md"
install -D -m 644 etc/vac.d/overnight.conf "$desktop/etc/vac.d/overnight.conf"
for unit in machine.slice vacd.service; do
  install -D -m 644 "systemd/$unit.d/overnight.conf" "$desktop/etc/systemd/system/$unit.d/overnight.conf"
done
if [ -e "$destination/etc/systemd/system/vacd.service" ]; then
  say "note: $destination/etc/systemd/system/vacd.service goes before the unit that was installed now; remove it unless it is yours"
fi

# Whom vacd's children become that serve machines, VacQuery and /metrics. Without them that is nobody, as other programs may be.
for user in vac vac-space vac-metrics; do
  if [ -z "$destination" ] && ! getent passwd "$user" >/dev/null; then
    useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$user" ||
      say "note: no user $user could be made (above); the process that it is for will run as vac or nobody"
  fi
done

if [ -z "$(ls "$destination"/etc/vac.d/*.conf "$destination/etc/vac.conf" 2>/dev/null)" ]; then
  cp etc/vac.conf.example "$destination/etc/vac.conf"
  say "wrote $destination/etc/vac.conf from the example: edit it (vac_space, machinetypes), then: vac check-config"
fi
if [ -n "$destination" ]; then
  say "installed below $destination"
elif [ -d /run/systemd/system ]; then
  systemctl daemon-reload
  say "installed. Start it with: systemctl enable --now vacd (if it runs: systemctl restart vacd)"
else
  say "installed. Without systemd, start it with: /usr/local/bin/vacd"
fi
