#!/usr/bin/env bash
# Builds a guest with Debian's own cloud-init, unmodified: an ordinary bootable disk image whose root file system is made of
# unpacked packages. In place of an init system it has boot.sh, which runs cloud-init's stages in their order.
#
#   test/live/cloud-guest/build.sh OUTPUT.qcow2
#
# Rebuilt only when these scripts, the kernel or cloud-init's version change. The cache is VAC_DEMO_CACHE, by default
# /var/cache/vac-demo, beside that of the demo guest, whose kernel it uses.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VAC_DEMO_CACHE:-/var/cache/vac-demo}
output=$1
# What cloud-init runs beside what it depends on.
packages=(cloud-init base-passwd python3 bash dash coreutils sed grep mawk findutils util-linux mount login passwd hostname iproute2
  ifupdown isc-dhcp-client e2fsprogs procps kmod gzip tar openssh-client)
initramfsModules=(virtio_pci virtio_net virtio_blk ata_piix sd_mod sr_mod isofs button evdev)

fail() {
  echo "cloud guest: $*" >&2
  exit 1
}
say() { echo "cloud guest: $*" >&2; }

# The kernel is that of the demo guest.
bash "$here/../../../etc/demo/build-guest.sh" "$cache/vac-demo.qcow2"
kernelTree=$(find "$cache" -maxdepth 1 -type d -name 'kernel_*' | head -n 1)
release=$(basename "$kernelTree"/lib/modules/*)

# Under a lock of its own: the demo guest's build takes the other, and may be going on in another test.
exec 9> "$cache/cloud-lock"
flock 9
rm -rf "$cache"/cloud-build.*
work=$(mktemp -d "$cache/cloud-build.XXXXXX")
trap 'rm -rf "$work"' EXIT

candidate() { apt-cache policy cloud-init | sed -n 's/^  Candidate: //p'; }
version=$(candidate)
if [ -z "$version" ]; then
  apt-get -q update > "$work/apt.log" 2>&1 || fail "apt-get update failed: $(grep -m 1 '^E:' "$work/apt.log")"
  version=$(candidate)
fi
key=$( (echo "$kernelTree $version" && cat "$here"/{build.sh,boot.sh,cloud.cfg,initramfs.sh}) | sha256sum | cut -c 1-16)
guest=$cache/cloud-guest-$key.qcow2

# An empty status file makes apt fetch the packages with all that they depend on, whatever this host has.
download() {
  apt-get -q -y -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/deb" -o Debug::NoLocking=1 \
    -o APT::Sandbox::User=root --no-install-recommends --download-only install "${packages[@]}" > "$work/apt.log" 2>&1
}

build_root() {
  local root=$work/root file
  mkdir -p "$work/deb/partial" "$root"
  : > "$work/status"
  say "downloading cloud-init $version and what it needs (50 MB) …"
  if ! download; then
    apt-get -q update >> "$work/apt.log" 2>&1 || true
    download || fail "cannot download packages: $(tail -n 1 "$work/apt.log")"
  fi
  for file in "$work"/deb/*.deb; do dpkg -x "$file" "$root"; done
  rm -rf "$work/deb" "$root"/usr/share/{doc,man,info,locale,i18n} "$root"/usr/share/perl* "$root"/usr/lib/x86_64-linux-gnu/perl*
  # What the packages' own scripts would have done.
  cp "$root"/usr/share/base-passwd/passwd.master "$root/etc/passwd"
  cp "$root"/usr/share/base-passwd/group.master "$root/etc/group"
  chroot "$root" /usr/sbin/pwconv
  echo localhost > "$root/etc/hostname"
  echo '127.0.0.1 localhost' > "$root/etc/hosts"
  echo 'source /etc/network/interfaces.d/*' > "$root/etc/network/interfaces"
  : > "$root/etc/fstab"
  ln -sf dash "$root/bin/sh"
  ln -sf mawk "$root/usr/bin/awk"
  chroot "$root" /usr/bin/python3 -m compileall -q /usr/lib/python3 /usr/lib/python3.11 > /dev/null || true
  install -m 644 "$here/cloud.cfg" "$root/etc/cloud/cloud.cfg.d/90-guest.cfg"
  install -m 755 "$here/boot.sh" "$root/sbin/vac-boot"
}

build_initramfs() {
  local root=$work/initramfs name file
  mkdir -p "$root"/{bin,sbin,dev,proc,sys,mnt} "$root/lib/modules/$release"
  cp /bin/busybox "$root/bin/busybox"
  for name in sh mount modprobe switch_root cat sort xargs findfs sleep; do ln -s busybox "$root/bin/$name"; done
  ln -s ../bin/busybox "$root/sbin/modprobe"
  modprobe -d "$kernelTree" -S "$release" --show-depends -a "${initramfsModules[@]}" 2> /dev/null |
    awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
    install -D -m 644 "$file" "$root/${file#"$kernelTree/"}"
  done
  cp "$kernelTree/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$release/"
  depmod -b "$root" "$release"
  install -m 755 "$here/initramfs.sh" "$root/init"
  (cd "$root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) > "$work/initrd"
}

# A boot partition (FAT16, syslinux) and the root file system, both made without mounting anything.
build_disk() {
  local disk=$work/disk.img bootMiB=40 rootMiB
  rootMiB=$(($(du -sm "$work/root" | cut -f 1) + 150))
  truncate -s "$((1 + bootMiB + rootMiB))M" "$disk"
  printf '%s\n' "start=1MiB, size=${bootMiB}MiB, type=6, bootable" "start=$((1 + bootMiB))MiB, type=83" | sfdisk -q "$disk"
  dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc status=none
  local boot="$disk@@1M"
  mformat -i "$boot" -T $((bootMiB * 2048)) -H 2048 -h 16 -s 63 -c 8 -v BOOT ::
  printf '%s\n' 'SERIAL 0 115200' 'DEFAULT linux' 'PROMPT 0' 'LABEL linux' '  KERNEL vmlinuz' '  INITRD initrd' \
    '  APPEND console=ttyS0 quiet panic=1 mitigations=off random.trust_cpu=on' > "$work/syslinux.cfg"
  mcopy -i "$boot" "$work/syslinux.cfg" ::syslinux.cfg
  mcopy -i "$boot" "$kernelTree"/boot/vmlinuz-* ::vmlinuz
  mcopy -i "$boot" "$work/initrd" ::initrd
  syslinux --install --offset 1048576 "$disk"
  mkfs.ext4 -q -F -L cloudimg-rootfs -d "$work/root" -E "offset=$(((1 + bootMiB) * 1048576)),lazy_itable_init=1,nodiscard" \
    "$disk" "${rootMiB}M"
  qemu-img convert -q -O qcow2 "$disk" "$work/guest.qcow2"
}

if [ ! -e "$guest" ]; then
  build_root
  build_initramfs
  build_disk
  mv "$work/guest.qcow2" "$guest"
  find "$cache" -maxdepth 1 -name 'cloud-guest-*.qcow2' ! -path "$guest" -delete
  say "built, $(($(stat -c %s "$guest") / 1048576)) MB"
fi
cp "$guest" "$output"
chmod 644 "$output"
