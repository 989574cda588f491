/**
 * joboutputs over HTTP. A machine also writes there by NFS, so the directory may hold anything that a guest can make:
 * links, FIFOs, directories, a million files. What is PUT is written beside it, where the guest does not reach, and
 * renamed into it whole.
 */

import type { Dirent } from 'node:fs';
import { lstat, mkdir, opendir } from 'node:fs/promises';
import { streamHostileFile, writeFileAtomic } from '../host/files.js';
import type { GuestOwner } from '../host/guest-owner.js';
import type { MetadataMachine } from './handler.js';
import { file, listing, type MetadataResponse, NOT_FOUND, text } from './response.js';

/** Names that are served and accepted: no hidden file, no path. */
export const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export const MAX_PUT_BYTES = 10 * 2 ** 20;
/** What a machine may have in joboutputs before PUT is refused, so that it cannot fill the host this way. */
export const MAX_JOBOUTPUTS_BYTES = 100 * 2 ** 20;
export const MAX_JOBOUTPUTS_FILES = 1000;

const FULL = text('joboutputs is full\n', 507);

/** Names of the regular files in a directory, sorted. */
export async function listFiles(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of entries(directory)) {
    if (entry.isFile() && FILE_NAME.test(entry.name)) names.push(entry.name);
  }
  return names.sort();
}

/** The listing, or one file, however large the machine has made it within its limit. */
export async function getJoboutput(machine: MetadataMachine, path: readonly string[]): Promise<MetadataResponse> {
  const directory = `${machine.directory}/joboutputs`;
  const [name] = path;
  if (name === undefined) return listing(await listFiles(directory));
  if (path.length > 1 || !FILE_NAME.test(name)) return NOT_FOUND;
  return file(await streamHostileFile(`${directory}/${name}`, MAX_JOBOUTPUTS_BYTES));
}

/** 201 when the whole of it is there, new or in place of an older file; 403 for a name that cannot be (SPEC 5). */
export async function putJoboutput(
  machine: MetadataMachine,
  path: readonly string[],
  body: AsyncIterable<Uint8Array>,
  owner: GuestOwner,
): Promise<MetadataResponse> {
  const directory = `${machine.directory}/joboutputs`;
  const tmpDir = `${machine.directory}/put-tmp`;
  const [name] = path;
  if (name === undefined || path.length > 1 || !FILE_NAME.test(name)) return refused('bad name');
  const roomBytes = await roomFor(name, directory);
  if (roomBytes <= 0) return FULL;
  try {
    await makePrivate(tmpDir);
    await writeFileAtomic(`${directory}/${name}`, limited(body, roomBytes), { ...owner, tmpDir, durable: false });
    return text('created\n', 201);
  } catch (error) {
    if (error instanceof TooLargeError) return roomBytes < MAX_PUT_BYTES ? FULL : text('too large\n', 413);
    switch (codeOf(error)) {
      case 'EISDIR':
        return refused('name is taken by a directory');
      case 'ENOSPC':
      case 'EDQUOT':
        return FULL;
      default:
        throw error;
    }
  }
}

export function refused(why: string): MetadataResponse {
  return text(`${why}\n`, 403);
}

/** What is in a directory, as far as PUT lets a machine go: by NFS it can make a million files. */
async function* entries(directory: string): AsyncGenerator<Dirent> {
  let count = 0;
  for await (const entry of await opendir(directory)) {
    yield entry;
    count += 1;
    if (count === MAX_JOBOUTPUTS_FILES) return;
  }
}

/** How many bytes a file of this name may have; 0 or less: there is no room for it. */
async function roomFor(name: string, directory: string): Promise<number> {
  let files = 0;
  let bytes = 0;
  for await (const entry of entries(directory)) {
    if (entry.name === name) continue;
    files += 1;
    // The machine may remove it at this very moment.
    const info = await lstat(`${directory}/${entry.name}`).catch(() => null);
    bytes += info?.size ?? 0;
  }
  return files >= MAX_JOBOUTPUTS_FILES ? 0 : Math.min(MAX_PUT_BYTES, MAX_JOBOUTPUTS_BYTES - bytes);
}

/** Not with its parents: the directory of a machine that has just been forgotten must not come back. */
async function makePrivate(directory: string): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch((error) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
}

class TooLargeError extends Error {}

async function* limited(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new TooLargeError();
    yield chunk;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
