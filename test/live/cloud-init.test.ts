/** Debian's cloud-init, unmodified, in guests that a factory starts. */

import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import type { MachineStatus } from '../../src/daemon/status.js';
import { FaultSite } from './faults-site.js';
import { GUEST_PROCESSOR } from './guest-processor.js';

const GUEST = fileURLToPath(new URL('cloud-guest', import.meta.url));
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhvc3Rjb250ZXh0dGVzdGtleW5vdHVzZWRmb3JsaXZl root@factory';

/** Machinetypes by name: the option, what cloud-init makes of it, and the disks beyond scratch and swap. */
const WAYS = {
  http: { context: 'metadata', found: 'OpenStack', platform: 'openstack', disks: [] },
  // Several at once: cloud-init takes the disk.
  drive: {
    context: 'metadata configdrive',
    found: 'ConfigDrive',
    platform: 'configdrive',
    disks: ['configdrive ro=1 config-2'],
  },
  // The CD of `one` is nothing to cloud-init.
  disk: { context: 'one nocloud', found: 'NoCloud', platform: 'nocloud', disks: ['nocloud ro=1 cidata'] },
  smbios: { context: 'nocloud-smbios', found: 'NoCloud', platform: 'nocloud', disks: [] },
} as const;
type Way = keyof typeof WAYS;
const NAMES = Object.keys(WAYS) as Way[];

/** A guest takes half a minute of a processor's time, and four share what other tests leave. */
const GUESTS_SECONDS = 700;
const TEST_MS = 900_000;

/** One machine of each machinetype, from one image and one user_data. */
async function runGuests(site: FaultSite): Promise<Map<string, MachineStatus>> {
  const image = site.file('cloud.qcow2');
  const key = site.file('key.pub');
  await promisify(execFile)('bash', [`${GUEST}/build.sh`, image]);
  await writeFile(key, `${KEY}\n`);
  const machinetype = (context: string) => ({
    // Of equal shares, the next machine is of a type that has none, until the starts are used up.
    target_share: 1,
    machine_model: 'vm-raw',
    root_image: image,
    user_data: `${GUEST}/user_data`,
    user_data_option_word: 'substituted',
    early_syslog: 'yes',
    fizzle_seconds: 0,
    ...GUEST_PROCESSOR,
    context,
  });
  await site.configure(Object.fromEntries(NAMES.map((name) => [name, machinetype(WAYS[name].context)])), {
    root_public_key: key,
    mb_per_processor: 384,
  });
  const daemon = site.start(NAMES.length, { startsLimit: NAMES.length });
  const { machines } = await daemon.until(
    'all machines are over',
    (status) => status.machines.filter(({ phase }) => phase === 'cleared').length === NAMES.length,
    GUESTS_SECONDS,
  );
  return new Map(machines.map((machine) => [machine.machinetype, machine]));
}

/** What a machine left in its joboutputs, held against what it should have been told. */
async function checkGuest(site: FaultSite, way: Way, { id, uuid, hostname }: MachineStatus): Promise<void> {
  const said = async (name: string) => (await site.state(`machines/${id}/joboutputs/${name}`)) ?? `no ${name}`;
  const { found, platform, disks } = WAYS[way];

  // It finds its datasource by itself.
  expect.soft(await said('datasource'), way).toContain(`datasource_list: [ ${found}, None ]`);
  // It knows who it is; this is what `cloud-init query` answers from.
  const { v1, ds } = JSON.parse(await said('instance-data.json'));
  expect.soft(v1, way).toMatchObject({
    platform,
    instance_id: uuid,
    local_hostname: hostname.split('.')[0],
    availability_zone: 'f.example.com',
    public_ssh_keys: [KEY],
  });
  expect.soft(ds.meta_data.meta, way).toMatchObject({
    machinefeatures: 'http://169.254.169.253/machinefeatures',
    jobfeatures: 'http://169.254.169.253/jobfeatures',
    joboutputs: 'http://169.254.169.253/joboutputs',
    machinetype: way,
  });
  expect.soft(await said('authorized_keys'), way).toContain(KEY);

  // user_data to the byte, nothing from a vendor, and every part has run, that which was added included.
  expect.soft(await said('user-data'), way).toBe(await readFile(site.inMachine(id, 'user_data'), 'utf8'));
  expect.soft(await said('vendor-data'), way).toBe('');
  expect.soft(await said('written'), way).toBe(`${uuid} substituted`);
  expect.soft(await said('script'), way).toBe(`${hostname}\n`);
  expect.soft(await said('early-syslog'), way).toBe('*.* @169.254.169.254:514\n');

  if (way === 'http') {
    const [metadata, userData] = JSON.parse(await said('ec2.json'));
    expect.soft(metadata).toMatchObject({
      'ami-id': 'http',
      'instance-id': uuid,
      'local-hostname': hostname,
      placement: { 'availability-zone': 'f.example.com' },
      'public-keys': { vac: [KEY] },
    });
    expect.soft(userData).toBe(await said('user-data'));
  }

  // Disks are where they belong, the context beyond them, and none is left here.
  const wanted = [' root ro=0 ', ' scratch ro=0 scratch', ' swap ro=0 swap', ...disks.map((disk) => ` ${disk}`)];
  expect
    .soft((await said('disks')).trimEnd().split('\n'), way)
    .toEqual(wanted.map((disk, n) => `vd${'abcd'[n]}${disk}`));
  const files = await readdir(site.inMachine(id, '.'));
  expect
    .soft(
      files.filter((name) => /iso|qcow2|img/.test(name)),
      way,
    )
    .toEqual([]);
}

test(
  'whichever way a machine learns who it is and what to do, cloud-init learns the same',
  () =>
    FaultSite.use(async (site) => {
      const machines = await runGuests(site);
      expect([...machines.keys()].sort()).toEqual([...NAMES].sort());
      for (const way of NAMES) {
        const machine = machines.get(way)!;
        const console = (await site.state(`machines/${machine.id}/console.log`)) ?? '';
        expect(machine.end?.message, `${way}: ${console}`).toBe('200 Success');
        await checkGuest(site, way, machine);
      }
    }),
  TEST_MS,
);
