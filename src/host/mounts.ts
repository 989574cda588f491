/**
 * Mounts of this process's mount namespace: small file systems for what guests are given, made with mount(8) so that
 * loop devices are found and let go as the host does it.
 */

import { lstat, readFile, readlink, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { run } from './exec.js';

/** One line of /proc/self/mountinfo, as far as it matters here. */
export interface Mount {
  readonly mountPoint: string;
  readonly fsType: string;
  readonly source: string;
  /** `shared:N`, `master:N`, …: with which other mount namespaces it shares mounts made below it. */
  readonly propagation: readonly string[];
}

/** Reads mountinfo (proc_pid_mountinfo(5)), in the order in which things were mounted. Pure. */
export function parseMountInfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [left, right] = line.split(' - ', 2);
    const words = left?.split(' ') ?? [];
    const [fsType, source] = right?.split(' ') ?? [];
    const mountPoint = words[4];
    if (mountPoint === undefined || fsType === undefined || source === undefined) return [];
    return [{ mountPoint: unescaped(mountPoint), fsType, source: unescaped(source), propagation: words.slice(6) }];
  });
}

export async function readMounts(): Promise<Mount[]> {
  return parseMountInfo(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** The mount that a path lies on: the last of those whose mount point is nearest above it. Pure. */
export function mountOf(path: string, mounts: readonly Mount[]): Mount | null {
  let found: Mount | null = null;
  for (const mount of mounts) {
    if (!isBelow(path, mount.mountPoint) && path !== mount.mountPoint) continue;
    if (found === null || mount.mountPoint.length >= found.mountPoint.length) found = mount;
  }
  return found;
}

/** Mount points below a directory (a real path, without links), the last mounted first. Pure. */
export function mountPointsBelow(directory: string, mounts: readonly Mount[]): string[] {
  return mounts
    .map(({ mountPoint }) => mountPoint)
    .filter((mountPoint) => isBelow(mountPoint, directory))
    .reverse();
}

/** Whether a file system of its own is mounted there. False for what is not there, and for a link. */
export async function isMountPoint(path: string): Promise<boolean> {
  const [info, parent] = await Promise.all([
    lstat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    }),
    lstat(dirname(path)).catch(() => null),
  ]);
  return info !== null && parent !== null && info.isDirectory() && info.dev !== parent.dev;
}

/**
 * Whether what is mounted below a directory is hidden from the host's other programs: this process has a mount namespace
 * of its own (unlike that of init) which takes mounts from another one and gives none back, as systemd makes them for
 * PrivateTmp= and the like. In a container init has the same one, and in a test's none is taken from another.
 */
export async function mountsAreHidden(directory: string): Promise<boolean> {
  const [own, inits] = await Promise.all([readlink('/proc/self/ns/mnt'), readlink('/proc/1/ns/mnt').catch(() => null)]);
  if (own === inits) return false;
  const mount = mountOf(await realpath(directory), await readMounts());
  return mount?.propagation.some((word) => word.startsWith('master:')) ?? false;
}

/** What is on such a file system is data: nothing on it is a device, is run, or runs as somebody else. */
const HARMLESS = 'nosuid,nodev,noexec';

/** @throws CommandError */
export async function mountTmpfs(at: string, { bytes, files }: { bytes: number; files: number }): Promise<void> {
  await run('mount', ['-t', 'tmpfs', '-o', `${HARMLESS},mode=700,size=${bytes},nr_inodes=${files}`, 'vac', at]);
}

/** @throws CommandError */
export async function mountLoop(image: string, at: string): Promise<void> {
  await run('mount', ['-t', 'ext4', '-o', `loop,${HARMLESS},noatime,errors=remount-ro`, image, at]);
}

/** Nothing on it changes from here on. False where somebody still has a file open there for writing. */
export async function makeReadOnly(at: string): Promise<boolean> {
  const { exitCode } = await run('mount', ['-o', `remount,ro,${HARMLESS}`, at], { allowExitCodes: [0, 32] });
  return exitCode === 0;
}

/** More of them on one place than anybody makes. */
const MAX_STACKED = 8;

/**
 * Takes away whatever is mounted there; fine when nothing is. One that is in use (an NFS server has a file open) goes
 * from sight at once, and for good when it is let go.
 *
 * @throws CommandError
 */
export async function unmount(at: string): Promise<void> {
  for (let count = 0; count < MAX_STACKED && (await isMountPoint(at)); count++) {
    const { exitCode } = await run('umount', [at], { allowExitCodes: [0, 32] });
    if (exitCode !== 0) await run('umount', ['--lazy', at]);
  }
}

/** Of mountinfo: blanks, tabs, line ends and backslashes are written in octal. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
