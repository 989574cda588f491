import { chmod, chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sharedImage } from '../../src/machines/shared-image.js';

const QEMU = 64_055;

let directory: string;
let path: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'vac-shared-'));
  path = join(directory, 'image');
  await writeFile(path, Buffer.from('QFI\u00fb and so on', 'latin1'));
  await chmod(path, 0o644);
});

afterEach(() => rm(directory, { recursive: true }));

test('an image that all may read is shared, and root’s again if libvirt has given it to QEMU', async () => {
  await chown(path, QEMU, QEMU);
  expect(await sharedImage(path, QEMU)).toEqual({ path, format: 'qcow2' });
  expect(await stat(path)).toMatchObject({ uid: 0, gid: QEMU });
});

test('an image of somebody else stays theirs', async () => {
  await chown(path, 1234, 1234);
  await writeFile(path, 'raw');
  expect(await sharedImage(path, QEMU)).toEqual({ path, format: 'raw' });
  expect(await stat(path)).toMatchObject({ uid: 1234 });
});

test('one that not all may read is left to libvirt', async () => {
  await chmod(path, 0o640);
  expect(await sharedImage(path, null)).toBeNull();
});
