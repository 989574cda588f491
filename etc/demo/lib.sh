# What the demo guest's init, its commands and any user_data share: `. /lib/vac-demo.sh`.
# busybox sh. State between processes lives in /run: vac-demo.env (how outputs are reached), demo-report.

NOT_FOUND=2
[ ! -e /run/vac-demo.env ] || . /run/vac-demo.env

uptime_seconds() {
  read -r uptime _ < /proc/uptime
  echo "${uptime%.*}"
}

my_address() { ip -4 -o addr show dev eth0 | sed -n 's/.*inet \([0-9.]*\).*/\1/p'; }

# To the console, and to syslog or, until that is known, into a buffer for it.
log() {
  read -r uptime _ < /proc/uptime
  echo "vac-demo: $uptime $*" > /dev/console
  if [ -e /run/syslog-started ]; then to_syslog "$*"; else echo "$*" >> /run/early-log; fi
}

# busybox syslogd forwards a message as logger wrote it, without a host name: put it where RFC 3164 wants it.
to_syslog() { logger -p user.info -t "$(hostname) vac-demo" "$*"; }

# Without an address or metadata there is nobody to tell: the console keeps the reason.
give_up() {
  log "giving up: $*"
  poweroff -nf
}

# Prints a URL's content. 0 = there, NOT_FOUND = the server has no such thing, 1 = no answer.
fetch() {
  fetchErrors=/run/fetch.$$
  timeout 5 wget -S -q -O - "$1" 2> $fetchErrors && return 0
  grep -q ' 404 ' $fetchErrors && return $NOT_FOUND
  return 1
}

# A string of meta_data.json by its key, wherever it stands; empty where there is none.
metadata() {
  tr -d '\n' < /run/meta_data.json | sed -n 's/.*"'"$1"'"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p'
}

# mount_nfs 4.1|3 SERVER:/PATH DIRECTORY. Hard, so that a restart of the server only makes the job wait.
# A server that does not answer must not hold the boot: the attempt itself is bounded.
mount_nfs() {
  case $1 in
    3) nfsOptions=vers=3,nolock,proto=tcp,mountproto=tcp ;;
    *) nfsOptions=vers=$1,proto=tcp ;;
  esac
  timeout -s KILL 10 mount -t nfs -o "$nfsOptions,addr=${2%%:*},hard,timeo=50,retrans=2,acregmax=5" "$2" "$3"
}

area_url() { [ "$1" = machinefeatures ] && echo "$machinefeaturesUrl" || echo "$jobfeaturesUrl"; }

# The names in a listing, whether it is a page of links or one name a line.
list_features_by_http() {
  fetch "$(area_url "$1")/" | sed 's/<[Aa] [^>]*[Hh][Rr][Ee][Ff]="\([^"]*\)"[^>]*>/\n\1\n/g' | grep -x '[A-Za-z0-9_]*' | sort -u
}

# feature machinefeatures|jobfeatures KEY: the value as it is now; empty where there is none.
feature() {
  if [ "$access" = nfs ]; then cat "/etc/$1/$2" 2> /dev/null; else fetch "$(area_url "$1")/$2"; fi
}

# put_output NAME: standard input becomes that file of joboutputs. Renamed into place, so nobody reads half of it.
put_output() {
  if [ "$access" = nfs ]; then
    cat > "/etc/machineoutputs/$1.new" && mv "/etc/machineoutputs/$1.new" "/etc/machineoutputs/$1"
  else
    cat > "/run/put.$1.$$"
    http_put "/run/put.$1.$$" "$joboutputsUrl/$1"
  fi
}

# busybox wget cannot PUT.
http_put() {
  hostPort=${2#http://}
  hostPort=${hostPort%%/*}
  case $hostPort in *:*) port=${hostPort##*:} ;; *) port=80 ;; esac
  {
    printf 'PUT /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n' "${2#http://*/}" "$hostPort"
    printf 'Content-Length: %s\r\n\r\n' "$(stat -c %s "$1")"
    cat "$1"
  } | timeout 5 nc "${hostPort%%:*}" "$port" | head -n 1 | grep -q ' 20[0-9]'
}

# report KEY VALUE: one line of the report, kept in the guest until publish_report.
report() { echo "$1=$(printf %s "$2" | tr '\n' ' ')" >> /run/demo-report; }

reported() { sed -n "s/^$1=//p" /run/demo-report; }

publish_report() { put_output demo-report < /run/demo-report || log 'cannot write joboutputs/demo-report'; }

# The device of the disk with this serial, which virtio disks show in sysfs.
disk_by_serial() {
  for file in /sys/block/*/serial; do
    [ -f "$file" ] && [ "$(cat "$file")" = "$1" ] || continue
    file=${file%/serial}
    echo "/dev/${file##*/}"
  done
}
