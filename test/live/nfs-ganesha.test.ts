import { chmod, chown, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../src/host/exec.js';
import { waitUntil } from '../../src/host/helper-daemon.js';
import type { MachineExports } from '../../src/host/nfs.js';
import { EXPORTED_DIRECTORIES } from '../../src/host/nfs-exports.js';
import { type Driver, FACTORY_IP, LiveHosts } from './nfs-hosts.js';

const GUEST_IPS = ['169.254.169.1', '169.254.169.2'];
const NOBODY = 65534;

let hosts: LiveHosts;
let vacd: Driver;

beforeAll(async () => {
  hosts = await LiveHosts.create(GUEST_IPS);
  vacd = await hosts.startDriver('nfs');
  await vacd.call('ensureRunning');
});

afterAll(async () => {
  await hosts?.destroy();
});

let made = 0;

/** A machine's directory as vacd makes it, for the guest of that number. */
async function makeMachine(guest: number): Promise<MachineExports> {
  const number = made++;
  const hostname = `factory1-${String(number).padStart(2, '0')}.example.com`;
  const machineId = `${1700000000 + number}_prod_${hostname}`;
  const directory = join(hosts.stateDir, 'machines', machineId);
  for (const { name, place } of EXPORTED_DIRECTORIES) {
    await mkdir(join(directory, place), { recursive: true });
    await symlink(place, join(directory, name));
  }
  await chmod(join(directory, 'joboutputs'), 0o750);
  await chown(join(directory, 'joboutputs'), NOBODY, NOBODY);
  await writeFile(join(directory, 'machinefeatures', 'total_cpu'), `${number + 4}`);
  const uuid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  return { machineId, uuid, hostname, machinetype: 'prod', clientIp: GUEST_IPS[guest]!, directory };
}

const oldPath = ({ hostname, machinetype, uuid }: MachineExports) =>
  `/var/lib/vac/machines/${hostname}/${machinetype}/${uuid}/shared`;

async function guestReads(guest: number, path: string, version: 3 | 4): Promise<string | null> {
  const result = await hosts.asGuest(guest, 'nfs-cat', `nfs://${FACTORY_IP}${path}?version=${version}`);
  return result.exitCode === 0 ? result.stdout : null;
}

async function guestWrites(guest: number, path: string, version: 3 | 4, content: string): Promise<boolean> {
  const file = join(hosts.stateDir, 'to-send');
  await writeFile(file, content);
  return (await hosts.asGuest(guest, 'nfs-cp', file, `nfs://${FACTORY_IP}${path}?version=${version}`)).exitCode === 0;
}

describe.each([3, 4] as const)('by NFS version %i', (version) => {
  let machine: MachineExports;

  beforeAll(async () => {
    machine = await makeMachine(0);
    await vacd.call('add', machine);
  });

  test('the machine reads its features under the real path and under that of the 2015 images', async () => {
    const expected = await readFile(join(machine.directory, 'machinefeatures', 'total_cpu'), 'utf8');
    expect(await guestReads(0, `${machine.directory}/machinefeatures/total_cpu`, version)).toBe(expected);
    expect(await guestReads(0, `${oldPath(machine)}/machinefeatures/total_cpu`, version)).toBe(expected);
  });

  test('another address reads nothing of it', async () => {
    expect(await guestReads(1, `${machine.directory}/machinefeatures/total_cpu`, version)).toBeNull();
    expect(await guestReads(1, `${oldPath(machine)}/machinefeatures/total_cpu`, version)).toBeNull();
    expect(await guestWrites(1, `${machine.directory}/joboutputs/intruder`, version, 'x')).toBe(false);
  });

  test('only outputs can be written, and what is written belongs to the unprivileged user', async () => {
    expect(await guestWrites(0, `${machine.directory}/joboutputs/heartbeat`, version, 'alive')).toBe(true);
    const file = join(machine.directory, 'joboutputs', 'heartbeat');
    expect(await readFile(file, 'utf8')).toBe('alive');
    expect(await stat(file)).toMatchObject({ uid: NOBODY, gid: NOBODY });
    expect(await guestWrites(0, `${oldPath(machine)}/machineoutputs/shutdown_message`, version, '200 Done')).toBe(true);
    expect(await readFile(join(machine.directory, 'joboutputs', 'shutdown_message'), 'utf8')).toBe('200 Done');
    expect(await guestWrites(0, `${machine.directory}/jobfeatures/x`, version, 'x')).toBe(false);
    expect(await guestWrites(0, `${machine.directory}/machinefeatures/total_cpu`, version, '64')).toBe(false);
  });

  test('a file that vacd replaces is seen as it is now', async () => {
    const file = join(machine.directory, 'jobfeatures', 'shutdowntime_job');
    for (const value of ['2000000000', '1900000000', '1800000000']) {
      await writeFile(`${file}.new`, value);
      await rename(`${file}.new`, file);
      expect(await guestReads(0, `${machine.directory}/jobfeatures/shutdowntime_job`, version)).toBe(value);
    }
  });
});

test('add and remove are idempotent, remove is fine without the directory, and the server says what there is', async () => {
  const machine = await makeMachine(1);
  await vacd.call('add', machine);
  await vacd.call('add', machine);
  expect(await vacd.call<string[]>('list')).toContain(machine.machineId);
  await rm(machine.directory, { recursive: true });
  await vacd.call('remove', machine.machineId);
  await vacd.call('remove', machine.machineId);
  expect(await vacd.call<string[]>('list')).not.toContain(machine.machineId);
});

test('a directory that is not there is refused by name, and leaves nothing behind', async () => {
  const machine = await makeMachine(0);
  await rm(machine.directory, { recursive: true });
  await expect(vacd.call('add', machine)).rejects.toMatchObject({
    code: 'nfs-refused',
    message: expect.stringContaining(machine.machineId),
  });
  await mkdir(join(machine.directory, 'shared/private/machinefeatures'), { recursive: true });
  await vacd.call('ensureRunning');
  expect(await vacd.call<string[]>('list')).not.toContain(machine.machineId);
});

test('the exports of one machine come and go in milliseconds, while another goes on reading', async () => {
  const reader = await makeMachine(0);
  await vacd.call('add', reader);
  const [ganesha] = await hosts.pidsOf('ganesha.nfsd');
  const added: number[] = [];
  const removed: number[] = [];
  for (let round = 0; round < 5; round++) {
    const machine = await makeMachine(1);
    added.push(await vacd.timed('add', machine));
    expect(await guestReads(0, `${reader.directory}/machinefeatures/total_cpu`, 4)).not.toBeNull();
    removed.push(await vacd.timed('remove', machine.machineId));
  }
  expect(await hosts.pidsOf('ganesha.nfsd')).toEqual([ganesha]);
  // The host may hold up any of them; each did so little that one at least went through at once.
  for (const times of [added, removed]) {
    expect(Math.min(...times), `milliseconds: ${added.map(Math.round)}, ${removed.map(Math.round)}`).toBeLessThan(1000);
  }
});

test('vacd killed and started anew finds server and exports, and starts no second server', async () => {
  const machine = await makeMachine(0);
  await vacd.call('add', machine);
  const before = await hosts.pidsOf('ganesha.nfsd');
  await vacd.kill();
  vacd = await hosts.startDriver('nfs');
  expect(await vacd.call<string[]>('list')).toContain(machine.machineId);
  await vacd.call('ensureRunning');
  expect(await hosts.pidsOf('ganesha.nfsd')).toEqual(before);
  await rm(join(hosts.stateDir, 'nfs', 'vac-nfs-ganesha.pid'));
  await vacd.call('ensureRunning');
  expect(await hosts.pidsOf('ganesha.nfsd')).toEqual(before);
  await vacd.call('remove', machine.machineId);
  expect(await vacd.call<string[]>('list')).not.toContain(machine.machineId);
});

test.each([
  'ganesha.nfsd',
  'dbus-daemon',
  'rpcbind',
])('%s killed: all exports are back under their ids', async (program) => {
  const machine = await makeMachine(0);
  await vacd.call('add', machine);
  const gone = await makeMachine(0);
  await vacd.call('add', gone);
  await rm(gone.directory, { recursive: true });
  const idsBefore = await shownIds();
  const [victim] = await hosts.pidsOf(program);
  process.kill(victim!, 'SIGKILL');
  await waitUntil(async () => !(await hosts.pidsOf(program)).includes(victim!), 60);
  await vacd.call('ensureRunning');
  expect(await hosts.pidsOf('ganesha.nfsd')).toHaveLength(1);
  expect(await vacd.call<string[]>('list')).toContain(machine.machineId);
  expect((await shownIds()).get(`${machine.directory}/machinefeatures`)).toBe(
    idsBefore.get(`${machine.directory}/machinefeatures`),
  );
  expect(await guestReads(0, `${machine.directory}/machinefeatures/total_cpu`, 3)).not.toBeNull();
});

test('a mount of before the restart of ganesha goes on: the old file handles are good', async () => {
  const machine = await makeMachine(0);
  await vacd.call('add', machine);
  const handle = await wire(0, 'mount', FACTORY_IP, `${machine.directory}/machinefeatures`);
  expect(handle.exitCode).toBe(0);
  const [ganesha] = await hosts.pidsOf('ganesha.nfsd');
  process.kill(ganesha!, 'SIGKILL');
  await waitUntil(async () => !(await hosts.pidsOf('ganesha.nfsd')).includes(ganesha!), 60);
  await vacd.call('ensureRunning');
  const read = await wire(0, 'read', FACTORY_IP, handle.stdout, 'total_cpu');
  expect(read.stdout).toBe(await readFile(join(machine.directory, 'machinefeatures', 'total_cpu'), 'utf8'));
});

test("a guest with another's file handle gets nothing, and none at all once the export is removed", async () => {
  const machine = await makeMachine(0);
  await vacd.call('add', machine);
  const handle = await wire(0, 'mount', FACTORY_IP, `${machine.directory}/machinefeatures`);
  expect(await wire(1, 'read', FACTORY_IP, handle.stdout, 'total_cpu')).toMatchObject({ exitCode: 2 });
  expect(await wire(0, 'read', FACTORY_IP, handle.stdout, 'total_cpu')).toMatchObject({ exitCode: 0 });
  await vacd.call('remove', machine.machineId);
  expect(await wire(0, 'read', FACTORY_IP, handle.stdout, 'total_cpu')).toMatchObject({ exitCode: 2 });
});

/** A program that speaks NFS by hand, as guest number `guest`. */
function wire(guest: number, ...args: string[]) {
  const script = fileURLToPath(new URL('./nfs-wire.ts', import.meta.url));
  return hosts.asGuest(guest, process.execPath, '--import', import.meta.resolve('tsx'), script, ...args);
}

async function shownIds(): Promise<Map<string, number>> {
  const text = (
    await hosts.factory(
      'dbus-send',
      `--bus=unix:path=${hosts.stateDir}/nfs/bus`,
      '--print-reply',
      '--dest=org.ganesha.nfsd',
      '/org/ganesha/nfsd/ExportMgr',
      'org.ganesha.nfsd.exportmgr.ShowExports',
    )
  ).stdout;
  return new Map([...text.matchAll(/uint16 (\d+)\s+string "([^"]*)"/g)].map((match) => [match[2]!, Number(match[1])]));
}

test('a server that is gone is noticed', async () => {
  await vacd.call('stop');
  await expect(vacd.call('list')).rejects.toMatchObject({ code: 'nfs-unavailable' });
  const machine = await makeMachine(0);
  await expect(vacd.call('add', machine)).rejects.toMatchObject({ code: 'nfs-unavailable' });
  await vacd.call('ensureRunning');
  await vacd.call('add', machine);
  expect(await vacd.call<string[]>('list')).toContain(machine.machineId);
});

test('an address that the host does not have is named', async () => {
  const other = await hosts.startDriver('nfs', { address: '169.254.169.250' });
  await expect(other.call('ensureRunning')).rejects.toMatchObject({
    code: 'nfs-unavailable',
    message: expect.stringContaining('169.254.169.250'),
  });
  await other.kill();
});

test('without rpcbind version 4 serves alone, and says so', async () => {
  const programs = await mkdtemp(join(tmpdir(), 'vt-path-'));
  const bare = await LiveHosts.create(GUEST_IPS);
  try {
    for (const program of ['ganesha.nfsd', 'dbus-daemon', 'dbus-send']) {
      await symlink((await run('sh', ['-c', `command -v ${program}`])).stdout.trim(), join(programs, program));
    }
    const driver = await bare.startDriver('nfs', { path: programs });
    await driver.call('ensureRunning');
    const machine = await makeMachine(0);
    await driver.call('add', machine);
    const url = `nfs://${FACTORY_IP}${machine.directory}/machinefeatures/total_cpu`;
    expect(await bare.asGuest(0, 'nfs-cat', `${url}?version=4`)).toMatchObject({ exitCode: 0 });
    expect(await driver.call<string[]>('warnings')).toContainEqual(expect.stringContaining('rpcbind is not installed'));
  } finally {
    await bare.destroy();
    await rm(programs, { recursive: true });
  }
});

test('a torn export file does not keep the others from being exported', async () => {
  const machine = await makeMachine(0);
  await vacd.call('add', machine);
  const torn = join(hosts.stateDir, 'nfs', 'exports', '1700000999_prod_torn.example.com.conf');
  await writeFile(torn, 'EXPORT { Export_Id = 999; Pa');
  await vacd.call('stop');
  await vacd.call('ensureRunning');
  expect(await vacd.call<string[]>('list')).toContain(machine.machineId);
  expect(await vacd.call<string[]>('warnings')).toContainEqual(expect.stringContaining(torn));
  const { stdout } = await hosts.factory('ss', '-Htln');
  expect(stdout).toContain(`${FACTORY_IP}]:2049`);
});
