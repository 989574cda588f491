import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  isMountPoint,
  mountOf,
  mountPointsBelow,
  mountTmpfs,
  parseMountInfo,
  readMounts,
  unmount,
} from '../../src/host/mounts.js';

const MOUNTINFO = `27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
30 27 0:25 / /var/lib/vac rw - xfs /dev/sdb rw
31 30 7:0 / /var/lib/vac/machines/a\\040b/joboutputs rw,nosuid,nodev master:3 propagate_from:2 - ext4 /dev/loop0 rw
32 30 0:44 / /var/lib/vac/machines/c/jobfeatures rw - tmpfs vac rw,size=1024k
`;

describe('mountinfo', () => {
  test('is read with its octal escapes and its propagation', () => {
    expect(parseMountInfo(MOUNTINFO)).toMatchObject([
      { mountPoint: '/', fsType: 'ext4', source: '/dev/vda', propagation: ['shared:1'] },
      { mountPoint: '/var/lib/vac', fsType: 'xfs', propagation: [] },
      { mountPoint: '/var/lib/vac/machines/a b/joboutputs', propagation: ['master:3', 'propagate_from:2'] },
      { mountPoint: '/var/lib/vac/machines/c/jobfeatures', fsType: 'tmpfs', source: 'vac' },
    ]);
    expect(parseMountInfo('')).toEqual([]);
  });

  test('tells which mount a path lies on, and what is mounted below a directory', () => {
    const mounts = parseMountInfo(MOUNTINFO);
    expect(mountOf('/var/lib/vac/slots', mounts)?.mountPoint).toBe('/var/lib/vac');
    expect(mountOf('/var/lib/vacuum', mounts)?.mountPoint).toBe('/');
    expect(mountPointsBelow('/var/lib/vac', mounts)).toEqual([
      '/var/lib/vac/machines/c/jobfeatures',
      '/var/lib/vac/machines/a b/joboutputs',
    ]);
    expect(mountPointsBelow('/var/lib/va', mounts)).toEqual([]);
  });
});

describe('a tmpfs', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'vac mounts-')));
    await mkdir(join(directory, 'at'));
  });

  afterEach(async () => {
    await unmount(join(directory, 'at'));
    await rm(directory, { recursive: true });
  });

  test('holds as many bytes and files as it may, and is gone when it is unmounted, twice over too', async () => {
    const at = join(directory, 'at');
    await mountTmpfs(at, { bytes: 2 ** 20, files: 8 });
    await mountTmpfs(at, { bytes: 2 ** 20, files: 8 });
    expect(await isMountPoint(at)).toBe(true);
    expect(mountPointsBelow(directory, await readMounts())).toEqual([at, at]);
    await expect(writeFile(join(at, 'big'), Buffer.alloc(2 ** 21))).rejects.toMatchObject({ code: 'ENOSPC' });
    await rm(join(at, 'big'));
    for (let made = 0; made < 7; made++) await writeFile(join(at, `${made}`), '');
    await expect(writeFile(join(at, 'one too many'), '')).rejects.toMatchObject({ code: 'ENOSPC' });
    await unmount(at);
    await unmount(at);
    expect(await isMountPoint(at)).toBe(false);
    expect(await readdir(at)).toEqual([]);
  });

  test('is not seen in what is missing, plain, or a link to a mount', async () => {
    expect(await isMountPoint(join(directory, 'missing'))).toBe(false);
    expect(await isMountPoint(join(directory, 'at'))).toBe(false);
    await symlink('/proc', join(directory, 'link'));
    expect(await isMountPoint(join(directory, 'link'))).toBe(false);
    expect(await isMountPoint('/proc')).toBe(true);
  });
});
