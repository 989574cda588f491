/**
 * What a machine left: its outputs, the site's log of it, its console, its accounting records. Outputs are the guest's, so
 * only regular files count, no link is followed, and only so much is listed and read as its end may take.
 */

import { constants, type Dirent } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { recordFileName } from '../accounting/record.js';
import type { MachineEnd, MachineRecord } from '../factory/types.js';
import { hashFile } from '../host/file-hash.js';
import { readTextIfThere } from '../host/files.js';
import type { StateLayout } from '../machines/layout.js';
import type { FileTrail, LeftTrail } from './record.js';

const MAX_FILES = 100;
/** Of names as the trail has them. */
const MAX_NAME_CHARACTERS = 200;
/** Read of all outputs of a machine for their digests, and of each of its logs; some 0.1 s. */
const MAX_DIGEST_BYTES = 32 * 2 ** 20;

/** To be called when nobody writes there any more. */
export async function leftBy(layout: StateLayout, record: MachineRecord, end: MachineEnd): Promise<LeftTrail> {
  const directory = layout.inMachine(record.id, 'joboutputs');
  const { files, notListed } = await filesIn(directory);
  const logPath = layout.machineLog(record.id);
  return {
    directory: layout.machine(record.id),
    files,
    notListed,
    log: await fileTrail(logPath, logPath, MAX_DIGEST_BYTES),
    console: await fileTrail(layout.inMachine(record.id, 'console.log'), 'console.log', MAX_DIGEST_BYTES),
    accounting: await accountingNames(layout, record, end),
  };
}

async function filesIn(directory: string): Promise<Pick<LeftTrail, 'files' | 'notListed'>> {
  const entries: Dirent[] = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const all = entries.sort((one, other) => (one.name < other.name ? -1 : 1));
  const files: FileTrail[] = [];
  let bytesLeft = MAX_DIGEST_BYTES;
  for (const { name } of all.filter((entry) => entry.isFile()).slice(0, MAX_FILES)) {
    const file = await fileTrail(join(directory, name), printable(name), bytesLeft);
    if (file === null) continue;
    if (file.sha256 !== null) bytesLeft -= file.bytes;
    files.push(file);
  }
  return { files, notListed: all.length - files.length };
}

/** A name that a guest chose, on one line and without what steers terminals. */
function printable(name: string): string {
  return name.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?').slice(0, MAX_NAME_CHARACTERS);
}

/** Null: there is no regular file of this name. */
async function fileTrail(path: string, name: string, maxBytes: number): Promise<FileTrail | null> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags).catch(() => null);
  if (handle === null) return null;
  try {
    const info = await handle.stat();
    if (!info.isFile()) return null;
    if (info.size > maxBytes) return { name, bytes: info.size, sha256: null };
    return { name, ...(await hashFile(handle, info.size))! };
  } finally {
    await handle.close();
  }
}

/** Names in the archive of the records of a machine's end; another machine's of the same second may share the prefix. */
async function accountingNames(layout: StateLayout, record: MachineRecord, end: MachineEnd): Promise<string[]> {
  const { day, name } = recordFileName(end.timeSeconds, record.uuid);
  const directory = join(layout.apelArchive(), day);
  const second = name.slice(0, 6);
  const names = (await readdir(directory).catch(() => [])).filter((each) => each.startsWith(second)).sort();
  const found: string[] = [];
  for (const each of names) {
    const text = (await readTextIfThere(join(directory, each))) ?? '';
    if (text.includes(record.uuid)) found.push(`${day}/${each}`);
  }
  return found;
}
