#!/usr/bin/env bash
# Makes this host ready for vacd: installs the packages that are missing, starts libvirt where it does not run, and
# says whether machines will run under KVM or TCG. Safe to run at any time, by several at once; it changes no
# configuration file. With nothing to do it takes well under a second.
#
#   etc/host-setup.sh [--quiet] [--check]
#     --quiet  says nothing unless something fails
#     --check  changes nothing; ends with 1 and says what is missing
#
# Exit status: 0 = ready, 1 = not ready (one line says what failed and what to do), 2 = wrong arguments.
set -uo pipefail

quiet=no check=no
for argument in "$@"; do
  case $argument in
    --quiet) quiet=yes ;;
    --check) check=yes ;;
    *)
      echo "host set-up: unknown argument $argument (known: --quiet, --check)" >&2
      exit 2
      ;;
  esac
done

logFile=/var/log/vac-host-setup.log
lockFile=/run/vac-host-setup.lock
libvirtdSeconds=120

say() { [ $quiet = yes ] || echo "host set-up: $*" >&2; }
fail() {
  echo "host set-up: $*" >&2
  exit 1
}
# For --check: what would be changed.
isMissing=no
missing() {
  isMissing=yes
  say "missing: $*"
}

has_systemd() { [ -d /run/systemd/system ]; }

# A kernel without NFS server, in a container say, needs nfs-ganesha; only an init system keeps nfs-kernel-server.
has_kernel_nfs() {
  has_systemd && { grep -qw nfsd /proc/filesystems || modprobe -n -q nfsd 2> /dev/null; }
}

# ---- packages ----

list_packages() {
  # The hypervisor and what vacd uses on a host.
  echo libvirt-daemon-system libvirt-clients qemu-system-x86 qemu-utils dnsmasq-base iptables nftables iproute2 conntrack
  echo rsyslog genisoimage xorriso kmod dbus e2fsprogs rpcbind ca-certificates
  if has_kernel_nfs; then echo nfs-kernel-server; else echo nfs-ganesha nfs-ganesha-vfs; fi
  # The build of the libvirt binding.
  echo libvirt-dev g++ make python3
  # The demo guest and the tests.
  echo rsyslog-relp rsyslog-gnutls python3-dbusmock systemd
  echo busybox-static cpio syslinux syslinux-common isolinux mtools fdisk libnfs-utils lvm2 ovmf
}

# Prints the packages that are not, or not completely, installed.
missing_packages() {
  local wanted installed
  wanted=$(list_packages | tr ' ' '\n' | sort -u)
  # shellcheck disable=SC2086 # one word a package
  installed=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $wanted 2> /dev/null | sed -n 's/^installed //p' | sort -u)
  comm -23 <(echo "$wanted") <(echo "$installed")
}

# apt must never ask: no terminal may be there to answer. Sites' own versions of configuration files stay.
apt() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" < /dev/null 9>&-
}

# Runs a command with its output in the log; every 10 s one line says how far it is.
with_progress() {
  local pid waited=0
  "$@" >> "$logFile" 2>&1 &
  pid=$!
  while kill -0 $pid 2> /dev/null; do
    sleep 0.2
    waited=$((waited + 1))
    [ $((waited % 50)) -ne 0 ] || say "… $((waited / 5)) s: $(tail -n 1 "$logFile" | cut -c 1-80)"
  done
  wait $pid
}

apt_failed() {
  [ $quiet = yes ] || tail -n 15 "$logFile" >&2
  fail "$1: $(grep -m 1 -E '^(E:|W: Failed to fetch)' "$logFile") (whole log: $logFile); mend that and run this again"
}

install_packages() {
  local packages=("$@")
  : > "$logFile"
  # Package lists that are absent or too old show as packages that cannot be had.
  if ! apt install --simulate --no-install-recommends "${packages[@]}" > /dev/null 2>&1; then
    say 'updating the package lists …'
    with_progress apt update || apt_failed 'apt-get update failed'
  fi
  say "installing ${#packages[@]} packages: ${packages[*]} …"
  forbid_service_starts
  if ! with_progress apt install --no-install-recommends "${packages[@]}"; then
    grep -q '404  *Not Found' "$logFile" || apt_failed 'apt-get install failed'
    say 'the package lists are out of date, updating them …'
    with_progress apt update || apt_failed 'apt-get update failed'
    with_progress apt install --no-install-recommends "${packages[@]}" || apt_failed 'apt-get install failed'
  fi
  allow_service_starts
  # vacd runs a ganesha of its own, on the guests' network alone; the package's would take its port at the next boot.
  if has_systemd && [[ " ${packages[*]} " == *' nfs-ganesha '* ]]; then
    systemctl disable nfs-ganesha >> "$logFile" 2>&1
  fi
}

