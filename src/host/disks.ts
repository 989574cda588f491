/** Making and removing a machine's disk files with qemu-img, mkfs.ext4 and mkswap; all sparse, all in milliseconds. */

import { open, rm } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { run } from './exec.js';
import type { ImageInfo } from './image-format.js';

/**
 * A copy-on-write root disk on an image that stays as it is.
 *
 * @param bytes no less than the image has; the rest reads as zeros
 * @throws VacError `image-unusable` when the image does not fit
 */
export async function createOverlay(
  path: string,
  image: string,
  { format, virtualBytes }: ImageInfo,
  bytes = virtualBytes,
): Promise<void> {
  if (bytes < virtualBytes) {
    throw new VacError(
      'image-unusable',
      `image ${image} has ${virtualBytes} bytes and does not fit on a root disk of ${bytes}; raise root_disk_gb`,
    );
  }
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', image, '-F', format, path, String(bytes)]);
}

/** A sparse ext4 file system labelled `scratch` over the whole disk, so that a guest can mount it at once. */
export async function createScratch(path: string, bytes: number): Promise<void> {
  await createSparse(path, bytes);
  await run('mkfs.ext4', [
    '-q',
    '-F',
    '-L',
    'scratch',
    '-m',
    '0',
    '-E',
    'lazy_itable_init=1,lazy_journal_init=1,nodiscard',
    path,
  ]);
}

/** A sparse swap area labelled `swap`; a guest can swapon it at once. */
export async function createSwap(path: string, bytes: number): Promise<void> {
  await createSparse(path, bytes);
  await run('mkswap', ['-q', '-L', 'swap', path]);
}

/** An empty disk: zeros that take no space. @throws VacError `disk-too-large` when no file there can be of this size */
export async function createSparse(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.truncate(bytes).catch((cause: NodeJS.ErrnoException) => {
      // The second: beyond what Node counts to.
      if (cause.code !== 'EFBIG' && cause.code !== 'ERR_OUT_OF_RANGE') throw cause;
      throw new VacError(
        'disk-too-large',
        `the disk ${path} should have ${bytes / 1e9} GB, and the file system there can have no file of this size; lower disk_gb_per_processor (for swap: swap_mb_per_processor)`,
        { cause },
      );
    });
  } finally {
    await file.close();
  }
}

/** How large a volume must be for a qcow2 disk of this size, were it written full. */
export async function volumeBytesFor(bytes: number): Promise<number> {
  const args = ['measure', '--output=json', '-O', 'qcow2', '--size', String(bytes)];
  const { stdout } = await run('qemu-img', args);
  return Number((JSON.parse(stdout) as Record<string, number>)['fully-allocated']);
}

/**
 * Puts a disk made as a sparse file onto a block device, as qcow2, and removes the file. A machine then reads zeros where
 * it has not written, and never what an earlier one left on the device, without anybody having to wipe it.
 */
export async function createScratchOn(device: string, sparseFile: string): Promise<void> {
  await run('qemu-img', ['convert', '-q', '-f', 'raw', '-O', 'qcow2', sparseFile, device]);
  await rm(sparseFile);
}

export async function removeDisks(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}
