/**
 * What a root image is. The rule is explicit, and is ours: what begins as qcow2 is qcow2, all else is raw and is always
 * opened as raw. No program guesses: a guest could otherwise write a qcow2 header into a raw disk and have the next
 * machine's QEMU open whatever file it names.
 *
 * A qcow2 must stand alone. Its header is read here, so that nothing else is opened before that is known.
 */

import { VacError } from '../errors.js';
import { runConfined } from './confined.js';
import { CommandError } from './exec.js';
import { isoDescriptor, readImageHead, unusable } from './image-head.js';

export interface ImageInfo {
  readonly format: 'raw' | 'qcow2';
  readonly virtualBytes: number;
}

const QCOW2_MAGIC = 0x514649fb;
/** Of version 2; version 3 has these fields at the same places, and more behind. */
const QCOW2_HEADER_BYTES = 72;
const INCOMPATIBLE_FEATURES_AT = 72;
const EXTERNAL_DATA_FILE = 1n << 2n;
/** An image larger than this is taken for a mistake or an attack (a qcow2 header may claim anything). */
const MAX_IMAGE_BYTES = 16 * 2 ** 40;
const CHECK_SECONDS = 60;
/** How shells, and what confines programs, say that there is no such program. */
const NOT_RUN = [126, 127];

const SECTOR_BYTES = 512;
const PARTITIONS_AT = 446;
/** The one partition of a GPT disk's protective boot sector may claim the most that it can, whatever the disk. */
const PROTECTIVE = 0xee;

/**
 * A disk image for a machine to boot from.
 *
 * @throws VacError `image-missing`, `image-unusable`
 */
export async function inspectImage(path: string): Promise<ImageInfo> {
  const { head, fileBytes } = await readImageHead(path);
  if (!isQcow2(head)) return inspectRaw(path, head, fileBytes);
  const virtualBytes = checkedSize(path, standaloneSize(path, head));
  await checkWhole(path);
  return { format: 'qcow2', virtualBytes };
}

/** What it is opened as. @throws VacError `image-missing`, `image-unusable` */
export async function imageFormat(path: string): Promise<ImageInfo['format']> {
  return isQcow2((await readImageHead(path)).head) ? 'qcow2' : 'raw';
}

/** Whether it is an ISO image rather than a disk. @throws VacError `image-missing`, `image-unusable` */
export async function isIso(path: string): Promise<boolean> {
  const { head } = await readImageHead(path);
  return !isQcow2(head) && isoDescriptor(head, 0, 1) !== null;
}

function isQcow2(head: Buffer): boolean {
  return head.length >= 4 && head.readUInt32BE(0) === QCOW2_MAGIC;
}

/** The size that a machine sees, of a qcow2 that names no other file (docs/interop/qcow2.txt of QEMU). */
function standaloneSize(path: string, head: Buffer): number {
  if (head.length < QCOW2_HEADER_BYTES)
    throw unusable(`image ${path} begins as qcow2, and is nothing but that beginning`);
  const version = head.readUInt32BE(4);
  if (version !== 2 && version !== 3) {
    throw unusable(
      `image ${path} is qcow2 of version ${version}, and only 2 and 3 are known; convert it (qemu-img convert)`,
    );
  }
  const refersToOther =
    head.readBigUInt64BE(8) !== 0n
      ? backingFile(head)
      : version === 3 && (head.readBigUInt64BE(INCOMPATIBLE_FEATURES_AT) & EXTERNAL_DATA_FILE) !== 0n
        ? 'an external data file'
        : null;
  if (refersToOther !== null) {
    throw unusable(
      `image ${path} refers to another file (${refersToOther}); give an image that stands alone (qemu-img convert)`,
    );
  }
  if (head.readUInt32BE(32) !== 0) throw unusable(`image ${path} is encrypted; give one that is not`);
  return Number(head.readBigUInt64BE(24));
}

/** Its name, for people; nothing is done with it. */
function backingFile(head: Buffer): string {
  const [from, bytes] = [Number(head.readBigUInt64BE(8)), head.readUInt32BE(16)];
  const name = head.toString('utf8', from, from + bytes).replace(/\p{C}/gu, '?');
  return name === '' ? 'a backing file' : name;
}

/**
 * A qcow2 that was cut off while it was copied still has its header, and a machine on it starts and reads zeros or errors
 * where the rest should be. The check reads the tables only: some milliseconds.
 */
async function checkWhole(path: string): Promise<void> {
  const args = ['check', '-q', '-f', 'qcow2', '--force-share', path];
  try {
    // 3: clusters that nobody uses, which is mere waste; 63: nothing to check in this kind of image.
    await runConfined('qemu-img', args, { timeoutSeconds: CHECK_SECONDS, allowExitCodes: [0, 3, 63] });
  } catch (cause) {
    if (!(cause instanceof CommandError) || NOT_RUN.includes(cause.details.exitCode ?? 0)) throw cause;
    throw new VacError(
      'image-unusable',
      `image ${path} is torn or damaged (see qemu-img check); copy it anew, under another name that is changed when it is whole`,
      { cause },
    );
  }
}

/** A raw disk that a BIOS or UEFI can start begins with a boot sector, and holds the partitions that this names. */
function inspectRaw(path: string, head: Buffer, fileBytes: number): ImageInfo {
  const bootable = head.length >= SECTOR_BYTES && head[510] === 0x55 && head[511] === 0xaa;
  if (!bootable) {
    throw unusable(
      `image ${path} is neither qcow2 nor a raw disk with a boot sector; is it an error page or a compressed file?`,
    );
  }
  const claimedBytes = partitionsEnd(head);
  if (claimedBytes > fileBytes) {
    throw unusable(
      `image ${path} has ${fileBytes} bytes, and partitions up to byte ${claimedBytes}: it was cut off; copy it anew`,
    );
  }
  return { format: 'raw', virtualBytes: checkedSize(path, fileBytes) };
}

/** Where the last partition of a boot sector ends; 0 where there is none, as on a disk without partitions. */
function partitionsEnd(head: Buffer): number {
  const entries = [0, 1, 2, 3].map((number) =>
    head.subarray(PARTITIONS_AT + number * 16, PARTITIONS_AT + (number + 1) * 16),
  );
  // A boot sector without partitions has code there, whose first bytes are not the two flags that a partition may have.
  if (!entries.every((entry) => entry[0] === 0 || entry[0] === 0x80)) return 0;
  const ends = entries
    .filter((entry) => entry[4] !== 0 && entry[4] !== PROTECTIVE)
    .map((entry) => (entry.readUInt32LE(8) + entry.readUInt32LE(12)) * SECTOR_BYTES);
  return Math.max(0, ...ends);
}

function checkedSize(path: string, bytes: number): number {
  if (!(bytes > 0 && bytes <= MAX_IMAGE_BYTES)) throw unusable(`image ${path} claims a size of ${bytes} bytes`);
  return bytes;
}
