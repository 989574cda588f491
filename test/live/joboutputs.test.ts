/** What a hostile guest can do by NFS to what it is given: fill it, for itself alone, and nothing else. */

import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MachineRecord } from '../../src/factory/types.js';
import { run } from '../../src/host/exec.js';
import { exportedDirectories } from '../../src/host/nfs-exports.js';
import { exportsOf } from '../../src/machines/create.js';
import { StateLayout } from '../../src/machines/layout.js';
import { testRecord } from '../machines/record.js';
import { type Driver, FACTORY_IP, LiveHosts } from './nfs-hosts.js';

const NAMES = ['machinefeatures', 'jobfeatures', 'joboutputs'] as const;
const GUEST_IPS = ['169.254.169.1', '169.254.169.2'];
/** Of each file that fills. */
const PIECE_BYTES = 2 ** 18;

let hosts: LiveHosts;
let nfs: Driver;
let directories: Driver;
let layout: StateLayout;

beforeAll(async () => {
  hosts = await LiveHosts.create(GUEST_IPS);
  layout = new StateLayout(hosts.stateDir);
  await mkdir(layout.tmp());
  [nfs, directories] = await Promise.all([hosts.startDriver('nfs'), hosts.startDriver('directories')]);
  await nfs.call('ensureRunning');
  expect(await directories.call('begin')).toEqual([]);
});

afterAll(() => hosts?.destroy());

let made = 0;

async function makeMachine(guest: number): Promise<MachineRecord> {
  const number = made++;
  const record = testRecord({
    id: `${1_700_000_000 + number}_prod_factory1-03.example.com`,
    uuid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    ip: GUEST_IPS[guest]!,
    joboutputsMib: 4,
    joboutputsFiles: 64,
  });
  await mkdir(layout.machine(record.id), { recursive: true });
  await directories.call('make', record);
  await hosts.factory('sh', '-c', `printf 4 > ${layout.inMachine(record.id, 'machinefeatures/total_cpu')}`);
  await nfs.call('add', exportsOf(layout, record));
  return record;
}

async function endMachine(record: MachineRecord): Promise<void> {
  await nfs.call('remove', record.id);
  await directories.call('keep', record);
}

const url = (record: MachineRecord, path: string, version: number) =>
  `nfs://${FACTORY_IP}${layout.inMachine(record.id, path)}?version=${version}`;

async function writes(
  guest: number,
  record: MachineRecord,
  path: string,
  bytes: number,
  version = 3,
): Promise<boolean> {
  const file = join(hosts.stateDir, `to-send-${guest}`);
  await writeFile(file, Buffer.alloc(bytes, 0x61));
  return (await hosts.asGuest(guest, 'nfs-cp', file, url(record, path, version))).exitCode === 0;
}

/** A program that speaks NFS by hand, as a guest of one of the factories. */
function wire(guest: number, action: string, server: string, handle: string, name = '', of = hosts) {
  const script = fileURLToPath(new URL('./nfs-wire.ts', import.meta.url));
  return of.asGuest(
    guest,
    process.execPath,
    '--import',
    import.meta.resolve('tsx'),
    script,
    action,
    server,
    handle,
    name,
  );
}

/** What the factory's files take on the disk, images of file systems included; others write to that disk as well. */
async function usedBytes(): Promise<number> {
  return Number.parseInt((await run('du', ['--block-size=1', '--summarize', hosts.stateDir])).stdout, 10);
}

test('a guest fills its joboutputs with bytes, and nobody else’s', async () => {
  const [hostile, innocent] = [await makeMachine(0), await makeMachine(1)];
  const before = await usedBytes();
  let written = 0;
  while (written < 60 && (await writes(0, hostile, `joboutputs/${written}`, PIECE_BYTES))) written += 1;
  expect(written).toBeGreaterThanOrEqual(16);
  expect(written).toBeLessThan(40);
  expect(await writes(1, innocent, 'joboutputs/heartbeat', 5)).toBe(true);
  // A file of a feature is vacd's, and is still written.
  await hosts.factory('sh', '-c', `printf 9 > ${layout.inMachine(hostile.id, 'machinefeatures/shutdowntime')}`);
  expect((await usedBytes()) - before).toBeLessThan(80 * PIECE_BYTES);
  await endMachine(hostile);
  expect((await stat(layout.inMachine(hostile.id, 'joboutputs/0'))).size).toBe(PIECE_BYTES);
  await endMachine(innocent);
  expect(await readFile(layout.inMachine(innocent.id, 'joboutputs/heartbeat'), 'utf8')).toBe('aaaaa');
}, 300_000);

