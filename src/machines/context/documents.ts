/** What EC2, OpenStack and NoCloud metadata say of a machine (SPEC 5); pure. */

import type { MachineFacts } from './facts.js';

/** What the root key is called where keys have names. */
const KEY_NAME = 'vac';

/** A machine has no flavour; what cloud-init and others do not find here, they complain of. */
const INSTANCE_TYPE = 'vac';

/** Versions that OpenStack lists, each with the same content; cloud-init takes the newest that it knows. */
export const OPENSTACK_VERSIONS = [
  '2012-08-10',
  '2013-04-04',
  '2013-10-17',
  '2015-10-15',
  '2016-06-30',
  '2016-10-06',
  '2017-02-22',
  '2018-08-27',
  'latest',
];

/** Everything at and below EC2's `meta-data`, by path; branches hold their listings, in which they end with `/`. */
export function ec2Metadata(machine: MachineFacts): ReadonlyMap<string, string> {
  const leaves = leavesOf(machine);
  const key = machine.rootPublicKey;
  const names = [...Object.keys(leaves), 'placement/', ...(key === null ? [] : ['public-keys/'])];
  return new Map([
    ['', names.join('\n')],
    ...Object.entries(leaves),
    ['placement', 'availability-zone'],
    ['placement/availability-zone', machine.factory],
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

/** The same as one document, as a ConfigDrive holds it (ec2/latest/meta-data.json). */
export function ec2MetadataDocument(machine: MachineFacts): object {
  return {
    ...leavesOf(machine),
    placement: { 'availability-zone': machine.factory },
    ...(machine.rootPublicKey === null
      ? {}
      : { 'public-keys': { 0: { _name: `0=${KEY_NAME}`, 'openssh-key': machine.rootPublicKey } } }),
  };
}

function leavesOf(machine: MachineFacts): Record<string, string> {
  return {
    'ami-id': machine.machinetype,
    'ami-launch-index': '0',
    hostname: machine.hostname,
    'instance-id': machine.uuid,
    'instance-type': INSTANCE_TYPE,
    'local-hostname': machine.hostname,
    'local-ipv4': machine.ip,
  };
}

/** meta_data.json */
export function openstackMetadata(machine: MachineFacts): object {
  return {
    uuid: machine.uuid,
    name: machine.hostname,
    hostname: machine.hostname,
    launch_index: 0,
    availability_zone: machine.factory,
    public_keys: machine.rootPublicKey === null ? {} : { [KEY_NAME]: machine.rootPublicKey },
    meta: machine.meta,
  };
}

/** NoCloud's meta-data: JSON, which is YAML as well. `meta` as OpenStack has it, for templates that use it. */
export function nocloudMetadata(machine: MachineFacts): string {
  const document = {
    'instance-id': machine.uuid,
    'local-hostname': machine.hostname,
    'availability-zone': machine.factory,
    ...(machine.rootPublicKey === null ? {} : { 'public-keys': { [KEY_NAME]: machine.rootPublicKey } }),
    meta: machine.meta,
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}
