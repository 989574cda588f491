/** What EC2 and OpenStack metadata say of a machine (SPEC 5); pure. */

import type { MetadataMachine } from './handler.js';

/** What the root key is called where keys have names. */
const KEY_NAME = 'vac';

/** Versions that OpenStack lists; cloud-init takes the newest that it knows. */
export const OPENSTACK_VERSIONS = ['2012-08-10', '2013-04-04', '2013-10-17', '2015-10-15', 'latest'];

/** Everything at and below EC2's `meta-data`, by path; branches hold their listings. */
export function ec2Metadata(machine: MetadataMachine): ReadonlyMap<string, string> {
  const leaves = {
    'ami-id': machine.machinetype,
    hostname: machine.hostname,
    'instance-id': machine.uuid,
    'local-hostname': machine.hostname,
    'local-ipv4': machine.ip,
  };
  const key = machine.rootPublicKey;
  const names = [...Object.keys(leaves), ...(key === null ? [] : ['public-keys/'])];
  return new Map([
    ['', names.join('\n')],
    ...Object.entries(leaves),
    ...(key === null
      ? []
      : ([
          ['public-keys', `0=${KEY_NAME}`],
          ['public-keys/0', 'openssh-key'],
          // With a newline: start scripts append it to authorized_keys as it is.
          ['public-keys/0/openssh-key', `${key}\n`],
        ] as const)),
  ]);
}

/** meta_data.json */
export function openstackMetadata(machine: MetadataMachine): object {
  return {
    uuid: machine.uuid,
    name: machine.hostname,
    hostname: machine.hostname,
    availability_zone: machine.factory,
    public_keys: machine.rootPublicKey === null ? {} : { [KEY_NAME]: machine.rootPublicKey },
    meta: machine.meta,
  };
}
