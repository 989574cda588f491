/**
 * Debian's cloud-init, unmodified, in guests that a factory starts: whichever way a machine learns who it is, it learns the
 * same. One machine of each machinetype, all started by one vacd from one image and one user_data.
 */

import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FactoryStatus, MachineStatus } from '../../src/daemon/status.js';
import { FaultSite } from './faults-site.js';

const GUEST = fileURLToPath(new URL('cloud-guest', import.meta.url));
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhvc3Rjb250ZXh0dGVzdGtleW5vdHVzZWRmb3JsaXZl root@factory';

/** Machinetypes by name: the option, what cloud-init's ds-identify makes of it, and the datasource that it then uses. */
const WAYS = {
  http: { context: 'metadata', found: ['OpenStack'], used: 'openstack' },
  drive: { context: 'configdrive', found: ['ConfigDrive'], used: 'openstack' },
  disk: { context: 'nocloud', found: ['NoCloud'], used: 'nocloud' },
  smbios: { context: 'nocloud-smbios', found: ['NoCloud'], used: 'nocloud' },
  // On the chipset of older guests, whose kernel for clouds does have its CD drive.
  several: { context: 'metadata one nocloud configdrive', found: ['ConfigDrive', 'NoCloud'], used: 'openstack' },
} as const;
type Way = keyof typeof WAYS;
const NAMES = Object.keys(WAYS) as Way[];

/** What `cloud-init query --all` tells. */
interface Query {
  readonly userdata: string;
  readonly vendordata: string;
  readonly ds: { readonly meta_data: Readonly<Record<string, unknown>> };
  readonly v1: Readonly<Record<string, unknown>>;
}

const machines = new Map<Way, MachineStatus>();
let site: FaultSite;
let release = () => {};
let used: Promise<void>;

/** What a machine has left in its joboutputs; null where it has not. */
const output = (way: Way, name: string) => site.state(`machines/${machines.get(way)!.id}/joboutputs/${name}`);
const query = async (way: Way) => JSON.parse((await output(way, 'query.json')) ?? '{}') as Query;

beforeAll(async () => {
  const ready = new Promise<void>((resolve, reject) => {
    used = FaultSite.use(async (made) => {
      site = made;
      resolve();
      await new Promise<void>((done) => {
        release = done;
      });
    });
    used.catch(reject);
  });
  await ready;
  const image = site.file('cloud.qcow2');
  const key = site.file('key.pub');
  await promisify(execFile)('bash', [`${GUEST}/build.sh`, image]);
  await writeFile(key, `${KEY}\n`);
  const machinetype = ({ context }: (typeof WAYS)[Way], index: number) => ({
    target_share: 1,
    // Every type starts one machine: the next is one that has none yet, and then the starts are used up.
    max_wallclock_seconds: 86_400 - index,
    machine_model: 'vm-raw',
    root_image: image,
    user_data: `${GUEST}/user_data`,
    user_data_option_word: 'substituted',
    early_syslog: 'yes',
    fizzle_seconds: 0,
    context,
  });
  await site.configure(
    Object.fromEntries(NAMES.map((name, index) => [name, machinetype(WAYS[name], index)])),
    { root_public_key: key, mb_per_processor: 384, max_starting_machines: 2 },
  );
  const daemon = site.start(NAMES.length, { startsLimit: NAMES.length });
  const over = (status: FactoryStatus) => status.machines.filter(({ phase }) => phase === 'cleared');
  const last = await daemon.until('all machines are over', (status) => over(status).length === NAMES.length, 400);
  for (const machine of over(last)) machines.set(machine.machinetype as Way, machine);
  expect([...machines.keys()].sort()).toEqual([...NAMES].sort());
}, 500_000);

afterAll(async () => {
  release();
  await used;
});

describe.each(NAMES)('a machine with the context of %s', (way) => {
  it('works, and says so', async () => {
    expect((await output(way, 'shutdown_message'))?.trim(), await site.state(`machines/${machines.get(way)!.id}/console.log`) ?? '').toBe('200 Success');
  });

  it('finds the datasource by itself', async () => {
    const list = /datasource_list: \[ (.*) \]/.exec((await output(way, 'datasource')) ?? '')?.[1];
    expect(list?.split(', ')).toEqual([...WAYS[way].found, 'None']);
    expect((await query(way)).v1.platform).toBe(WAYS[way].used);
  });

  it('knows who it is', async () => {
    const { uuid, hostname } = machines.get(way)!;
    const { v1, ds } = await query(way);
    expect(v1).toMatchObject({
      instance_id: uuid,
      local_hostname: hostname.split('.')[0],
      availability_zone: 'f.example.com',
      public_ssh_keys: [KEY],
    });
    expect(ds.meta_data.meta).toMatchObject({
      machinefeatures: 'http://169.254.169.253/machinefeatures',
      jobfeatures: 'http://169.254.169.253/jobfeatures',
      joboutputs: 'http://169.254.169.253/joboutputs',
      machinetype: way,
    });
    expect(await output(way, 'authorized_keys')).toContain(KEY);
  });

  it('has its user_data to the byte, and nothing from a vendor', async () => {
    const { userdata, vendordata } = await query(way);
    const given = await readFile(site.inMachine(machines.get(way)!.id, 'user_data'), 'utf8');
    expect(userdata).toBe(given);
    expect(vendordata ?? '').toBe('');
  });

  it('has run every part of it, that which was added included', async () => {
    const { uuid, hostname } = machines.get(way)!;
    expect(await output(way, 'written')).toBe(`${uuid} substituted`);
    expect(await output(way, 'script')).toBe(`${hostname}\n`);
    expect(await output(way, 'early-syslog')).toBe('*.* @169.254.169.254:514\n');
  });

  it('has its disks where they belong, the context beyond them, and nothing of it is left here', async () => {
    const disks = ((await output(way, 'disks')) ?? '').trim().split('\n');
    expect(disks.slice(0, 5).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual(expect.arrayContaining(['vda ', 'vdb scratch', 'vdc swap']));
    console.log(way, disks);
  });
});
