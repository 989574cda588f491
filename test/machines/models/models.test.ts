import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { MachinetypeConfig } from '../../../src/config/types.js';
import { Lvm } from '../../../src/host/lvm.js';
import type { StateLayout } from '../../../src/machines/layout.js';
import { MODELS } from '../../../src/machines/models/index.js';
import type { ModelContext } from '../../../src/machines/models/model.js';
import { MachineVolumes } from '../../../src/machines/volumes.js';
import { makeStateDirectory, writeRawImage } from '../../daemon/test-factory.js';
import { machinetype } from '../../factory/builders.js';
import { testRecord } from '../record.js';

const MIB = 2 ** 20;

let layout: StateLayout;
let image: string;

beforeEach(async () => {
  layout = await makeStateDirectory();
  await mkdir(layout.machine(testRecord().id));
  image = join(layout.root, 'image');
});

afterEach(() => rm(layout.root, { recursive: true }));

function context(changes: Partial<ModelContext> = {}, type: Partial<MachinetypeConfig> = {}): ModelContext {
  return {
    layout,
    record: testRecord(),
    type: machinetype('prod', type),
    scratchBytes: 64 * MIB,
    swapBytes: MIB,
    volumeGroup: null,
    volumes: new MachineVolumes(new Lvm({ activate: false })),
    ...changes,
  };
}

/** Disks as `device format name`; CDs with their kind. */
function plan(name: string, of: ModelContext): string[] {
  return MODELS.get(name)!
    .disks(of, image)
    .map(
      ({ device, format, path, kind }) =>
        `${device} ${format} ${path.replace(/.*\/machines\/[^/]*\//, '')}${kind === undefined ? '' : ` ${kind}`}`,
    );
}

function virtualBytes(name: string): number {
  const path = layout.inMachine(testRecord().id, name);
  const text = execFileSync('qemu-img', ['info', '--output=json', path], { encoding: 'utf8' });
  return (JSON.parse(text) as Record<string, number>)['virtual-size']!;
}

async function makeIso(): Promise<void> {
  const tree = join(layout.root, 'tree');
  await mkdir(tree);
  await writeFile(join(tree, 'boot.bin'), Buffer.alloc(2048));
  execFileSync('genisoimage', ['-quiet', '-b', 'boot.bin', '-no-emul-boot', '-o', image, tree]);
}

describe.each(['vm-raw', 'cloud'])('%s', (model) => {
  test('has a root disk on its image, scratch where the machinetype says, and swap', () => {
    expect(plan(model, context({}, { rootDevice: 'vdc', scratchDevice: 'vda', swapDevice: 'vdb' }))).toEqual([
      'vdc qcow2 root.qcow2',
      'vda raw scratch.img',
      'vdb raw swap.img',
    ]);
  });

  test('has its scratch disk in the volume group, where there is one', () => {
    const volumeGroup = { name: 'vg0/thin', sizeBytes: 1e12, freeBytes: 1e12 };
    expect(plan(model, context({ volumeGroup }))[1]).toBe(`vdb qcow2 /dev/vg0/vac-${testRecord().uuid}`);
  });

  test('has a root disk of the size that is asked for, and none smaller than its image', async () => {
    await writeRawImage(image);
    await MODELS.get(model)!.makeDisks(context({}, { rootDiskGb: 0.512 }), image);
    expect(virtualBytes('root.qcow2')).toBe(512e6);
    const small = MODELS.get(model)!.makeDisks(context({}, { rootDiskGb: 0.001 }), image);
    await expect(small).rejects.toThrow(
      'has 1048576 bytes and does not fit on a root disk of 1000000; raise root_disk_gb',
    );
  });
});

test('vm-raw has a root disk of its image’s size, cloud one with room to grow, both thin', async () => {
  await writeRawImage(image);
  await MODELS.get('vm-raw')!.makeDisks(context(), image);
  expect(virtualBytes('root.qcow2')).toBe(MIB);
  await MODELS.get('cloud')!.makeDisks(context(), image);
  expect(virtualBytes('root.qcow2')).toBe(20e9);
  expect((await stat(layout.inMachine(testRecord().id, 'root.qcow2'))).blocks * 512).toBeLessThan(MIB);
});

describe.each(['cernvm3', 'cernvm4'])('%s', (model) => {
  test('boots its ISO as a CD, with one empty disk as its root device, and swap', async () => {
    await makeIso();
    const of = context({}, { machineType: 'pc', rootDevice: 'vda' });
    expect(plan(model, of)).toEqual([`hdc raw ${image} cdrom`, 'vda raw scratch.img', 'vdc raw swap.img']);
    await MODELS.get(model)!.makeDisks(of, image);
    const directory = layout.machine(testRecord().id);
    expect((await readdir(directory)).sort()).toEqual(['scratch.img', 'swap.img']);
    expect(await stat(join(directory, 'scratch.img'))).toMatchObject({ size: 64 * MIB, blocks: 0 });
  });

  test('has its CD where none of its disks is', () => {
    const devices = (type: Partial<MachinetypeConfig>) =>
      plan(model, context({}, type)).map((disk) => disk.split(' ')[0]);
    expect(devices({ machineType: 'pc', diskBus: 'ide', rootDevice: 'hda', swapDevice: 'hdc' })).toEqual([
      'hdd',
      'hda',
      'hdc',
    ]);
    expect(devices({ machineType: 'q35', diskBus: 'sata', rootDevice: 'sda', swapDevice: 'sdc' })).toEqual([
      'sdd',
      'sda',
      'sdc',
    ]);
  });

  test('refuses a disk image', async () => {
    await writeRawImage(image);
    await expect(MODELS.get(model)!.makeDisks(context(), image)).rejects.toThrow('is no ISO image');
  });
});
