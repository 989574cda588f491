/**
 * An image that several machines use at once, and that none of them may alter. libvirt gives the files of a domain, an
 * overlay's backing file included, to the user that all QEMUs run as: a guest that broke its QEMU could then write into
 * what the others boot from. So libvirt is told to leave the image's owner alone, where QEMU can read it as it is.
 */

import { chown, stat } from 'node:fs/promises';
import { imageFormat } from '../host/image-format.js';
import type { DomainDisk } from './domain-xml.js';

export interface SharedImage {
  readonly path: string;
  readonly format: 'raw' | 'qcow2';
}

const READABLE_BY_ALL = 0o004;

/**
 * Null: not everybody may read it, so libvirt must make it QEMU's, or nothing would start.
 *
 * @param emulatorUid whom libvirt runs QEMU as; an image that became its by an earlier libvirt is made root's again
 * @throws VacError `image-missing`
 */
export async function sharedImage(path: string, emulatorUid: number | null): Promise<SharedImage | null> {
  const format = await imageFormat(path);
  const { uid, gid, mode } = await stat(path);
  if ((mode & READABLE_BY_ALL) === 0) return null;
  if (uid !== 0 && uid === emulatorUid) await chown(path, 0, gid);
  return { path, format };
}

/** The disk that is the image, or has it beneath it, says so; others stay as they are. Pure. */
export function withSharedImage(disk: DomainDisk, image: SharedImage | null): DomainDisk {
  if (image === null) return disk;
  if (disk.path === image.path) return { ...disk, isShared: true };
  return disk.serial === 'root' ? { ...disk, backing: image } : disk;
}
