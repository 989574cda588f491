#!/usr/bin/env bash
# Builds the demo guest: an ordinary bootable disk image (BIOS, virtio, serial console) of about 15 MB from Debian's
# cloud kernel and busybox. It has its own boot loader and kernel, as a site's image has, and boots in seconds.
#
#   etc/demo/build-guest.sh [OUTPUT.qcow2]        default: /var/cache/vac-demo/vac-demo.qcow2
#   etc/demo/build-guest.sh OUTPUT.iso            the same guest as a bootable CD, as CernVM's images are
#
# Rebuilt only when these scripts, busybox or the kernel package change. VAC_DEMO_CACHE names another cache directory.
# Needs: apt, kmod, cpio, busybox-static, syslinux, syslinux-common, isolinux, mtools, fdisk, genisoimage, qemu-utils (etc/host-setup.sh installs them).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VAC_DEMO_CACHE:-/var/cache/vac-demo}
output=${1:-$cache/vac-demo.qcow2}
metaPackage=linux-image-cloud-amd64

say() { echo "demo guest: $*" >&2; }
fail() {
  echo "demo guest: $*" >&2
  exit 1
}

# Prints "PACKAGE VERSION" of the kernel that the meta package stands for; nothing where apt does not know it.
kernel_in_apt() {
  { apt-cache show --no-all-versions "$metaPackage" 2> /dev/null || true; } |
    sed -n 's/^Depends: \(linux-image-[^ ,]*\) (= \([^)]*\)).*/\1 \2/p' | head -n 1
}

# Newest kernel that an earlier run unpacked, as "PACKAGE VERSION": good enough where apt cannot be asked.
kernel_in_cache() {
  local newest
  newest=$(find "$cache" -maxdepth 1 -type d -name 'kernel_*' -printf '%T@ %f\n' 2> /dev/null | sort -rn | head -n 1)
  [ -z "$newest" ] || echo "${newest#* kernel_}" | tr _ ' '
}

