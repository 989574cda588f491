/**
 * The directories that a machine is given (SPEC 5): machinefeatures, jobfeatures, joboutputs. Each is a file system of
 * its own while the machine lives:
 *
 * - joboutputs a loop-mounted ext4 of the size and number of files that the machine may use, `joboutputs.img` beside it:
 *   a machine that fills it fills that alone, whatever it writes and by whatever way;
 * - the features a tmpfs each, since a forged NFS file handle reaches what is on the exported file system and no more.
 *
 * At the machine's end what it wrote is copied, with all that is not plain bytes left out, into the plain directory
 * that the site finds, and the file systems go. Where nothing can be mounted (some containers) the directories are plain
 * from the beginning, and joboutputs is watched (joboutputs-watch.ts).
 */

import { chown, lstat, mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { joboutputsLimits } from '../factory/joboutputs-limits.js';
import type { MachineRecord } from '../factory/types.js';
import { CommandError } from '../host/exec.js';
import { removeTree } from '../host/files.js';
import type { GuestOwner } from '../host/guest-owner.js';
import { type CopyReport, copyHostileTree, type TreeLimits } from '../host/hostile-tree.js';
import { dropImage, imageBytes, makeImage, mountImage } from '../host/loop-file-system.js';
import {
  isMountPoint,
  makeReadOnly,
  mountPointsBelow,
  mountsAreHidden,
  mountTmpfs,
  readMounts,
  unmount,
} from '../host/mounts.js';
import type { NfsServer } from '../host/nfs.js';
import type { StateLayout } from './layout.js';

const FEATURES = ['machinefeatures', 'jobfeatures'] as const;
const JOBOUTPUTS = 'joboutputs';
const IMAGE = 'joboutputs.img';
/** A site's own machinefeatures included; each is a file of a few bytes. */
const FEATURES_SIZE = { bytes: 2 ** 20, files: 512 } as const;
/** A directory on its way into the place of a file system. */
const KEPT = '.kept';
/** In a machine's directory: what of its joboutputs was not kept. */
export const LEFT_OUT = 'joboutputs-left-out';
/** More names than files may there be by hard links. */
const ENTRIES_PER_FILE = 2;

export interface GuestDirectoriesParts {
  readonly layout: StateLayout;
  readonly guestOwner: GuestOwner;
  /** With `none` machines reach their directories by HTTP alone: what they write then passes through vacd's limits. */
  readonly nfs: NfsServer['name'];
  readonly log: { info(message: string): void; warn(message: string): void };
}

export class GuestDirectories {
  /** Why there are no file systems of their own; null: there are. */
  private whyPlain: string | null;

  constructor(private readonly parts: GuestDirectoriesParts) {
    this.whyPlain = parts.nfs === 'none' ? 'machines reach them by HTTP alone' : null;
  }

  /** Whether joboutputs must be watched, since nothing else limits them. */
  get areWatched(): boolean {
    return this.parts.nfs !== 'none' && this.whyPlain !== null;
  }

  /** Tries once what this host can do. */
  async begin(): Promise<void> {
    const { nfs, layout, log } = this.parts;
    if (nfs === 'none') return;
    this.whyPlain = await this.whyNoMounts();
    for (const problem of this.problems()) log.warn(problem);
    if (nfs !== 'ganesha' || !this.areWatched || (await stat(layout.root)).dev !== (await stat('/')).dev) return;
    // It does not check that a file handle lies below the exported directory, and one of a file system's root is easily
    // forged. With own file systems it serves no other, and refuses handles of any other.
    log.warn(
      `${layout.root} is on the file system of /: by nfs-ganesha a hostile guest can read there what every user can; give ${layout.root} a file system of its own, or use the kernel's NFS server`,
    );
  }

  /** For whoever looks after this factory; empty when all is well. */
  problems(): string[] {
    if (!this.areWatched) return [];
    return [
      `joboutputs have no file systems of their own, their limits are only watched: ${this.whyPlain}; let vacd mount (CAP_SYS_ADMIN, /dev/loop-control, mkfs.ext4)`,
    ];
  }

  /** Makes a machine's directories, empty and ready to be written into by those who may. */
  async make(record: MachineRecord): Promise<void> {
    const { layout, guestOwner } = this.parts;
    const at = (name: string) => layout.inMachine(record.id, name);
    for (const name of [...FEATURES, JOBOUTPUTS]) await mkdir(at(name), { recursive: true, mode: 0o755 });
    if (this.whyPlain !== null) {
      await chown(at(JOBOUTPUTS), guestOwner.uid, guestOwner.gid);
      return;
    }
    await Promise.all([
      ...FEATURES.map((name) => mountTmpfs(at(name), FEATURES_SIZE)),
      makeImage(at(IMAGE), joboutputsLimits(record), guestOwner).then(() => mountImage(at(IMAGE), at(JOBOUTPUTS))),
    ]);
  }

  /** Mounts the joboutputs of a machine that lives, if somebody has taken its mount away. */
  async restore(record: MachineRecord): Promise<void> {
    const image = this.parts.layout.inMachine(record.id, IMAGE);
    const at = this.parts.layout.inMachine(record.id, JOBOUTPUTS);
    if ((await isThere(image)) && !(await isMountPoint(at))) await mountImage(image, at);
  }

  /**
   * Of a machine that is over and exported no more: makes plain directories of what it was given, with what it wrote.
   * May be cut off anywhere and begun again.
   */
  async keep(record: MachineRecord): Promise<void> {
    const { layout } = this.parts;
    for (const name of FEATURES) {
      const at = layout.inMachine(record.id, name);
      if (await isMountPoint(at))
        await this.copyAside(at, { bytes: FEATURES_SIZE.bytes, entries: FEATURES_SIZE.files });
      await this.putInPlace(at);
    }
    await this.keepJoboutputs(record);
  }

  /** Unmounts whatever is mounted below a directory that is to be removed. */
  async unmountBelow(directory: string): Promise<void> {
    const real = await realpath(directory).catch(() => null);
    if (real === null) return;
    for (const mountPoint of mountPointsBelow(real, await readMounts())) await unmount(mountPoint);
  }

  private async keepJoboutputs(record: MachineRecord): Promise<void> {
    const { layout } = this.parts;
    const at = layout.inMachine(record.id, JOBOUTPUTS);
    const image = layout.inMachine(record.id, IMAGE);
    const size = joboutputsLimits(record);
    // What fitted into its file system is kept.
    const limits = { bytes: imageBytes(size), entries: ENTRIES_PER_FILE * size.files };
    await rm(`${image}.tmp`, { force: true });
    const hasImage = await isThere(image);
    if (hasImage && !(await this.canBeRead(record, image, at))) return;
    const wasReadOnly = hasImage && (await makeReadOnly(at));
    // A plain directory of the guest's, as opposed to one that is ours and kept already.
    if (hasImage || (await lstat(at).catch(() => null))?.uid === this.parts.guestOwner.uid) {
      const report = await this.copyAside(at, limits);
      if (report.leftOut.size > 0) await this.tellLeftOut(record, report);
      if (!hasImage) await removeTree(at);
    }
    await this.putInPlace(at);
    if (hasImage) await dropImage(image, { wasReadOnly });
  }

  /** After a crash of the host the image is there and its mount is not. What cannot be mounted at all is left as it is. */
  private async canBeRead(record: MachineRecord, image: string, at: string): Promise<boolean> {
    if (await isMountPoint(at)) return true;
    try {
      await mountImage(image, at);
      return true;
    } catch (error) {
      if (!(error instanceof CommandError) || !DAMAGED.test(error.message)) throw error;
      this.parts.log.warn(`${record.hostname}: ${image} is damaged and was left as it is: ${error.message}`);
      return false;
    }
  }

  private async copyAside(at: string, limits: TreeLimits): Promise<CopyReport> {
    await removeTree(`${at}${KEPT}`);
    return copyHostileTree(at, `${at}${KEPT}`, limits);
  }

  /** What was copied aside takes the place of what it was copied from. */
  private async putInPlace(at: string): Promise<void> {
    if (!(await isThere(`${at}${KEPT}`))) return;
    await unmount(at);
    // Of an earlier try, or the empty place of the mount.
    await removeTree(at);
    await rename(`${at}${KEPT}`, at);
  }

  private async tellLeftOut(record: MachineRecord, { leftOut }: CopyReport): Promise<void> {
    const lines = [...leftOut].map(([reason, { count, examples }]) => `${count} ${reason}: ${examples.join(' ')}\n`);
    await writeFile(this.parts.layout.inMachine(record.id, LEFT_OUT), lines.join(''));
    const counts = [...leftOut].map(([reason, { count }]) => `${count} ${reason}`).join(', ');
    this.parts.log.info(`${record.hostname}: of its joboutputs was not kept: ${counts} (see ${LEFT_OUT})`);
  }

  private async whyNoMounts(): Promise<string | null> {
    const { layout, guestOwner } = this.parts;
    const at = `${layout.tmp()}/mount-trial`;
    const image = `${at}.img`;
    try {
      if (await mountsAreHidden(layout.root)) return HIDDEN;
      await mkdir(at, { recursive: true });
      await makeImage(image, { bytes: 2 ** 20, files: 16 }, guestOwner);
      await mountImage(image, at);
      await unmount(at);
      return null;
    } catch (error) {
      return (error as Error).message;
    } finally {
      await unmount(at).catch(() => {});
      await rm(image, { force: true });
      await removeTree(at);
    }
  }
}

const HIDDEN =
  'what vacd mounts is seen by nobody else, for its unit has a mount namespace of its own (PrivateTmp, ProtectHome, ProtectSystem and the like; see vacd.service)';

/** What mount says when a file system is no whole one. */
const DAMAGED = /wrong fs type|bad superblock|needs cleaning|can't read superblock/i;

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
