import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, open, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { inspectImage, isIso } from '../../src/host/image-format.js';

const MIB = 2 ** 20;

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-image-format-'));
});

afterEach(() => rm(directory, { recursive: true }));

function at(name: string): string {
  return join(directory, name);
}

function qemuImg(...args: string[]): string {
  return execFileSync('qemu-img', args, { encoding: 'utf8' });
}

function qcow2(name: string, ...options: string[]): string {
  qemuImg('create', '-q', '-f', 'qcow2', ...options, at(name), String(4 * MIB));
  return at(name);
}

/** A qcow2 with one field of its header, of four bytes, overwritten. */
async function changed(name: string, position: number, value: number): Promise<string> {
  const file = await open(qcow2(name), 'r+');
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  await file.write(bytes, 0, 4, position);
  await file.close();
  return at(name);
}

/** A raw disk of 3 MiB that begins with a boot sector, with these bytes elsewhere in it. */
async function rawDisk(name: string, pattern = '', patternAt = MIB): Promise<string> {
  const file = await open(at(name), 'w');
  try {
    await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510);
    await file.write(pattern, patternAt, 'latin1');
    await file.truncate(3 * MIB);
  } finally {
    await file.close();
  }
  return at(name);
}

/** The same with one partition of this type and end. */
async function partitioned(name: string, type: number, endSector: number): Promise<string> {
  const entry = Buffer.alloc(16);
  entry[4] = type;
  entry.writeUInt32LE(1, 8);
  entry.writeUInt32LE(endSector - 1, 12);
  return await rawDisk(name, entry.toString('latin1'), 446);
}

describe('an image', () => {
  test('that is qcow2 is known by its first bytes, with the size that a machine sees', async () => {
    expect(await inspectImage(qcow2('an-image.raw'))).toEqual({ format: 'qcow2', virtualBytes: 4 * MIB });
  });

  test('that is a raw disk with a boot sector is raw, whatever its name', async () => {
    expect(await inspectImage(await rawDisk('disk.qcow2'))).toEqual({ format: 'raw', virtualBytes: 3 * MIB });
  });

  test('with white space and commas in its name is an image like others', async () => {
    expect(await inspectImage(qcow2('a, b=c d.img'))).toMatchObject({ format: 'qcow2' });
  });

  test.each([
    ['a partition up to its last sector', 0x83, (3 * MIB) / 512],
    ['the protective partition of a GPT', 0xee, 0xffffffff],
  ])('may have %s', async (_what, type, endSector) => {
    expect(await inspectImage(await partitioned('disk', type, endSector))).toMatchObject({ format: 'raw' });
  });

  test('is raw even when a qcow2 is in it, and is never opened as one', async () => {
    expect(await inspectImage(await rawDisk('disk', 'QFI\xfb', 512))).toEqual({ format: 'raw', virtualBytes: 3 * MIB });
  });

  test('is an ISO by the name in its sector 16', async () => {
    expect(await isIso(await rawDisk('iso', '\x01CD001', 16 * 2048))).toBe(true);
    expect(await isIso(await rawDisk('disk'))).toBe(false);
    expect(await isIso(qcow2('qcow2'))).toBe(false);
  });

  test('is read without root where only root may read it', async () => {
    await chmod(qcow2('private'), 0o600);
    expect(await inspectImage(at('private'))).toMatchObject({ format: 'qcow2' });
  });

  test('may be a link that the site has made', async () => {
    await symlink(await rawDisk('real'), at('link'));
    expect(await inspectImage(at('link'))).toMatchObject({ format: 'raw' });
  });
});

describe('an image that cannot be used is refused, by name', () => {
  const refused = (path: string) => ({ code: 'image-unusable', message: expect.stringContaining(path) });

  const UNUSABLE: Readonly<Record<string, () => Promise<string> | string>> = {
    'a qcow2 on top of another file': async () => {
      const secret = await rawDisk('secret');
      return qcow2('backed', '-b', secret, '-F', 'raw');
    },
    'a qcow2 whose data are in another file': () => qcow2('split', '-o', `data_file=${at('elsewhere')}`),
    'a qcow2 that is only a header’s first bytes': async () => {
      await writeFile(at('magic'), 'QFI\xfb', 'latin1');
      return at('magic');
    },
    'a qcow2 that was cut off while it was copied': async () => {
      const raw = await rawDisk('whole.raw', 'x'.repeat(MIB));
      qemuImg('convert', '-f', 'raw', '-O', 'qcow2', raw, at('torn'));
      await truncate(at('torn'), 400_000);
      return at('torn');
    },
    'an error page': async () => {
      await writeFile(at('page'), `<html>404 Not Found${' '.repeat(4096)}</html>`);
      return at('page');
    },
    'an empty file': async () => {
      await writeFile(at('empty'), '');
      return at('empty');
    },
    'a disk that ends before its partitions do': () => partitioned('cut', 0x83, (3 * MIB) / 512 + 1),
    'an encrypted qcow2': () => changed('locked', 32, 2),
    'a qcow2 of a version to come': () => changed('future', 4, 9),
    'a directory': async () => {
      await mkdir(at('directory'));
      return at('directory');
    },
    'a FIFO that nobody writes to': () => {
      execFileSync('mkfifo', [at('fifo')]);
      return at('fifo');
    },
    'a device': () => '/dev/zero',
  };

  test.each(Object.keys(UNUSABLE))('%s', async (what) => {
    const path = await UNUSABLE[what]!();
    await expect(inspectImage(path)).rejects.toMatchObject(refused(path));
  });

  test('a qcow2 on top of another file, with its name', async () => {
    qemuImg('create', '-q', '-u', '-f', 'qcow2', '-b', '/etc/shadow', '-F', 'raw', at('backed'), '1M');
    await expect(inspectImage(at('backed'))).rejects.toThrow('refers to another file (/etc/shadow)');
  });

  test('none at all', async () => {
    await expect(inspectImage(at('nowhere'))).rejects.toMatchObject({
      code: 'image-missing',
      message: expect.stringContaining(at('nowhere')),
    });
  });

  test('one that claims to be larger than any disk', async () => {
    qemuImg('create', '-q', '-f', 'qcow2', at('monster'), `${2 ** 45}`);
    await expect(inspectImage(at('monster'))).rejects.toMatchObject({ message: expect.stringContaining(`${2 ** 45}`) });
  });
});
