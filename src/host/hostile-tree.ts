/**
 * Walking through, and copying from, a directory that a guest filled. It may hold links, FIFOs, a million names, names
 * of any bytes, and directories that turn into links while we look. So every step goes through an open directory, never
 * by a path through what the guest could exchange, and everything is counted.
 */

import type { Dir, Stats } from 'node:fs';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';

export interface TreeLimits {
  /** Of all files together, by their apparent sizes: a sparse file counts as if it were full. */
  readonly bytes: number;
  /** Names of any kind that are looked at. */
  readonly entries: number;
}

/** Directories within directories that are looked into. */
const MAX_DEPTH = 8;

export type LeftOutReason =
  | 'link or special file'
  | 'too large in all'
  | 'too many'
  | 'too deep'
  | 'name'
  | 'unreadable';

export interface CopyReport {
  files: number;
  bytes: number;
  /** How many, by the reason; with the first few names, escaped. */
  readonly leftOut: Map<LeftOutReason, { count: number; readonly examples: string[] }>;
}

const EXAMPLES_MAX = 5;

/**
 * Copies the regular files of a guest's directory into one of our own, which is made. What is copied belongs to this
 * process with mode 0644, has its time of change, and is on disk; nothing but bytes, names and times comes over.
 *
 * @throws what writing fails with (`ENOSPC`, `EIO`); nothing that the guest put there makes it fail
 */
export async function copyHostileTree(from: string, to: string, limits: TreeLimits): Promise<CopyReport> {
  const report: CopyReport = { files: 0, bytes: 0, leftOut: new Map() };
  const leave = (reason: LeftOutReason, name: Buffer | string) => {
    const known = report.leftOut.get(reason) ?? { count: 0, examples: [] };
    known.count += 1;
    if (known.examples.length < EXAMPLES_MAX) known.examples.push(typeof name === 'string' ? name : escapedName(name));
    report.leftOut.set(reason, known);
  };
  const walk = async (handle: FileHandle, into: string, depth: number): Promise<boolean> => {
    for await (const { name, info, path } of entriesOf(handle)) {
      entries += 1;
      if (entries > limits.entries) {
        leave('too many', '…');
        return false;
      }
      const safe = safeName(name);
      if (safe === null) leave('name', name);
      else if (info === null) leave('unreadable', name);
      else if (info.isDirectory()) {
        if (depth === MAX_DEPTH) leave('too deep', name);
        else if (!(await descend(path, join(into, safe), depth))) return false;
      } else if (!info.isFile()) leave('link or special file', name);
      else if (info.size > limits.bytes - report.bytes) leave('too large in all', name);
      else await copy(path, join(into, safe), name);
    }
    return true;
  };
  const descend = async (path: Buffer, into: string, depth: number): Promise<boolean> => {
    const handle = await openIfThere(path, constants.O_DIRECTORY);
    if (handle === null) return true;
    try {
      await mkdir(into, { mode: 0o755 }).catch(ignoreExisting);
      return await walk(handle, into, depth + 1);
    } finally {
      await handle.close();
    }
  };
  const copy = async (path: Buffer, to: string, name: Buffer): Promise<void> => {
    const source = await openIfThere(path, constants.O_NONBLOCK);
    if (source === null) return leave('unreadable', name);
    try {
      // Looked at again: it may be another by now.
      const info = await source.stat();
      if (!info.isFile()) return leave('link or special file', name);
      const target = await open(to, 'wx', 0o644).catch(ignoreExisting);
      // Two names that are one when they are made harmless.
      if (target === undefined) return leave('name', name);
      try {
        report.bytes += await copyBytes(source, target, limits.bytes - report.bytes);
        report.files += 1;
        await target.chmod(0o644);
        await target.utimes(info.mtime, info.mtime).catch(() => {});
        await target.sync();
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  };
  let entries = 0;
  await mkdir(to, { mode: 0o755 });
  const root = await open(from, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  try {
    await walk(root, to, 0);
  } finally {
    await root.close();
  }
  return report;
}

/** What a guest's directory holds, counted up to a little more than the limits. Bytes are those that are really taken. */
export async function measureHostileTree(
  directory: string,
  limits: TreeLimits,
): Promise<{ bytes: number; entries: number }> {
  const total = { bytes: 0, entries: 0 };
  const isOver = () => total.bytes > limits.bytes || total.entries > limits.entries;
  const walk = async (handle: FileHandle, depth: number): Promise<void> => {
    for await (const { info, path } of entriesOf(handle)) {
      total.entries += 1;
      total.bytes += (info?.blocks ?? 0) * 512;
      if (isOver()) return;
      if (!info?.isDirectory()) continue;
      // Deeper than is looked into: what is there cannot be told, so it counts as too much.
      if (depth === MAX_DEPTH) total.entries = limits.entries + 1;
      const below = depth === MAX_DEPTH ? null : await openIfThere(path, constants.O_DIRECTORY);
      if (below !== null) await walk(below, depth + 1).finally(() => below.close());
      if (isOver()) return;
    }
  };
  const root = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  await walk(root, 0).finally(() => root.close());
  return total;
}

interface Entry {
  readonly name: Buffer;
  /** Through the open directory. */
  readonly path: Buffer;
  /** Of the entry itself and not of what it may point to; null: gone by now, or the file system is at fault. */
  readonly info: Stats | null;
}

async function* entriesOf(handle: FileHandle): AsyncGenerator<Entry> {
  const base = `/proc/self/fd/${handle.fd}`;
  // The types do not know that names can be had as bytes.
  const directory: Dir = await opendir(base, { encoding: 'buffer' as BufferEncoding, bufferSize: 256 });
  for await (const entry of directory) {
    const name = entry.name as unknown as Buffer;
    const path = Buffer.concat([Buffer.from(`${base}/`), name]);
    yield { name, path, info: await lstat(path).catch(() => null) };
  }
}

async function openIfThere(path: Buffer, flags: number): Promise<FileHandle | null> {
  return open(path, constants.O_RDONLY | constants.O_NOFOLLOW | flags).catch(() => null);
}

const CHUNK_BYTES = 256 * 2 ** 10;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** Runs of zeros stay holes. @returns how many bytes there are */
async function copyBytes(source: FileHandle, target: FileHandle, maxBytes: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let position = 0;
  for (;;) {
    const { bytesRead } = await source.read(chunk, 0, Math.min(CHUNK_BYTES, maxBytes - position), position);
    if (bytesRead === 0) break;
    const part = chunk.subarray(0, bytesRead);
    if (!part.equals(ZEROS.subarray(0, bytesRead))) await target.write(part, 0, bytesRead, position);
    position += bytesRead;
  }
  await target.truncate(position);
  return position;
}

const NAME_MAX_BYTES = 255;

/** The name under which a guest's file is kept: its own, or with bytes that do not print as %XX; null: it does not fit. */
export function safeName(name: Buffer): string | null {
  const text = name.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(name) && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text)) return text;
  const escaped = escapedName(name);
  return escaped.length <= NAME_MAX_BYTES ? escaped : null;
}

function escapedName(name: Buffer): string {
  return [...name]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[\w.-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
}

function ignoreExisting(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'EEXIST') throw error;
  return undefined;
}
