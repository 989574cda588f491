import {
  chown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run } from '../../src/host/exec.js';
import * as hostileTree from '../../src/host/hostile-tree.js';
import * as loopFileSystem from '../../src/host/loop-file-system.js';
import * as mounts from '../../src/host/mounts.js';
import { isMountPoint, mountPointsBelow, readMounts, unmount } from '../../src/host/mounts.js';
import { GuestDirectories } from '../../src/machines/guest-directories.js';
import { LEFT_OUT } from '../../src/machines/guest-directories-end.js';
import { StateLayout } from '../../src/machines/layout.js';
import { testRecord } from './record.js';

vi.mock(import('../../src/host/hostile-tree.js'), { spy: true });
vi.mock(import('../../src/host/mounts.js'), { spy: true });
vi.mock(import('../../src/host/loop-file-system.js'), { spy: true });

const { copyHostileTree: originalCopy } = await vi.importActual<typeof hostileTree>('../../src/host/hostile-tree.js');

const { unmount: originalUnmount } = await vi.importActual<typeof mounts>('../../src/host/mounts.js');

const GUEST = { uid: 65534, gid: 65534 };
const NAMES = ['machinefeatures', 'jobfeatures', 'joboutputs'] as const;
/** The inner one last. */
const FILE_SYSTEMS = ['shared', 'shared/private/outputs'] as const;
const RECORD = testRecord({ joboutputsMib: 2, joboutputsFiles: 40 });

let layout: StateLayout;
let said: string[];
let directories: GuestDirectories;

beforeEach(async () => {
  layout = new StateLayout(await realpath(await mkdtemp(join(tmpdir(), 'vac-directories-'))));
  await mkdir(layout.machine(RECORD.id), { recursive: true });
  await mkdir(layout.tmp());
  said = [];
  directories = await begun();
});

afterEach(async () => {
  vi.resetAllMocks();
  for (const at of mountPointsBelow(layout.root, await readMounts())) await unmount(at);
  await rm(layout.root, { recursive: true });
  await expect.poll(loops).toBe('');
});

async function begun(nfs: 'kernel' | 'none' = 'kernel'): Promise<GuestDirectories> {
  const say = (message: string) => void said.push(message);
  const made = new GuestDirectories({ layout, guestOwner: GUEST, nfs, log: { info: say, warn: say } });
  await made.begin();
  return made;
}

async function loops(): Promise<string> {
  return (await run('losetup', ['--all', '--noheadings', '--output', 'BACK-FILE'])).stdout
    .split('\n')
    .filter((line) => line.includes(layout.root))
    .join('\n');
}

const at = (name: string) => layout.inMachine(RECORD.id, name);

/** As a machine at work leaves it: two files of its own, and a feature that vacd moved. */
async function worked(): Promise<void> {
  await directories.make(RECORD);
  await writeFile(at('machinefeatures/shutdowntime'), '1700000000');
  await writeFile(at('joboutputs/shutdown_message'), '200 Success\n');
  await mkdir(at('joboutputs/logs'));
  await writeFile(at('joboutputs/logs/job.log'), 'of the job');
}

async function expectKept(): Promise<void> {
  expect(mountPointsBelow(layout.root, await readMounts())).toEqual([]);
  expect((await readdir(layout.machine(RECORD.id))).sort()).toEqual([...NAMES].sort());
  expect(await readFile(at('machinefeatures/shutdowntime'), 'utf8')).toBe('1700000000');
  expect(await readFile(at('joboutputs/shutdown_message'), 'utf8')).toBe('200 Success\n');
  expect(await readFile(at('joboutputs/logs/job.log'), 'utf8')).toBe('of the job');
  expect(await stat(at('joboutputs'))).toMatchObject({ uid: process.getuid!() });
}

