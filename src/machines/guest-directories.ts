/**
 * The directories that a machine is given (SPEC 5): machinefeatures, jobfeatures, joboutputs. While it lives they are
 * links to directories in two file systems of its own:
 *
 *     shared/                  a tmpfs, with the features: a forged NFS file handle reaches what is on the exported file
 *                              system and no more
 *     shared/private/outputs/  a loop-mounted ext4 (outputs.img) of the size and number of files that the machine may use:
 *                              one that fills it fills that alone, whatever it writes and by whatever way
 *
 * Why they lie so deep: EXPORTED_DIRECTORIES. Where nothing can be mounted (some containers) all are plain directories,
 * and joboutputs are watched (joboutputs-watch.ts). At the end they become plain directories of ours
 * (guest-directories-end.ts).
 */

import { chown, lstat, mkdir, realpath, rm, stat, symlink } from 'node:fs/promises';
import { joboutputsLimits } from '../factory/joboutputs-limits.js';
import type { MachineRecord } from '../factory/types.js';
import { removeTree } from '../host/files.js';
import type { GuestOwner } from '../host/guest-owner.js';
import { makeImage, mountImage } from '../host/loop-file-system.js';
import { isMountPoint, mountPointsBelow, mountsAreHidden, mountTmpfs, readMounts, unmount } from '../host/mounts.js';
import type { NfsServer } from '../host/nfs.js';
import { EXPORTED_DIRECTORIES } from '../host/nfs-exports.js';
import { keepDirectories, OUTPUTS, OUTPUTS_IMAGE, SHARED, SHARED_SIZE } from './guest-directories-end.js';
import type { StateLayout } from './layout.js';

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
    const image = at(OUTPUTS_IMAGE);
    await mkdir(at(SHARED), { mode: 0o700 });
    if (this.whyPlain === null) {
      await Promise.all([mountTmpfs(at(SHARED), SHARED_SIZE), makeImage(image, joboutputsLimits(record))]);
    }
    await mkdir(at(OUTPUTS), { recursive: true, mode: 0o700 });
    if (this.whyPlain === null) await mountImage(image, at(OUTPUTS));
    for (const { name, place, writable } of EXPORTED_DIRECTORIES) {
      await mkdir(at(place), { mode: 0o755 });
      if (writable) await chown(at(place), guestOwner.uid, guestOwner.gid);
      await symlink(place, at(name));
    }
  }

  /** Mounts the joboutputs of a machine that lives, if somebody has taken its mount away. */
  async restore(record: MachineRecord): Promise<void> {
    const image = this.parts.layout.inMachine(record.id, OUTPUTS_IMAGE);
    const at = this.parts.layout.inMachine(record.id, OUTPUTS);
    const hasImage = await lstat(image).then(
      () => true,
      () => false,
    );
    if (hasImage && !(await isMountPoint(at))) await mountImage(image, at);
  }

  /** Of a machine that is over and exported no more. May be cut off anywhere and begun again. */
  keep(record: MachineRecord): Promise<void> {
    return keepDirectories(this.parts, record);
  }

  /** Unmounts whatever is mounted below a directory that is to be removed. */
  async unmountBelow(directory: string): Promise<void> {
    const real = await realpath(directory).catch(() => null);
    if (real === null) return;
    for (const mountPoint of mountPointsBelow(real, await readMounts())) await unmount(mountPoint);
  }

  private async whyNoMounts(): Promise<string | null> {
    const { layout } = this.parts;
    const at = `${layout.tmp()}/mount-trial`;
    const image = `${at}.img`;
    try {
      if (await mountsAreHidden(layout.root)) return HIDDEN;
      await mkdir(at, { recursive: true });
      await makeImage(image, { bytes: 2 ** 20, files: 16 });
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
