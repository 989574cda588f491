/**
 * Files of the state directory: written so that a crash at any instruction leaves the old content or the new, and read
 * so that a hostile guest, which can write some of them, gains nothing by what it puts there.
 */

import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { run } from './exec.js';

export interface WriteOptions {
  /** Exactly this, whatever the umask. Default 0o644. */
  readonly mode?: number;
  /** Owner and group; default: those of this process. */
  readonly uid?: number;
  readonly gid?: number;
  /** Where the temporary file is made: on the same filesystem. Default: the file's own directory, as a hidden file. */
  readonly tmpDir?: string;
  /** False: it may be lost when the host (not just this program) crashes; then nothing is waited for. Default true. */
  readonly durable?: boolean;
}

/**
 * Writes a file so that nobody ever sees a part of it: temporary file, fsync, rename, fsync of the directory. What
 * has the name already is replaced, be it a symbolic link, which is not followed.
 *
 * When `data` is a stream that fails, the file is as it was before.
 */
export async function writeFileAtomic(
  path: string,
  data: string | Uint8Array | AsyncIterable<Uint8Array>,
  options: WriteOptions = {},
): Promise<void> {
  const { mode = 0o644, uid = -1, gid = -1, tmpDir = dirname(path), durable = true } = options;
  const temporary = join(tmpDir, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    try {
      await writeFile(handle, data);
      if (uid !== -1 || gid !== -1) await handle.chown(uid, gid);
      await handle.chmod(mode);
      if (durable) await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (durable) await syncDirectory(dirname(path));
}

/** The names that `writeFileAtomic` gives its temporary files. */
const TEMPORARY_NAME = /^\..+\.[0-9a-f]{12}\.tmp$/;

/** Removes what writes that were cut off by a crash left in a directory; nobody may be writing there now. */
export async function removeTemporaries(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    if (TEMPORARY_NAME.test(name)) await rm(join(directory, name), { force: true });
  }
}

/** Makes renames and removals in a directory outlive a crash of the host. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The text of one of our own files; null when there is none. Other errors are thrown. */
export async function readTextIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return null;
    throw error;
  }
}

/**
 * The bytes of a file that a guest can write: only of a regular file of at most `maxBytes`, else null. Links are not
 * followed and a FIFO is not waited for. Only the last part of the path may be in the guest's hands.
 */
export async function readHostileFile(path: string, maxBytes: number): Promise<Buffer | null> {
  const handle = await openHostile(path, maxBytes);
  if (handle === null) return null;
  try {
    // One more than allowed: it may have grown since its size was looked at.
    const buffer = Buffer.alloc(Math.min((await handle.stat()).size, maxBytes) + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return length > maxBytes ? null : buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

/** As {@link readHostileFile}, piece by piece; at most `maxBytes` come, however it grows. Destroy it if it is not read. */
export async function streamHostileFile(path: string, maxBytes: number): Promise<Readable | null> {
  const handle = await openHostile(path, maxBytes);
  return handle === null ? null : handle.createReadStream({ start: 0, end: Math.max(0, maxBytes - 1) });
}

/** When a file that a guest can write was last changed, Unix ms; null when there is no regular file of that name. */
export async function hostileFileTimeMs(directory: string, name: string): Promise<number | null> {
  // A directory below is the guest's to replace by a link, so the name must be a single one.
  if (basename(name) !== name) return null;
  try {
    const info = await lstat(join(directory, name));
    return info.isFile() ? info.mtimeMs : null;
  } catch (error) {
    if (hasCode(error, NOT_TO_BE_OPENED)) return null;
    throw error;
  }
}

/**
 * The first line of what a guest wrote, fit for logs, terminals and datagrams: control characters and everything that
 * does not print (or turns the writing direction) is taken out, runs of white space are one space; null when nothing
 * is left.
 */
export function firstLineHarmless(bytes: Buffer, maxChars = 200): string | null {
  const [line = ''] = bytes.toString('utf8').split(/[\r\n]/, 1);
  const printable = line
    .replace(/\s+/gu, ' ')
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
    .trim();
  return [...printable].slice(0, maxChars).join('').trim() || null;
}

/** For a tree of a million files on a busy disk. */
const REMOVE_SECONDS = 600;

/**
 * Removes a file or a directory with all that is in it, links themselves and not what they name; missing is fine. A guest
 * may have filled it: by rm(1), which goes through open directories (so a tree may be deeper than any path is long), and
 * which leaves alone whatever is mounted in it.
 *
 * @throws CommandError when something is left, a mount for example
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (hasCode(error, ['ENOENT', 'ENOTDIR'])) return;
    if (!hasCode(error, ['EISDIR', 'EPERM'])) throw error;
    await run('rm', ['-rf', '--one-file-system', '--', path], { timeoutSeconds: REMOVE_SECONDS });
  }
}

/** Makes directories (0755 less the umask) with their parents; those that are there stay as they are. */
export async function makeDirs(paths: readonly string[]): Promise<void> {
  for (const path of paths) await mkdir(path, { recursive: true, mode: 0o755 });
}

/** What opening something that is no readable regular file fails with. */
const NOT_TO_BE_OPENED = ['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO', 'ENODEV', 'ENAMETOOLONG', 'EACCES', 'EPERM'];

async function openHostile(path: string, maxBytes: number): Promise<FileHandle | null> {
  let handle: FileHandle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (hasCode(error, NOT_TO_BE_OPENED)) return null;
    throw error;
  }
  const info = await handle.stat();
  if (info.isFile() && info.size <= maxBytes) return handle;
  await handle.close();
  return null;
}

function hasCode(error: unknown, codes: readonly string[]): boolean {
  return codes.includes((error as NodeJS.ErrnoException).code ?? '');
}
