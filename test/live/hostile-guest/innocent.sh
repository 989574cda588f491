#!/bin/sh
# user_data of the machine beside the hostile one: it serves a page that nobody else may reach, keeps working, says each
# second in joboutputs and in its log that it goes on, and now and then looks whether the host still serves it.
. /lib/vac-demo.sh

mkdir -p /run/www
echo 'the innocent machine' > /run/www/index.html
httpd -p 8080 -h /run/www

count=0
while [ ! -e /etc/machineoutputs/finish ]; do
  count=$((count + 1))
  to_syslog "innocent line $count"
  # However long it takes: that it was not served soon is seen by its beats.
  timeout 120 wget -q -O /run/instance-id http://169.254.169.254/latest/meta-data/instance-id && served=yes || served=no
  [ "$(feature machinefeatures total_cpu)" = 1 ] || served=no
  # Whose MAC the factory's addresses have, as this machine believes.
  arp -n | sed -n 's/.*(\(169.254.169.25[34]\)) at \([0-9a-f:]*\) .*/\1 \2/p' | sort > /run/arp
  printf '%s\n' "count=$count" "served=$served" "arp=$(tr '\n' ';' < /run/arp)" \
    "router=$(ip route | sed -n 's/default via \([0-9.]*\) .*/\1/p')" | put_output heartbeat
  [ $served = yes ] || echo "INNOCENT not served at $count" > /dev/console
  sleep 1
done
vac-demo-finish '200 Success'
