/** Making and removing a machine's disk files with qemu-img, mkfs.ext4 and mkswap; all sparse, all in milliseconds. */

import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { run } from './exec.js';

export interface ImageInfo {
  readonly format: 'raw' | 'qcow2';
  readonly virtualBytes: number;
}

/** First bytes of a qcow2 file. A format is decided by these alone, by us; never by a probing QEMU. */
const QCOW2_MAGIC = Buffer.from('QFI\xfb', 'latin1');

/** An image larger than this is taken for a mistake or an attack (a qcow2 header may claim anything). */
const MAX_IMAGE_BYTES = 16 * 2 ** 40;

/**
 * What a site's root image is. A raw image is whatever does not begin as qcow2 and looks bootable; a qcow2 may
 * name no backing or data file of its own, since that would let an image read files of this host.
 *
 * @throws VacError `image-missing`, `image-unusable`
 */
export async function inspectImage(path: string): Promise<ImageInfo> {
  const head = await readHead(path);
  if (!head.subarray(0, 4).equals(QCOW2_MAGIC)) return inspectRaw(path, head);
  const { stdout } = await run('qemu-img', ['info', '--output=json', '-f', 'qcow2', path], {
    timeoutSeconds: 30,
  }).catch((cause) => {
    throw new VacError('image-unusable', `image ${path} begins as qcow2 but qemu-img cannot read it`, { cause });
  });
  const info = JSON.parse(stdout) as Record<string, unknown> & {
    'format-specific'?: { data?: Record<string, unknown> };
  };
  const foreign =
    info['backing-filename'] ?? info['full-backing-filename'] ?? info['format-specific']?.data?.['data-file'];
  if (foreign !== undefined) {
    throw new VacError(
      'image-unusable',
      `image ${path} refers to another file (${String(foreign)}); give an image that stands alone (qemu-img convert)`,
    );
  }
  const virtualBytes = checkedSize(path, Number(info['virtual-size']));
  await checkWhole(path);
  return { format: 'qcow2', virtualBytes };
}

/**
 * A qcow2 that was cut off while it was copied still has its header, and a machine on it starts and reads zeros or errors
 * where the rest should be. The check reads the tables only: some milliseconds.
 */
async function checkWhole(path: string): Promise<void> {
  const args = ['check', '-q', '-f', 'qcow2', '--force-share', path];
  const { exitCode } = await run('qemu-img', args, { timeoutSeconds: 30, allowExitCodes: [0, 1, 2, 3, 63] });
  // 3: clusters that nobody uses, which is mere waste; 63: nothing to check in this kind of image.
  if (exitCode !== 1 && exitCode !== 2) return;
  throw new VacError(
    'image-unusable',
    `image ${path} is torn or damaged (see qemu-img check); copy it anew, under another name that is changed when it is whole`,
  );
}

const HEAD_BYTES = 64 * 1024;

async function readHead(path: string): Promise<Buffer> {
  try {
    // O_NONBLOCK: a FIFO must be refused, and not waited for until somebody writes into it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) throw new VacError('image-unusable', `image ${path} is not a regular file`);
      const buffer = Buffer.alloc(HEAD_BYTES);
      const { bytesRead } = await file.read(buffer, 0, HEAD_BYTES, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof VacError) throw cause;
    throw new VacError('image-missing', `image ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** A raw disk that a BIOS or UEFI can start begins with a boot sector. */
async function inspectRaw(path: string, head: Buffer): Promise<ImageInfo> {
  const bootable = head.length >= 512 && head[510] === 0x55 && head[511] === 0xaa;
  if (!bootable) {
    throw new VacError(
      'image-unusable',
      `image ${path} is neither qcow2 nor a raw disk with a boot sector; is it an error page or a compressed file?`,
    );
  }
  const file = await open(path, constants.O_RDONLY);
  try {
    return { format: 'raw', virtualBytes: checkedSize(path, (await file.stat()).size) };
  } finally {
    await file.close();
  }
}

function checkedSize(path: string, bytes: number): number {
  if (!(bytes > 0 && bytes <= MAX_IMAGE_BYTES)) {
    throw new VacError('image-unusable', `image ${path} claims a size of ${bytes} bytes`);
  }
  return bytes;
}

/** A copy-on-write root disk on an image that stays as it is. */
export async function createOverlay(path: string, image: string, info: ImageInfo): Promise<void> {
  await run('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-b',
    image,
    '-F',
    info.format,
    path,
    String(info.virtualBytes),
  ]);
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

async function createSparse(path: string, bytes: number): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
}

export async function removeDisks(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true });
}
