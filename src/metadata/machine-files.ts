/**
 * Machines' files as vacd reads and writes them for the HTTP server, as root. A machine also writes joboutputs by NFS,
 * so that directory may hold anything that a guest can make: links, FIFOs, directories, a million files. What is PUT is
 * written as a hidden file there, which may be a file system of its own, and renamed when it is whole; a guest that
 * meddles with it meanwhile gets what it could have put there itself.
 */

import type { Dirent } from 'node:fs';
import { lstat, opendir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import type { JoboutputsLimits } from '../factory/joboutputs-limits.js';
import { readHostileFile, streamHostileFile, writeFileAtomic } from '../host/files.js';
import type { GuestOwner } from '../host/guest-owner.js';
import { MAX_PUT_BYTES } from './limits.js';
import { FILE_NAME, type GuestDirectory, type MetadataMachine, type Place, type PutOutcome } from './source.js';

/** A machine, and where its files are. */
export interface HostMachine extends MetadataMachine {
  /** With machinefeatures/, jobfeatures/, joboutputs/ and user_data in it. */
  readonly directory: string;
  /** What it may have in joboutputs before PUT is refused. */
  readonly limits: JoboutputsLimits;
}

const MAX_USER_DATA_BYTES = 16 * 2 ** 20;
const MAX_FEATURE_BYTES = 65_536;
/** What a PUT writes between two looks at the room that is left: others of the same machine write meanwhile. */
const LOOK_BYTES = 2 ** 20;
/** Files that are looked at before each PUT, where nothing else counts them; more is full. */
const MAX_COUNTED = 2000;
/** Names that are looked at in a directory; by NFS a machine can make a million. */
export const MAX_LISTED = 1000;

/** Names of the regular files in a directory, sorted. */
export async function listFiles(machine: HostMachine, directory: GuestDirectory): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of entries(`${machine.directory}/${directory}`, MAX_LISTED)) {
    if (entry.isFile() && FILE_NAME.test(entry.name)) names.push(entry.name);
  }
  return names.sort();
}

/** Null: no such file, or none that may be read. A stream must be read or destroyed. */
export async function readMachineFile(
  machine: HostMachine,
  place: Place,
  name: string,
): Promise<Buffer | Readable | null> {
  if (place === 'user_data') return streamHostileFile(`${machine.directory}/user_data`, MAX_USER_DATA_BYTES);
  if (!FILE_NAME.test(name)) return null;
  const path = `${machine.directory}/${place}/${name}`;
  // A guest may have made its file however large within its limit.
  return place === 'joboutputs'
    ? streamHostileFile(path, machine.limits.bytes)
    : readHostileFile(path, MAX_FEATURE_BYTES);
}

/** When the body fails, or vacd for a fault of the host, the file is as it was before. */
export async function putJoboutput(
  machine: HostMachine,
  name: string,
  body: AsyncIterable<Uint8Array>,
  owner: GuestOwner,
): Promise<PutOutcome> {
  const directory = `${machine.directory}/joboutputs`;
  if (!FILE_NAME.test(name)) return 'bad-name';
  const roomBytes = await roomFor(name, directory, machine.limits);
  if (roomBytes <= 0) return 'full';
  const isFull = async () => (await roomFor(name, directory, machine.limits)) < 0;
  try {
    await writeFileAtomic(`${directory}/${name}`, limited(body, roomBytes, isFull), { ...owner, durable: false });
    return 'created';
  } catch (error) {
    if (error instanceof FullError) return 'full';
    if (error instanceof TooLargeError) return roomBytes < MAX_PUT_BYTES ? 'full' : 'too-large';
    switch ((error as NodeJS.ErrnoException).code) {
      case 'EISDIR':
      case 'ENOTEMPTY':
        return 'directory';
      case 'ENOSPC':
      case 'EDQUOT':
        return 'full';
      default:
        throw error;
    }
  }
}

async function* entries(directory: string, most: number): AsyncGenerator<Dirent> {
  let count = 0;
  for await (const entry of await opendir(directory)) {
    yield entry;
    count += 1;
    if (count >= most) return;
  }
}

/** How many bytes a file of this name may have; 0 or less: there is no room for it. */
async function roomFor(name: string, directory: string, limits: JoboutputsLimits): Promise<number> {
  // A file system of its own knows by itself when it is full.
  if ((await stat(directory)).dev !== (await stat(dirname(directory))).dev) return MAX_PUT_BYTES;
  let files = 0;
  let bytes = 0;
  const most = Math.min(limits.files, MAX_COUNTED);
  for await (const entry of entries(directory, most)) {
    if (entry.name === name) continue;
    files += 1;
    // The machine may remove it at this very moment.
    const info = await lstat(`${directory}/${entry.name}`).catch(() => null);
    bytes += info?.size ?? 0;
  }
  return files >= most ? 0 : Math.min(MAX_PUT_BYTES, limits.bytes - bytes);
}

class TooLargeError extends Error {}
class FullError extends Error {}

async function* limited(
  body: AsyncIterable<Uint8Array>,
  maxBytes: number,
  isFull: () => Promise<boolean>,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  let lookedAtBytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new TooLargeError();
    yield chunk;
    if (bytes - lookedAtBytes < LOOK_BYTES) continue;
    lookedAtBytes = bytes;
    if (await isFull()) throw new FullError();
  }
}
