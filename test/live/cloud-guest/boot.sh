#!/bin/bash
# Pid 1 of the cloud guest: cloud-init's stages as its systemd units run them, and then its findings to joboutputs.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
exec < /dev/console > /dev/console 2>&1
say() { echo "[$(cut -d ' ' -f 1 /proc/uptime)] $*"; }

# put FILE NAME: by plain HTTP, for there is no curl.
put() {
  exec 3<> /dev/tcp/169.254.169.253/80
  printf 'PUT /joboutputs/%s HTTP/1.0\r\nContent-Length: %s\r\n\r\n' "$2" "$(stat -c %s "$1")" >&3
  cat "$1" >&3
  head -n 1 <&3
  exec 3>&-
}

ip link set lo up
say 'ds-identify, as the systemd generator runs it'
/usr/lib/cloud-init/ds-identify
say "ds-identify: $? $(tr '\n' ' ' < /run/cloud-init/cloud.cfg)"
say 'cloud-init-local.service'
cloud-init init --local
say 'network'
# What it has written to /etc/network/interfaces.d.
until ifup -a; do say 'no network yet'; done
say 'cloud-init.service'
cloud-init init
say 'cloud-config.service'
cloud-init modules --mode=config
say 'cloud-final.service'
cloud-init modules --mode=final
say 'findings'
# The EC2 service with cloud-init's own reader, whatever datasource was found.
if grep -q OpenStack /run/cloud-init/cloud.cfg; then
  python3 -c 'import json; from cloudinit.sources.helpers import ec2
print(json.dumps([ec2.get_instance_metadata(), ec2.get_instance_userdata().decode()]))' > /tmp/ec2.json
  put /tmp/ec2.json ec2.json
fi
for disk in /sys/block/vd*; do
  echo "${disk##*/} $(cat "$disk/serial") ro=$(cat "$disk/ro") $(blkid -s LABEL -o value "/dev/${disk##*/}")"
done > /tmp/disks
put /tmp/disks disks
put /run/cloud-init/cloud.cfg datasource
# What `cloud-init query` answers from.
put /run/cloud-init/instance-data-sensitive.json instance-data.json
put /var/lib/cloud/instance/user-data.txt user-data
put /var/lib/cloud/instance/vendor-data.txt vendor-data
put /var/log/cloud-init.log cloud-init.log
put /run/cloud-init/ds-identify.log ds-identify.log
for file in /var/lib/vac-test/*; do [ ! -e "$file" ] || put "$file" "$(basename "$file")"; done
[ ! -e /home/debian/.ssh/authorized_keys ] || put /home/debian/.ssh/authorized_keys authorized_keys
echo '200 Success' > /tmp/shutdown_message
put /tmp/shutdown_message shutdown_message
say 'power off'
echo o > /proc/sysrq-trigger
# The disks go before the power does: nothing can be read from them any more.
read -r -t 60 < /dev/console
