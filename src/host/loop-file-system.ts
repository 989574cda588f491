/**
 * A file system of a fixed size and number of files inside one file, so that whoever writes there fills that and nothing
 * else. Only this host's kernel writes the file's bytes, so mounting it is no parsing of a stranger's data.
 */

import { chmod, open, rename, rm, rmdir } from 'node:fs/promises';
import { createSparse } from './disks.js';
import { run } from './exec.js';
import { mountLoop } from './mounts.js';

export interface FileSystemSize {
  /** What files may take in all, in whole blocks. */
  readonly bytes: number;
  /** Files and directories; a few more may fit. */
  readonly files: number;
}

const BLOCK_BYTES = 4096;
const INODE_BYTES = 256;
/** Kept for what ext4 keeps its own accounts in. */
const JOURNAL_MIB = 4;
const OVERHEAD_BYTES = (JOURNAL_MIB + 4) * 2 ** 20;
/** Inodes that ext4 has for itself, lost+found included. */
const RESERVED_INODES = 11;

/** How large the image must be for what its owner was promised. Pure. */
export function imageBytes({ bytes, files }: FileSystemSize): number {
  const needed = bytes * (1 + 1 / 128) + files * INODE_BYTES + OVERHEAD_BYTES;
  return Math.ceil(needed / BLOCK_BYTES) * BLOCK_BYTES;
}

/**
 * Makes the image; a name that is there afterwards is a whole file system, whatever was cut off. Its space is taken now,
 * so that a host whose disk is full later has none of the writers into it fail.
 *
 * @throws CommandError, `ENOSPC`
 */
export async function makeImage(path: string, size: FileSystemSize): Promise<void> {
  const making = `${path}.tmp`;
  const bytes = imageBytes(size);
  await rm(making, { force: true });
  try {
    await createSparse(making, bytes);
    await allocate(making, bytes);
    await run('mkfs.ext4', [
      ...['-q', '-F', '-b', String(BLOCK_BYTES), '-I', String(INODE_BYTES), '-N', String(size.files + RESERVED_INODES)],
      // Nothing reserved: of those who write there, none is root. The journal lets it outlive a crash of the host.
      ...['-m', '0', '-e', 'remount-ro', '-J', `size=${JOURNAL_MIB}`, '-O', '^resize_inode'],
      ...['-E', 'lazy_itable_init=1,lazy_journal_init=1,nodiscard'],
      making,
    ]);
    await rename(making, path);
  } catch (error) {
    await rm(making, { force: true });
    throw error;
  }
}

/** Its root is for root alone. @throws CommandError */
export async function mountImage(path: string, at: string): Promise<void> {
  await mountLoop(path, at);
  await chmod(at, 0o700);
  // Of no use to anybody: what fsck would put there is made again when it is needed.
  await rmdir(`${at}/lost+found`).catch(() => {});
}

/**
 * Removes an image that is mounted no more in this mount namespace. It may be in another one (QEMU's, made while it was
 * mounted here), which would keep its space for as long: so it is emptied first. That is safe after `makeReadOnly`.
 */
export async function dropImage(path: string, { wasReadOnly }: { wasReadOnly: boolean }): Promise<void> {
  if (wasReadOnly) {
    const file = await open(path, 'r+');
    await file.truncate(0).finally(() => file.close());
  }
  await rm(path, { force: true });
}

/** Takes the space of a sparse file; where the file system cannot do that it stays sparse. */
async function allocate(path: string, bytes: number): Promise<void> {
  const { exitCode, stderr } = await run('fallocate', ['--length', String(bytes), path], { allowExitCodes: [0, 1] });
  if (exitCode !== 0 && /No space left/.test(stderr)) {
    throw Object.assign(new Error(`${path}: no space left on device for ${Math.ceil(bytes / 2 ** 20)} MiB`), {
      code: 'ENOSPC',
    });
  }
}
