#!/bin/sh
# Left to the image: ##user_data___##
[ -d /etc/machinefeatures ] || mount -o ro,nfsvers=3 169.254.169.254:##user_data_vmtype##/mf /etc/machinefeatures
base64 -d <<END | (cd / && tar -zxf -)
##user_data_boot_files##
END
curl --capath /etc/grid-security/certificates -o /tmp/pilot ##user_data_url##/pilot
exit 0

[amiconfig]
plugins=cernvm

[cernvm]
organisations=None
repositories=grid
shell=/bin/bash
proxy=##user_data_option_cvmfs_proxy##
users=plt:plt:##user_data_vmlm_version##
