#!/bin/sh
# /init of the initramfs: loads drivers, and goes over to the root file system.
export PATH=/bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
# Bus by bus: a disk appears behind its controller.
for pass in 1 2; do cat /sys/bus/*/devices/*/modalias | sort -u | xargs modprobe -qa 2> /dev/null; done
modprobe isofs
until root=$(findfs LABEL=cloudimg-rootfs); do sleep 0.1; done
mount -t ext4 "$root" /mnt
mount --move /dev /mnt/dev
mount --move /proc /mnt/proc
mount --move /sys /mnt/sys
exec switch_root /mnt /sbin/vac-boot
