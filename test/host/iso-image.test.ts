import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { inspectIso } from '../../src/host/iso-image.js';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-iso-'));
});

afterEach(() => rm(directory, { recursive: true }));

/** An ISO made by genisoimage, with a file that a BIOS would start or without. */
async function iso(bootable: boolean): Promise<string> {
  const tree = join(directory, 'tree');
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, 'boot.bin'), Buffer.alloc(2048, 1));
  await writeFile(join(tree, 'data'), Buffer.alloc(200_000, 2));
  const boot = bootable ? ['-b', 'boot.bin', '-no-emul-boot'] : [];
  const path = join(directory, 'x.iso');
  execFileSync('genisoimage', ['-quiet', ...boot, '-o', path, tree]);
  return path;
}

test('an ISO with a boot record is good', async () => {
  await expect(inspectIso(await iso(true))).resolves.toBeUndefined();
});

test('one that nothing can boot from is refused', async () => {
  await expect(inspectIso(await iso(false))).rejects.toThrow('no El Torito boot record');
});

test('one that was cut off is refused', async () => {
  const path = await iso(true);
  await truncate(path, 100_000);
  await expect(inspectIso(path)).rejects.toThrow(/100000 bytes, and by its header \d{6}: it was cut off/);
});

test.each([
  ['a disk', Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa]), Buffer.alloc(100_000)])],
  ['an error page', Buffer.from('<html>not found</html>')],
  ['nothing', Buffer.alloc(0)],
])('%s is refused as no ISO', async (_what, content) => {
  const path = join(directory, 'x.iso');
  await writeFile(path, content);
  await expect(inspectIso(path)).rejects.toMatchObject({ code: 'image-unusable' });
  await expect(inspectIso(path)).rejects.toThrow('is no ISO image');
});

test('a file that is not there, or is no file, is named', async () => {
  await expect(inspectIso(join(directory, 'gone.iso'))).rejects.toMatchObject({ code: 'image-missing' });
  await expect(inspectIso(directory)).rejects.toThrow('is not a regular file');
});
