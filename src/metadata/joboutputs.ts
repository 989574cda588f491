/**
 * joboutputs over HTTP. A machine also writes there by NFS, so the directory may hold anything that a guest can make:
 * links, FIFOs, directories, a million files. What is PUT is written beside it, where the guest does not reach, and
 * renamed into it whole.
 */

import { lstat, mkdir, opendir } from 'node:fs/promises';
import { streamHostileFile, writeFileAtomic } from '../host/files.js';
import type { MetadataMachine } from './handler.js';
import { file, listing, type MetadataResponse, NOT_FOUND, text } from './response.js';

/** uid and gid of files that a machine makes: those that NFS squashes its users to. */
export interface GuestOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Names that are served and accepted: no hidden file, no path. */
export const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export const MAX_PUT_BYTES = 10 * 2 ** 20;
/** What a machine may have in joboutputs before PUT is refused, so that it cannot fill the host this way. */
export const MAX_JOBOUTPUTS_BYTES = 100 * 2 ** 20;
export const MAX_JOBOUTPUTS_FILES = 1000;

/** Names of the regular files in a directory, sorted; no more than are accepted by PUT are looked at. */
export async function listFiles(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const name of firstNames(directory, (entry) => entry.isFile())) {
    if (FILE_NAME.test(name)) names.push(name);
  }
  return names.sort();
}

export async function getJoboutput(machine: MetadataMachine, path: readonly string[]): Promise<MetadataResponse> {
  const directory = `${machine.directory}/joboutputs`;
  const [name] = path;
  if (name === undefined) return listing(await listFiles(directory));
  if (path.length > 1 || !FILE_NAME.test(name)) return NOT_FOUND;
  return file(await streamHostileFile(`${directory}/${name}`, MAX_JOBOUTPUTS_BYTES));
}

/** 201 when it is there, new or instead of an older one (HSF-TN-2016-02), 403 for names that cannot be. */
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
  try {
    const room = await roomFor(name, directory);
    if (room <= 0) return FULL;
    await mkdir(tmpDir, { mode: 0o700 }).catch(ignore('EEXIST'));
    await writeFileAtomic(`${directory}/${name}`, limited(body, room), { ...owner, tmpDir, durable: false });
    return text('created\n', 201);
  } catch (error) {
    if (error instanceof TooLargeError) return error.limitBytes < MAX_PUT_BYTES ? FULL : text('too large\n', 413);
    return answerTo((error as NodeJS.ErrnoException).code) ?? Promise.reject(error);
  }
}

export function refused(why: string): MetadataResponse {
  return text(`${why}\n`, 403);
}
