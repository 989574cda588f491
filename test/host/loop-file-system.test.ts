import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, stat, statfs, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/host/exec.js';
import { dropImage, imageBytes, makeImage, mountImage } from '../../src/host/loop-file-system.js';
import { makeReadOnly, unmount } from '../../src/host/mounts.js';

const MIB = 2 ** 20;

let directory: string;
let image: string;
let at: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-loop-'));
  image = join(directory, 'image');
  at = join(directory, 'at');
  await mkdir(at);
});

afterEach(async () => {
  await unmount(at);
  await rm(directory, { recursive: true });
});

async function mounted(size: { bytes: number; files: number }): Promise<void> {
  await makeImage(image, size);
  await mountImage(image, at);
}

/** Loop devices that are on files of this test. */
async function loops(): Promise<string> {
  return (await run('losetup', ['--all', '--noheadings', '--output', 'BACK-FILE'])).stdout
    .split('\n')
    .filter((line) => line.includes(directory))
    .join('\n');
}

describe('a file system in a file', () => {
  test.each([
    { bytes: MIB, files: 16 },
    { bytes: 20 * MIB, files: 5000 },
    { bytes: 200 * MIB, files: 2000 },
    { bytes: 3 * MIB, files: 100_000 },
  ])('has room for what was promised: %o', async (size) => {
    await mounted(size);
    const room = await statfs(at);
    expect(room.bavail * room.bsize).toBeGreaterThanOrEqual(size.bytes);
    expect(room.bavail * room.bsize).toBeLessThan(size.bytes * 1.05 + 12 * MIB);
    expect(room.ffree).toBeGreaterThanOrEqual(size.files);
    expect(room.ffree).toBeLessThan(size.files * 1.1 + 1100);
    expect(await readdir(at)).toEqual([]);
    expect((await stat(at)).mode & 0o777).toBe(0o700);
  });

  test('takes its space at once, so that a full host is no trouble of its own', async () => {
    await makeImage(image, { bytes: 8 * MIB, files: 16 });
    expect((await stat(image)).blocks * 512).toBeGreaterThanOrEqual(8 * MIB);
  });

  test('of a size that no disk here has fails with ENOSPC, and leaves nothing', async () => {
    const { bavail, bsize } = await statfs(directory);
    await expect(makeImage(image, { bytes: 2 * bavail * bsize, files: 16 })).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    expect(await readdir(directory)).toEqual(['at']);
  });

  test('that is full of bytes says ENOSPC to whoever writes there, and to nobody else', async () => {
    await mounted({ bytes: 2 * MIB, files: 16 });
    await expect(writeFile(join(at, 'big'), Buffer.alloc(64 * MIB))).rejects.toMatchObject({ code: 'ENOSPC' });
    await writeFile(join(directory, 'other'), Buffer.alloc(4 * MIB));
  });

  test('that is full of files says so too, and a name has 255 bytes at most', async () => {
    await mounted({ bytes: 2 * MIB, files: 16 });
    await expect(writeFile(join(at, 'n'.repeat(256)), '')).rejects.toMatchObject({ code: 'ENAMETOOLONG' });
    const room = (await statfs(at)).ffree;
    for (let made = 0; made < room; made++) await symlink('/etc/passwd', join(at, `${made}`));
    await expect(writeFile(join(at, 'x'), '')).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(mkdir(join(at, 'd'))).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  test('has no devices, runs no programs, and lends nobody’s rights', async () => {
    await mounted({ bytes: 4 * MIB, files: 16 });
    await run('mknod', [join(at, 'zero'), 'c', '1', '5']);
    await expect(open(join(at, 'zero'))).rejects.toMatchObject({ code: 'EACCES' });
    await writeFile(join(at, 'id'), await readFile('/usr/bin/id'));
    await chmod(join(at, 'id'), 0o4755);
    await expect(run(join(at, 'id'), [])).rejects.toMatchObject({ code: 'command-missing' });
    const { stdout } = await run('findmnt', ['--noheadings', '--output', 'OPTIONS', at]);
    for (const option of ['nosuid', 'nodev', 'noexec']) expect(stdout.split(',')).toContain(option);
  });

  test('that making it was cut off has no name yet, and can be made again', async () => {
    await writeFile(`${image}.tmp`, 'half of it');
    await mounted({ bytes: MIB, files: 16 });
    expect((await readdir(directory)).sort()).toEqual(['at', 'image']);
  });

  test('is unmounted though a file is open in it, and its space is given back when that is closed', async () => {
    await mounted({ bytes: MIB, files: 16 });
    const file = await open(join(at, 'busy'), 'w');
    expect(await makeReadOnly(at)).toBe(false);
    await unmount(at);
    expect(await readdir(at)).toEqual([]);
    expect(await loops()).not.toBe('');
    await file.close();
    await dropImage(image, { wasReadOnly: false });
    await expect.poll(loops).toBe('');
  });

  test('gives its space back at once even where another mount namespace holds it', async () => {
    await mounted({ bytes: 8 * MIB, files: 16 });
    const { spawn } = await import('node:child_process');
    const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', 'echo ready; exec cat']);
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const file = await open(image);
    try {
      expect(await makeReadOnly(at)).toBe(true);
      await unmount(at);
      await dropImage(image, { wasReadOnly: true });
      expect(await loops()).not.toBe('');
      expect((await file.stat()).blocks).toBe(0);
    } finally {
      await file.close();
      holder.stdin.end();
      await new Promise((resolve) => holder.once('exit', resolve));
    }
    await expect.poll(loops).toBe('');
  });
});

test('an image is larger than what it promises, whatever that is', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 1, max: 2 ** 20 }), (bytes, files) => {
      const size = imageBytes({ bytes, files });
      expect(size % 4096).toBe(0);
      expect(size).toBeGreaterThan(bytes + files * 256);
    }),
  );
});
