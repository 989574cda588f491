import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createScratch, createScratchOn, volumeBytesFor } from '../../src/host/disks.js';
import { Lvm, type Volume, type VolumeGroup, volumePath } from '../../src/host/lvm.js';
import { MachineVolumes, machineVolume } from '../../src/machines/volumes.js';

const MIB = 2 ** 20;
const GROUP = `vac_test_${process.pid}`;

let directory: string;
let loop: string;

function sh(command: string, ...args: string[]): string {
  const env = { ...process.env, LC_ALL: 'C', LVM_SUPPRESS_FD_WARNINGS: '1' };
  return execFileSync(command, args, { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

/** A block device of a sparse file. */
async function loopDevice(name: string, bytes: number): Promise<string> {
  const path = join(directory, name);
  const file = await open(path, 'w');
  await file.truncate(bytes);
  await file.close();
  return sh('losetup', '--find', '--show', path);
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-lvm-'));
  loop = await loopDevice('disk', 256 * MIB);
});

afterAll(async () => {
  sh('losetup', '--detach', loop);
  await rm(directory, { recursive: true });
});

/** Those of the group that carry the tag of machines' volumes. */
function machineVolumes(): Volume[] {
  const names = sh('lvs', '--driverloaded', 'n', '--noheadings', '-o', 'lv_name', '-S', 'lv_tags=vac_machine', GROUP);
  return names.split(/\s+/).flatMap((name) => (name === '' ? [] : [{ group: GROUP, name }]));
}

/** Real lvm2 on a real volume group. No volume is activated: hosts for tests have no device mapper. */
describe('in a volume group', () => {
  const lvm = new Lvm({ activate: false });

  beforeAll(() => {
    sh('vgcreate', GROUP, loop);
  });

  afterAll(() => {
    sh('vgremove', '--force', GROUP);
    sh('pvremove', loop);
  });

  afterEach(async () => {
    for (const volume of machineVolumes()) await lvm.remove(volume);
  });

  const group = async (): Promise<VolumeGroup> => (await lvm.find(GROUP))!;

  test('its size and what is free of it are known', async () => {
    const { sizeBytes, freeBytes } = await group();
    expect(sizeBytes).toBeGreaterThan(240 * MIB);
    expect(freeBytes).toBe(sizeBytes);
  });

  test('a volume is made, found by its tag, and removed; a second removal does nothing', async () => {
    sh('lvcreate', '--driverloaded', 'n', '-an', '-Wn', '-Zn', '-n', 'of-somebody-else', '-L', '4M', GROUP);
    const volume = await lvm.create(await group(), 'vac-1', 10 * MIB);
    expect(volumePath(volume)).toBe(`/dev/${GROUP}/vac-1`);
    expect(machineVolumes()).toEqual([volume]);
    await lvm.remove(volume);
    await lvm.remove(volume);
    expect(machineVolumes()).toEqual([]);
    expect(sh('lvs', '--noheadings', '-o', 'lv_name', GROUP)).toBe('of-somebody-else');
  });

  test('a full group says so, with what is free, and what to do', async () => {
    await lvm.create(await group(), 'vac-1', 230 * MIB);
    const refused = lvm.create(await group(), 'vac-2', 100 * MIB);
    await expect(refused).rejects.toMatchObject({ code: 'volume-group-full' });
    await expect(refused).rejects.toThrow(/has no room for 0\.1 GB \(0\.0 GB are free\); lower disk_gb_per_processor/);
    expect(machineVolumes()).toHaveLength(1);
  });

  test('a machine’s volume is written down before it is made, and removed with what is written', async () => {
    const machine = await mkdtemp(join(directory, 'machine-'));
    const volumes = new MachineVolumes(lvm);
    await volumes.create(machine, await group(), { group: GROUP, name: 'vac-3' }, 8 * MIB);
    // As after a crash: made anew, and not refused because it is there.
    await volumes.create(machine, await group(), { group: GROUP, name: 'vac-3' }, 12 * MIB);
    expect(machineVolumes()).toHaveLength(1);
    await volumes.removeAllOf(machine);
    await volumes.removeAllOf(machine);
    expect(machineVolumes()).toEqual([]);
  });

  test('the volume of a machine whose directory is gone is removed', async () => {
    const volumes = new MachineVolumes(lvm);
    await lvm.create(await group(), machineVolume(await group(), 'a-uuid').name, 8 * MIB);
    await volumes.removeStray(GROUP, 'another-uuid');
    expect(machineVolumes()).toHaveLength(1);
    await volumes.removeStray(GROUP, 'a-uuid');
    await volumes.removeStray('vac_nowhere', 'a-uuid');
    expect(machineVolumes()).toEqual([]);
  });

  test('the group is looked for by its configured name, which must be right', async () => {
    const volumes = new MachineVolumes(lvm);
    expect(await volumes.groupFor(GROUP)).toEqual(await group());
    await expect(volumes.groupFor('vac_nowhere')).rejects.toThrow('volume_group = vac_nowhere: this host has no such');
    await expect(volumes.groupFor(`${GROUP}/no-pool`)).rejects.toMatchObject({ code: 'volume-group-missing' });
    expect(await volumes.groupFor(null)).toBeNull();
  });
});

test('lvm2 that fails stops nobody who did not ask for a volume group', async () => {
  const lvm = new Lvm();
  lvm.find = () => Promise.reject(new Error('vgs did not end within 60 s'));
  expect(await new MachineVolumes(lvm).groupFor(null)).toBeNull();
  await expect(new MachineVolumes(lvm).groupFor('vg0')).rejects.toThrow('vgs did not end');
});

test('a scratch disk put on a device has its file system, and nothing of what was there before', async () => {
  const bytes = 64 * MIB;
  const device = await loopDevice('volume', await volumeBytesFor(bytes));
  try {
    const raw = await open(device, 'w');
    await raw.write(Buffer.alloc(8 * MIB, 'secret '), 0, 8 * MIB, 20 * MIB);
    await raw.close();
    const file = join(directory, 'scratch.img');
    await createScratch(file, bytes);
    await createScratchOn(device, file);
    const seen = join(directory, 'seen.img');
    sh('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', device, seen);
    expect(sh('blkid', '-p', '-o', 'value', '-s', 'LABEL', seen)).toBe('scratch');
    expect(Number(sh('stat', '-c', '%s', seen))).toBe(bytes);
    expect(() => sh('grep', '-q', 'secret', seen)).toThrow();
    expect(() => sh('stat', file)).toThrow();
  } finally {
    sh('losetup', '--detach', device);
  }
});