# Packages start their services when installed: none of them before this script or vacd wants it. A site's own
# policy-rc.d stays as it is.
policyFile=/usr/sbin/policy-rc.d
policyMark='# by vac host set-up'
forbid_service_starts() {
  [ ! -e $policyFile ] || return 0
  printf '#!/bin/sh\n%s\nexit 101\n' "$policyMark" > $policyFile
  chmod 755 $policyFile
  trap allow_service_starts EXIT
}
allow_service_starts() {
  if grep -qsF "$policyMark" $policyFile; then rm -f $policyFile; fi
}

# Elsewhere than on Debian and its relatives the administrator installs; only what is missing is named.
check_commands() {
  local absent=() command
  for command in libvirtd:libvirt virsh:libvirt-client qemu-img:qemu-img dnsmasq:dnsmasq nft:nftables ip:iproute \
    rsyslogd:rsyslog genisoimage:genisoimage xorriso:xorriso mkfs.ext4:e2fsprogs exportfs:nfs-utils g++:gcc-c++ make:make python3:python3; do
    command -v "${command%%:*}" > /dev/null || absent+=("${command#*:}")
  done
  [ -e /usr/include/libvirt/libvirt.h ] || absent+=(libvirt-devel)
  command -v qemu-system-x86_64 > /dev/null || [ -x /usr/libexec/qemu-kvm ] || absent+=(qemu-kvm)
  [ ${#absent[@]} -eq 0 ] ||
    fail "this is no Debian: install the packages ${absent[*]} with this host's own package manager, then run this again"
}

# ---- KVM ----

# Without udev /dev/kvm may stay root:root 0600, and libvirt, whose QEMU is another user, then probes QEMU afresh
# dozens of times: over a minute a machine. Given to group kvm, as udev does it; access that is there is left alone.
open_dev_kvm() {
  [ -c /dev/kvm ] && getent group kvm > /dev/null || return 0
  local group mode
  read -r group mode < <(stat -c '%G %a' /dev/kvm)
  if [ "$group" = kvm ] && [ $((8#$mode & 8#060)) -eq $((8#060)) ]; then return 0; fi
  if [ $((8#$mode & 8#006)) -eq $((8#006)) ]; then return 0; fi
  if [ $check = yes ]; then
    missing "/dev/kvm is $group $mode, libvirt needs group kvm 660"
    return 0
  fi
  chgrp kvm /dev/kvm && chmod 660 /dev/kvm || say 'cannot give /dev/kvm to group kvm: creating machines will be slow'
}

# KVM without VT-x or AMD-V may open, and still never boot an ordinary guest.
accelerator() {
  if ! grep -qwE 'vmx|svm' /proc/cpuinfo; then
    echo 'TCG (software emulation, slow): the processor offers neither vmx nor svm'
  elif ! (exec 3<> /dev/kvm) 2> /dev/null; then
    echo 'TCG (software emulation, slow): /dev/kvm cannot be opened'
  else
    echo KVM
  fi
}

# ---- services ----
# A service runs when it answers. Pid files and sockets outlive a killed daemon and prove nothing.

dbus_answers() {
  timeout 5 dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.GetId > /dev/null 2>&1
}
virtlogd_answers() { timeout 5 virt-admin -c virtlogd:///system srv-list > /dev/null 2>&1; }
libvirtd_answers() { timeout "${1:-10}" virsh -q -c qemu:///system version > /dev/null 2>&1; }

# live_pid PIDFILE NAME: prints the pid if it is that of a living process of that name in this mount namespace (other
# namespaces may hold hypervisors of their own, with the same names).
live_pid() {
  local pid
  pid=$(cat "$1" 2> /dev/null) && [[ $pid =~ ^[0-9]+$ ]] || return 1
  [ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$2" ] || return 1
  [ "$(readlink "/proc/$pid/ns/mnt")" = "$(readlink /proc/self/ns/mnt)" ] || return 1
  echo "$pid"
}

# start_daemon NAME PIDFILE COMMAND…: clears what a dead one left and starts it, apart from this script's session,
# output and lock. A living daemon is left alone: it may be slow, and its machines depend on it.
start_daemon() {
  local name=$1 pidFile=$2
  shift 2
  live_pid "$pidFile" "$name" > /dev/null && return 0
  say "starting $name …"
  rm -f "$pidFile"
  case $name in
    dbus-daemon) rm -f /run/dbus/system_bus_socket ;;
    virtlogd) rm -f /run/libvirt/virtlogd-*sock ;;
    libvirtd) rm -f /run/libvirt/libvirt-*sock* ;;
  esac
  if ! setsid "$@" < /dev/null >> "$logFile" 2>&1 9>&-; then
    fail "$name does not start: $(tail -n 1 "$logFile") (log: $logFile)"
  fi
}

start_by_hand() {
  : > "$logFile"
  # No rpcbind here: vacd starts one itself, on the guests' network alone, because an open one is an amplifier.
  if ! dbus_answers; then
    mkdir -p /run/dbus
    start_daemon dbus-daemon /run/dbus/pid dbus-daemon --system --fork
  fi
  mkdir -p /run/libvirt
  virtlogd_answers || start_daemon virtlogd /run/virtlogd.pid virtlogd -d
  libvirtd_answers 2 || start_daemon libvirtd /run/libvirtd.pid libvirtd -d
}

# Debian's libvirtd, or the modular daemons of other distributions.
start_by_systemd() {
  local units
  if systemctl cat libvirtd.service > /dev/null 2>&1; then
    units=(virtlogd.socket libvirtd.service)
  else
    units=(virtlogd.socket virtqemud.socket virtnetworkd.socket virtnwfilterd.socket virtstoraged.socket)
  fi
  say "starting ${units[*]} …"
  systemctl enable --now "${units[@]}" >> "$logFile" 2>&1 ||
    fail "systemctl enable --now ${units[*]} failed: $(tail -n 1 "$logFile") (see journalctl -xe)"
}

# A call made while libvirtd starts may hang until its end, so each is short and asked anew.
wait_for_libvirtd() {
  local started=$SECONDS pid
  say 'waiting for the first answer of libvirtd, which tries out QEMU (some 10 s) …'
  while [ $((SECONDS - started)) -lt $libvirtdSeconds ]; do
    if libvirtd_answers; then return 0; fi
    say "… $((SECONDS - started)) s"
    sleep 0.5
  done
  pid=$(live_pid /run/libvirtd.pid libvirtd) &&
    fail "libvirtd (pid $pid) runs and has not answered for $libvirtdSeconds s: restart it; machines go on meanwhile"
  fail "libvirtd does not stay up: $(tail -n 1 "$logFile") (log: $logFile; try libvirtd in the foreground)"
}

services_answer() {
  libvirtd_answers 5 || return 1
  # Under systemd, sockets start these when they are needed.
  has_systemd || { virtlogd_answers && dbus_answers; }
}

# ---- in order ----

[ "$(id -u)" = 0 ] || fail 'must be run as root (try sudo)'
export PATH=$PATH:/usr/sbin:/sbin

if [ $check = no ]; then
  exec 9> $lockFile
  flock -n 9 || { say 'waiting for another host set-up …' && flock 9; }
fi

if command -v dpkg-query apt-get > /dev/null; then
  mapfile -t packages < <(missing_packages)
  if [ ${#packages[@]} -gt 0 ] && [ $check = yes ]; then
    missing "packages ${packages[*]}"
  elif [ ${#packages[@]} -gt 0 ]; then
    install_packages "${packages[@]}"
  fi
else
  check_commands
fi

open_dev_kvm

if ! services_answer; then
  if [ $check = yes ]; then
    missing 'libvirtd, virtlogd or dbus-daemon does not answer'
  else
    if has_systemd; then start_by_systemd; else start_by_hand; fi
    wait_for_libvirtd
  fi
fi

[ $isMissing = no ] || fail 'not ready: run etc/host-setup.sh without --check'
say "ready; machines run under $(accelerator)"
