import { execFileSync } from 'node:child_process';
import { mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createOverlay, createScratch, createSwap, removeDisks } from '../../src/host/disks.js';
import { inspectImage } from '../../src/host/image-format.js';

const MIB = 2 ** 20;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-disks-'));
});

afterEach(() => rm(directory, { recursive: true }));

function at(name: string): string {
  return join(directory, name);
}

function qemuImg(...args: string[]): string {
  return execFileSync('qemu-img', args, { encoding: 'utf8' });
}

/** A raw disk that begins with a boot sector and says `pattern` in its second MiB. */
async function rawDisk(name: string, pattern = ''): Promise<string> {
  const file = await open(at(name), 'w');
  try {
    await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510);
    await file.write(pattern, MIB);
    await file.truncate(3 * MIB);
  } finally {
    await file.close();
  }
  return at(name);
}

/** What is found on a disk, by blkid's own look. */
function contents(path: string): Record<string, string> {
  const lines = execFileSync('blkid', ['-p', '-o', 'export', path], { encoding: 'utf8' }).trim().split('\n');
  return Object.fromEntries(lines.map((line) => line.split('=') as [string, string]));
}

async function allocatedBytes(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

describe('an overlay', () => {
  test.each(['raw', 'qcow2'] as const)('is a disk of its own on a %s image, which stays as it is', async (format) => {
    const raw = await rawDisk('image', 'from the image');
    const image = format === 'raw' ? raw : at('image.qcow2');
    if (format === 'qcow2') qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, image);
    const before = await readFile(image);
    await createOverlay(at('root.qcow2'), image, await inspectImage(image));
    const info = JSON.parse(qemuImg('info', '--output=json', at('root.qcow2'))) as Record<string, unknown>;
    expect(info).toMatchObject({
      format: 'qcow2',
      'virtual-size': 3 * MIB,
      'backing-filename': image,
      'backing-filename-format': format,
    });
    execFileSync('qemu-io', ['-c', `write -P 65 ${MIB} 512`, at('root.qcow2')]);
    qemuImg('convert', '-O', 'raw', at('root.qcow2'), at('seen.raw'));
    expect((await readFile(at('seen.raw'))).subarray(MIB, MIB + 14).toString()).toBe('A'.repeat(14));
    expect((await readFile(image)).equals(before)).toBe(true);
  });

  test('takes next to nothing, and made again it is new', async () => {
    const image = await rawDisk('image');
    const make = async () => createOverlay(at('root.qcow2'), image, await inspectImage(image));
    await make();
    execFileSync('qemu-io', ['-c', 'write -P 65 0 1M', at('root.qcow2')]);
    await make();
    expect(await allocatedBytes(at('root.qcow2'))).toBeLessThan(MIB);
    expect(qemuImg('compare', at('root.qcow2'), image)).toContain('identical');
  });
});

describe('a scratch disk', () => {
  test('is a sparse ext4 labelled scratch, over the whole disk, for root’s eyes only', async () => {
    await createScratch(at('scratch.img'), 10e9);
    expect(contents(at('scratch.img'))).toMatchObject({ TYPE: 'ext4', LABEL: 'scratch' });
    const info = await stat(at('scratch.img'));
    expect([info.size, info.mode & 0o777]).toEqual([10e9, 0o600]);
    expect(await allocatedBytes(at('scratch.img'))).toBeLessThan(20e6);
    expect(() => execFileSync('fsck.ext4', ['-n', '-f', at('scratch.img')], { stdio: 'pipe' })).not.toThrow();
  });

  test('made again is empty', async () => {
    await createScratch(at('scratch.img'), 64 * MIB);
    execFileSync('debugfs', ['-w', '-R', 'mkdir left-behind', at('scratch.img')], { stdio: 'pipe' });
    await createScratch(at('scratch.img'), 64 * MIB);
    const listing = execFileSync('debugfs', ['-R', 'ls /', at('scratch.img')], { encoding: 'utf8', stdio: 'pipe' });
    expect(listing).toContain('lost+found');
    expect(listing).not.toContain('left-behind');
  });

  test('that is too small for a file system is an error with mkfs’s words', async () => {
    await expect(createScratch(at('scratch.img'), 4096)).rejects.toMatchObject({
      code: 'command-failed',
      message: expect.stringMatching(/^mkfs\.ext4 .*scratch\.img failed/),
    });
  });
});

describe('a swap disk', () => {
  test('is a sparse swap area labelled swap, for root’s eyes only', async () => {
    await createSwap(at('swap.img'), 2 ** 30);
    expect(contents(at('swap.img'))).toMatchObject({ TYPE: 'swap', LABEL: 'swap' });
    const info = await stat(at('swap.img'));
    expect([info.size, info.mode & 0o777]).toEqual([2 ** 30, 0o600]);
    expect(await allocatedBytes(at('swap.img'))).toBeLessThan(MIB);
  });
});

test.each([2 ** 52, 2 ** 54])('a disk of %d bytes, larger than files can be, is refused', async (bytes) => {
  await expect(createScratch(at('scratch.img'), bytes)).rejects.toMatchObject({
    code: 'disk-too-large',
    message: expect.stringMatching(/scratch\.img should have [\d.]+ GB, .* lower disk_gb_per_processor/),
  });
});

test('disks are removed, those that are there, and no more than these', async () => {
  await writeFile(at('root.qcow2'), '');
  await writeFile(at('console.log'), '');
  await removeDisks([at('root.qcow2'), at('scratch.img')]);
  expect(await readdir(directory)).toEqual(['console.log']);
});
