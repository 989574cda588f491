/**
 * Debian's cloud-init, unmodified, in guests that a factory starts: whichever way a machine learns who it is, it learns the
 * same. One machine of each machinetype, all started by one vacd from one image and one user_data.
 */

import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FactoryStatus, MachineStatus } from '../../src/daemon/status.js';
import { FaultSite } from './faults-site.js';

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
  const machinetype = ({ context }: (typeof WAYS)[Way]) => ({
    // Of equal shares, the next machine is of a type that has none, until the starts are used up.
    target_share: 1,
    machine_model: 'vm-raw',
    root_image: image,
    user_data: `${GUEST}/user_data`,
    user_data_option_word: 'substituted',
    early_syslog: 'yes',
    fizzle_seconds: 0,
    context,
  });
  await site.configure(Object.fromEntries(NAMES.map((name) => [name, machinetype(WAYS[name])])), {
    root_public_key: key,
    mb_per_processor: 384,
    max_starting_machines: 2,
  });
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
    expect(
      (await output(way, 'shutdown_message'))?.trim(),
      (await site.state(`machines/${machines.get(way)!.id}/console.log`)) ?? '',
    ).toBe('200 Success');
  });

  it('finds the datasource by itself', async () => {
    const list = /datasource_list: \[ (.*) \]/.exec((await output(way, 'datasource')) ?? '')?.[1];
    expect(list).toBe(`${WAYS[way].found}, None`);
    expect((await query(way)).v1.platform).toBe(WAYS[way].platform);
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

  it('has its disks where they belong, the context beyond them, and none is left here', async () => {
    const disks = [
      ' root ro=0 ',
      ' scratch ro=0 scratch',
      ' swap ro=0 swap',
      ...WAYS[way].disks.map((disk) => ` ${disk}`),
    ];
    const seen = ((await output(way, 'disks')) ?? '').trimEnd().split('\n');
    expect(seen).toEqual(disks.map((disk, index) => `vd${'abcd'[index]}${disk}`));
    const files = await readdir(site.inMachine(machines.get(way)!.id, '.'));
    expect(files.filter((name) => /iso|qcow2|img/.test(name))).toEqual([]);
  });
});