describe('the directories of a machine', () => {
  test('are file systems of their own, joboutputs the guest’s and of the size it may use', async () => {
    expect(directories.problems()).toEqual([]);
    expect(await readdir(layout.tmp())).toEqual([]);
    await directories.make(RECORD);
    for (const name of FILE_SYSTEMS) {
      expect(await isMountPoint(at(name))).toBe(true);
      expect((await stat(at(name))).mode & 0o777).toBe(0o700);
    }
    expect(await stat(at('joboutputs'))).toMatchObject({ uid: GUEST.uid, gid: GUEST.gid });
    expect(await stat(at('machinefeatures'))).toMatchObject({ uid: 0 });
    const { bavail, bsize, ffree } = await statfs(at('joboutputs'));
    expect(bavail * bsize).toBeGreaterThanOrEqual(2 * 2 ** 20);
    expect(ffree).toBeGreaterThanOrEqual(40);
  });

  test('fill for it alone', async () => {
    const other = testRecord({ ...RECORD, id: '1700000000_prod_factory1-04.example.com' });
    await mkdir(layout.machine(other.id));
    await directories.make(RECORD);
    await directories.make(other);
    await expect(writeFile(at('joboutputs/big'), Buffer.alloc(32 * 2 ** 20))).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(writeFile(at('joboutputs/more'), Buffer.alloc(2 ** 20))).rejects.toMatchObject({ code: 'ENOSPC' });
    await writeFile(at('machinefeatures/shutdowntime'), '1');
    await writeFile(layout.inMachine(other.id, 'joboutputs/heartbeat'), 'x');
  });

  test('are plain ones in the end, with what it wrote', async () => {
    await worked();
    await directories.keep(RECORD);
    await expectKept();
    await directories.keep(RECORD);
    await expectKept();
  });

  test('keep nothing but plain files, and say what was left out', async () => {
    await worked();
    await symlink('/etc/shadow', at('joboutputs/link'));
    await run('mkfifo', [at('joboutputs/a\nb')]);
    await directories.keep(RECORD);
    expect((await readdir(at('joboutputs'))).sort()).toEqual(['logs', 'shutdown_message']);
    expect(await readFile(at(LEFT_OUT), 'utf8')).toMatch(/^2 link or special file: \S+ \S+\n$/);
    expect(said).toEqual([expect.stringContaining('2 link or special file')]);
  });

  test('are kept over a crash of the host, after which nothing is mounted', async () => {
    await worked();
    for (const name of FILE_SYSTEMS.toReversed()) await unmount(at(name));
    await (await begun()).keep(RECORD);
    expect(await readFile(at('joboutputs/logs/job.log'), 'utf8')).toBe('of the job');
    expect((await readdir(layout.machine(RECORD.id))).sort()).toEqual([...NAMES].sort());
  });

  test('that are damaged beyond mounting are left as they are, and hold nothing up', async () => {
    await worked();
    await unmount(at('shared/private/outputs'));
    await writeFile(at('outputs.img'), Buffer.alloc(2 ** 20, 1));
    await directories.keep(RECORD);
    expect(await readdir(layout.machine(RECORD.id))).toContain('outputs.img');
    expect(said).toEqual([expect.stringContaining('damaged')]);
  });

  test('of a machine that lives are mounted again when somebody took them away', async () => {
    await worked();
    await unmount(at('shared/private/outputs'));
    await directories.restore(RECORD);
    await directories.restore(RECORD);
    expect(await readFile(at('joboutputs/shutdown_message'), 'utf8')).toBe('200 Success\n');
    await unmount(at('shared/private/outputs'));
    expect(await isMountPoint(at('shared/private/outputs'))).toBe(false);
  });

  test('that an NFS server still has a file open in are taken away all the same', async () => {
    await worked();
    const file = await open(at('joboutputs/open'), 'w');
    await directories.keep(RECORD);
    expect(await readdir(at('joboutputs'))).toContain('open');
    expect(await isMountPoint(at('shared/private/outputs'))).toBe(false);
    await file.close();
  });

  test('that were begun and never finished leave nothing', async () => {
    await mkdir(at('shared'));
    await writeFile(at('outputs.img.tmp'), 'torn');
    await directories.keep(RECORD);
    expect(await readdir(layout.machine(RECORD.id))).toEqual([]);
  });

  test('can be unmounted wherever they are, before they are removed', async () => {
    await worked();
    await directories.unmountBelow(layout.machines());
    expect(mountPointsBelow(layout.root, await readMounts())).toEqual([]);
    await directories.unmountBelow(join(layout.root, 'missing'));
  });
});

describe('cut off', () => {
  const cuts: [string, () => void][] = [
    [
      'while joboutputs are copied',
      () =>
        vi.mocked(hostileTree.copyHostileTree).mockImplementation(async (from, to, limits) => {
          if (!from.endsWith('joboutputs')) return originalCopy(from, to, limits);
          await mkdir(to);
          await writeFile(join(to, 'half'), 'h');
          throw new Error('crash');
        }),
    ],
    ['when half of the features are copied', () => cutAfter(1)],
    ['when all are copied and joboutputs not yet in place', () => cutAfter(3)],
    ['when all is in place and still mounted', () => cutAtUnmount('shared/private/outputs')],
    ['when all is in place and the features are still mounted', () => cutAtUnmount('shared')],
    [
      'when all is in place and the image still there',
      () => vi.mocked(loopFileSystem.dropImage).mockRejectedValueOnce(new Error('crash')),
    ],
  ];

  /** Right after the copy of that number. */
  function cutAfter(count: number): void {
    let copies = 0;
    vi.mocked(hostileTree.copyHostileTree).mockImplementation(async (...args) => {
      const report = await originalCopy(...args);
      copies += 1;
      if (copies === count) throw new Error('crash');
      return report;
    });
  }

  function cutAtUnmount(name: string): void {
    vi.mocked(mounts.unmount).mockImplementation(async (path) => {
      if (path === at(name)) throw new Error('crash');
      await originalUnmount(path);
    });
  }

  test('when the image is emptied and not yet removed, nothing is damaged', async () => {
    await worked();
    await directories.keep(RECORD);
    await writeFile(at('outputs.img'), '');
    await (await begun()).keep(RECORD);
    await expectKept();
    expect(said).toEqual([]);
  });

  test.each(cuts)('%s, the next vacd does it all over', async (_, cut) => {
    await worked();
    cut();
    await expect(directories.keep(RECORD)).rejects.toThrow('crash');
    vi.resetAllMocks();
    await (await begun()).keep(RECORD);
    await expectKept();
  });
});

describe('without file systems of their own', () => {
  test('because nothing can be mounted, joboutputs are a plain directory of the guest’s, and that is said once', async () => {
    vi.mocked(loopFileSystem.mountImage).mockRejectedValueOnce(new Error('mount: Operation not permitted'));
    directories = await begun();
    expect(directories.areWatched).toBe(true);
    expect(directories.problems()).toEqual([expect.stringContaining('Operation not permitted')]);
    expect(said).toEqual(directories.problems());
    await worked();
    expect(mountPointsBelow(layout.root, await readMounts())).toEqual([]);
    await chown(at('joboutputs/logs'), GUEST.uid, GUEST.gid);
    await symlink('/etc/shadow', at('joboutputs/link'));
    await directories.keep(RECORD);
    await rm(at(LEFT_OUT));
    await expectKept();
  });

  test('because nothing is exported, nothing is said', async () => {
    directories = await begun('none');
    await worked();
    await directories.keep(RECORD);
    await expectKept();
    expect(said).toEqual([]);
  });
});