test('a guest fills its joboutputs with files, and has no longer names than others', async () => {
  const hostile = await makeMachine(0);
  expect(await writes(0, hostile, `joboutputs/${'n'.repeat(255)}`, 1)).toBe(true);
  expect(await writes(0, hostile, `joboutputs/${'n'.repeat(256)}`, 1)).toBe(false);
  let written = 0;
  // libnfs writes no more than some bytes at once by version 4.
  while (written < 200 && (await writes(0, hostile, `joboutputs/${written}`, 1, 4))) written += 1;
  expect(written).toBeGreaterThanOrEqual(63);
  expect(written).toBeLessThan(100);
  await endMachine(hostile);
  // Each of them is kept.
  for (const name of ['0', `${written - 1}`]) await stat(layout.inMachine(hostile.id, `joboutputs/${name}`));
}, 300_000);

test('a guest that may write no more still reads, by the handles that it had', async () => {
  const machine = await makeMachine(0);
  const handle = await wire(0, 'mount', FACTORY_IP, layout.inMachine(machine.id, 'machinefeatures'));
  expect(await writes(0, machine, 'joboutputs/log', 5)).toBe(true);
  await nfs.call('add', { ...exportsOf(layout, machine), joboutputsReadOnly: true });
  expect(await writes(0, machine, 'joboutputs/more', 5)).toBe(false);
  expect(await hosts.asGuest(0, 'nfs-cat', url(machine, 'joboutputs/log', 4))).toMatchObject({ stdout: 'aaaaa' });
  expect(await wire(0, 'read', FACTORY_IP, handle.stdout, 'total_cpu')).toMatchObject({ stdout: '4' });
  await endMachine(machine);
});

/** Handles of nfs-ganesha hold the export's id in bytes 2 and 3, and for ext4 end in inode, generation and one byte. */
const withExportOf = (handle: string, of: string) => handle.slice(0, 4) + of.slice(4, 8) + handle.slice(8);
const ofRoot = (handle: string) => `${handle.slice(0, -18)}020000000000000000`;
const STALE = 'refused 70';
const FORBIDDEN = 'refused 13';

test('a forged handle reaches the host’s file system where a plain directory of it is exported, and else nothing', async () => {
  const mount = async (on: LiveHosts, directory: string, name: string) =>
    (await wire(0, 'mount', FACTORY_IP, `${directory}/${name}`, '', on)).stdout;
  const own = await makeMachine(0);
  // Another factory, whose server has such exports.
  const old = await LiveHosts.create(GUEST_IPS);
  try {
    const server = await old.startDriver('nfs');
    await server.call('ensureRunning');
    const plain = exportsOf(new StateLayout(old.stateDir), own);
    for (const { path } of exportedDirectories(plain)) await mkdir(path, { recursive: true });
    await server.call('add', plain);
    const forged = ofRoot(await mount(old, plain.directory, 'machinefeatures'));
    // /etc was found, and is no file. Elsewhere the state directory may lie on another file system than /.
    const answer = await wire(0, 'read', FACTORY_IP, forged, 'etc', old);
    if ((await stat(old.stateDir)).dev === (await stat('/')).dev) expect(answer.stdout).toMatch(/^refused (21|22)$/);

    for (const name of NAMES) {
      const given = await mount(hosts, layout.machine(own.id), name);
      expect((await wire(0, 'read', FACTORY_IP, withExportOf(forged, given), 'etc')).stdout, name).toBe(STALE);
      // It goes up one step, and no further; the root of its own file system it may forge, but not look into.
      expect((await wire(0, 'read', FACTORY_IP, given, '..')).stdout).toMatch(/^refused/);
      if (name !== 'joboutputs') continue;
      for (const entry of ['joboutputs', '..']) {
        expect((await wire(0, 'read', FACTORY_IP, ofRoot(given), entry)).stdout).toBe(FORBIDDEN);
      }
      expect((await wire(0, 'read', FACTORY_IP, withExportOf(forged, given), 'etc')).stdout).toBe(STALE);
    }
  } finally {
    await old.destroy();
  }
  await endMachine(own);
}, 300_000);
