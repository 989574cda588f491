import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run } from '../../src/host/exec.js';
import {
  isMountPoint,
  mountOf,
  mountPointsBelow,
  mountsAreHidden,
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

test.each([
  // As systemd does it for a unit with PrivateTmp=.
  ['slave', true],
  ['private', false],
] as const)('mounts in a namespace of its own, %s to the host’s, are hidden: %s', async (propagation, hidden) => {
  const directory = await realpath(await mkdtemp(join(tmpdir(), 'vac-hidden-')));
  const source = fileURLToPath(new URL('../../src/host/mounts.ts', import.meta.url));
  const ask = `import(${JSON.stringify(source)}).then((mounts) => mounts.mountsAreHidden(process.argv[1])).then(console.log)`;
  const node = [process.execPath, '--import', import.meta.resolve('tsx'), '-e', ask, directory];
  try {
    // The shell stays: a namespace that nobody is in is no master.
    const inside =
      'mount --bind "$1" "$1"; mount --make-shared "$1"; shift; unshare -m --propagation "$0" "$@"; exit $?';
    const { stdout } = await run('unshare', ['-m', 'sh', '-c', inside, propagation, directory, ...node]);
    expect(stdout.trim()).toBe(String(hidden));
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('mounts in the host’s own namespace are not hidden', async () => {
  expect(await mountsAreHidden('/')).toBe(false);
});