# Sets kernelPackage, kernelVersion and kernelTree (the unpacked package). Called under the lock.
get_kernel() {
  local kernel
  kernel=$(kernel_in_apt)
  if [ -z "$kernel" ]; then kernel=$(kernel_in_cache); fi
  if [ -z "$kernel" ]; then
    update_apt
    kernel=$(kernel_in_apt)
    [ -n "$kernel" ] || fail "apt finds no package $metaPackage: see that this host reaches its apt sources and Debian's main archive is one"
  fi
  read -r kernelPackage kernelVersion <<< "$kernel"
  kernelTree=$cache/kernel_${kernelPackage}_$kernelVersion
  [ ! -d "$kernelTree" ] || return 0

  say "downloading $kernelPackage $kernelVersion (27 MB) …"
  mkdir "$work/deb" "$work/kernel"
  if ! download_kernel; then
    # The lists may be older than what the archive still holds.
    update_apt
    kernel=$(kernel_in_apt)
    read -r kernelPackage kernelVersion <<< "$kernel"
    kernelTree=$cache/kernel_${kernelPackage}_$kernelVersion
    download_kernel || fail "cannot download $kernelPackage: $(tail -n 1 "$work/apt.log")"
  fi
  dpkg -x "$work"/deb/*.deb "$work/kernel"
  rm -rf "$work/deb" "$kernelTree"
  depmod -b "$work/kernel" "${kernelPackage#linux-image-}"
  mv "$work/kernel" "$kernelTree"
}

download_kernel() {
  (cd "$work/deb" && apt-get -q -o APT::Sandbox::User=root download "$kernelPackage=$kernelVersion") > "$work/apt.log" 2>&1
}

update_apt() {
  say 'updating the package lists …'
  apt-get -q update > "$work/apt.log" 2>&1 || fail "apt-get update failed: $(grep -m 1 '^E:' "$work/apt.log")"
}

# The drivers that a factory's machine may need; init loads those whose device is there.
modules=(virtio_pci virtio_net virtio_blk virtio_scsi ata_piix sd_mod sr_mod isofs nfsv3 nfsv4 button evdev
  pvpanic_mmio pvpanic_pci)

build_initramfs() {
  local root=$work/root release=${kernelPackage#linux-image-} file
  mkdir -p "$root"/{bin,sbin,lib,dev,proc,sys,run,root,tmp,scratch,context} \
    "$root"/etc/{machinefeatures,jobfeatures,machineoutputs,acpi/PWRF}
  cp /bin/busybox "$root/bin/busybox"
  /bin/busybox --list | grep -vx busybox | while read -r file; do ln -s busybox "$root/bin/$file"; done
  ln -s ../bin/busybox "$root/sbin/modprobe"
  install -m 755 "$here/init" "$root/init"
  install -m 755 "$here"/bin/* "$root/bin/"
  install -m 644 "$here/lib.sh" "$root/lib/vac-demo.sh"
  install -m 755 "$here/udhcpc.script" "$root/lib/udhcpc.script"
  install -m 755 "$here/power-button" "$root/etc/acpi/PWRF/00000080"

  modprobe -d "$kernelTree" -S "$release" --show-depends -a "${modules[@]}" |
    awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
    install -D -m 644 "$file" "$root/${file#"$kernelTree/"}"
  done
  cp "$kernelTree/lib/modules/$release"/modules.{builtin,builtin.modinfo,order} "$root/lib/modules/$release/"
  depmod -b "$root" "$release"
  (cd "$root" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -9) > "$work/initrd"
}

# One FAT16 partition with syslinux, made by mtools: no loop mount, no root file system.
build_disk() {
  local disk=$work/disk.img startSectors=2048 sizeMiB
  sizeMiB=$((($(stat -c %s "$kernelTree"/boot/vmlinuz-*) + $(stat -c %s "$work/initrd")) / 1048576 + 6))
  truncate -s "${sizeMiB}M" "$disk"
  echo "start=$startSectors, type=6, bootable" | sfdisk -q "$disk"
  dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc status=none
  local partition="$disk@@$((startSectors * 512))"
  mformat -i "$partition" -T $((sizeMiB * 2048 - startSectors)) -H $startSectors -h 16 -s 63 -c 8 -v VACDEMO ::
  printf '%s\n' 'SERIAL 0 115200' 'DEFAULT demo' 'PROMPT 0' 'LABEL demo' '  KERNEL vmlinuz' '  INITRD initrd' \
    "  APPEND $commandLine" > "$work/syslinux.cfg"
  mcopy -i "$partition" "$work/syslinux.cfg" ::syslinux.cfg
  mcopy -i "$partition" "$kernelTree"/boot/vmlinuz-* ::vmlinuz
  mcopy -i "$partition" "$work/initrd" ::initrd
  syslinux --install --offset $((startSectors * 512)) "$disk"
  qemu-img convert -q -c -O qcow2 "$disk" "$work/guest.qcow2"
}

build_iso() {
  local tree=$work/iso
  mkdir -p "$tree/isolinux"
  cp /usr/lib/ISOLINUX/isolinux.bin /usr/lib/syslinux/modules/bios/ldlinux.c32 "$tree/isolinux/"
  cp "$kernelTree"/boot/vmlinuz-* "$tree/vmlinuz"
  cp "$work/initrd" "$tree/initrd"
  printf '%s\n' 'SERIAL 0 115200' 'DEFAULT demo' 'PROMPT 0' 'LABEL demo' '  KERNEL /vmlinuz' '  INITRD /initrd' \
    "  APPEND $commandLine" > "$tree/isolinux/isolinux.cfg"
  genisoimage -quiet -R -V VACDEMO -b isolinux/isolinux.bin -c isolinux/boot.cat -no-emul-boot -boot-load-size 4 \
    -boot-info-table -o "$work/guest.iso" "$tree"
}

# panic=1: a crashed kernel restarts, which ends a machine of a factory, also where it has no panic device.
commandLine='console=ttyS0 quiet panic=1 mitigations=off random.trust_cpu=on'

[ "$(dpkg --print-architecture 2> /dev/null)" = amd64 ] || fail 'builds on amd64 Debian and its relatives only'
for tool in apt-get depmod modprobe cpio busybox syslinux mformat sfdisk qemu-img genisoimage flock; do
  command -v $tool > /dev/null || fail "$tool is missing: run etc/host-setup.sh"
done

mkdir -p "$cache" "$(dirname "$output")"
exec 9> "$cache/lock"
flock -n 9 || { say 'waiting for another build …' && flock 9; }
# What a killed build left behind; under the lock nobody else has one.
rm -rf "$cache"/build.*
work=$(mktemp -d "$cache/build.XXXXXX")
trap 'rm -rf "$work"' EXIT

get_kernel
key=$( (echo "$kernelPackage $kernelVersion" && cat "$here"/{build-guest.sh,init,lib.sh,udhcpc.script,power-button} "$here"/bin/* /bin/busybox) |
  sha256sum | cut -c 1-16)
kind=qcow2
[[ $output != *.iso ]] || kind=iso
guest=$cache/guest-$key.$kind
if [ ! -e "$guest" ]; then
  say "building with kernel $kernelVersion …"
  build_initramfs
  if [ $kind = iso ]; then build_iso; else build_disk; fi
  mv "$work/guest.$kind" "$guest"
  say "built, $(($(stat -c %s "$guest") / 1048576)) MB"
fi
if ! cmp -s "$guest" "$output"; then
  copy=$(mktemp "$output.XXXXXX")
  cp "$guest" "$copy"
  chmod 644 "$copy"
  mv "$copy" "$output"
fi
# Guests and kernels of before: nothing refers to them any more.
find "$cache" -maxdepth 1 \( -name 'guest-*' ! -name "guest-$key.*" -o -name 'kernel_*' ! -path "$kernelTree" \) -exec rm -rf {} +
