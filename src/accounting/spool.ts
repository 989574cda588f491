/**
 * Exactly-once spooling of accounting records. Each step may be the last thing that a dying vacd does; then all is
 * called again with the same record and finds out from the files how far it came:
 *
 *     apel-record in the     archive has
 *     machine's directory    its record
 *           -                    -          nothing is done yet
 *          yes                   -          staged
 *          yes                  yes         archived
 *           -                   yes         released: sent on its way, or kept for the archive only
 *
 * Releasing is one rename(2) of the staged file into the outgoing directory, so it is both the effect and the proof of
 * it: a sender that has taken the file away meanwhile is not given it again.
 */

import { randomBytes } from 'node:crypto';
import { link, lstat, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../errors.js';
import { makeDirs, readTextIfThere, syncDirectory, writeFileAtomic } from '../host/files.js';
import type { StateLayout } from '../machines/layout.js';
import { type RecordFile, recordKey } from './record.js';

/** The steps in their order, by the names that `onStep` is told. */
export const SPOOL_STEPS = ['record-staged', 'record-archived', 'record-released'] as const;

const COPY = 'apel-record.copy';
/** A sender removes the directory of a day that it has emptied, perhaps between our making it and using it. */
const RELEASE_ATTEMPTS = 10;

/**
 * Puts a record into the archive and, when `outgoing`, where the sender takes it from. Both have it under one name:
 * `file`, or the next free digits when another record has that name. Calling it again changes nothing. Until it is
 * released, a later call's text replaces the one of an earlier call that was broken off.
 *
 * One call at a time for one machine; any number of machines at a time.
 *
 * @param text of `recordText`
 * @param how `stagedName`: another for each record of one machine
 * @param onStep told of each step before it is done; what it throws is as a crash
 * @throws VacError `spool-unusable` when the archive or apel-outgoing is on another filesystem than the machines
 */
export async function spoolRecord(
  layout: StateLayout,
  machineDirectory: string,
  text: string,
  file: RecordFile,
  { outgoing, stagedName = 'apel-record' }: { readonly outgoing: boolean; readonly stagedName?: string },
  onStep: (name: string) => void | Promise<void> = () => {},
): Promise<void> {
  const staged = join(machineDirectory, stagedName);
  const archiveDay = join(layout.apelArchive(), file.day);
  if ((await isArchived(archiveDay, file.name, text)) && !(await exists(staged))) return;

  await onStep('record-staged');
  await writeFileAtomic(staged, text);

  await onStep('record-archived');
  const name = await archive(join(machineDirectory, COPY), text, archiveDay, file.name);

  await onStep('record-released');
  if (outgoing) await release(staged, join(layout.apelOutgoing(), file.day), name);
  else await rm(staged);
  await syncDirectory(machineDirectory);
}

/**
 * Puts a message that the archive does not keep, or has already, where the sender takes it from: whole or not at all.
 *
 * @param file its name, or the next free digits when another message has it
 * @param onStep told of `message-staged` and `message-placed` before they are done
 * @returns false: it waits there already
 */
export async function placeOutgoing(
  layout: StateLayout,
  text: string,
  file: RecordFile,
  onStep: (name: string) => void | Promise<void> = () => {},
): Promise<boolean> {
  const day = join(layout.apelOutgoing(), file.day);
  // Not where the sender looks, or whoever copies for it; named as what a crash may leave.
  const staged = join(layout.apelArchive(), `.message.${randomBytes(6).toString('hex')}.tmp`);
  await onStep('message-staged');
  await makeDirs([layout.apelArchive()]);
  await writeFileAtomic(staged, text);
  try {
    await onStep('message-placed');
    for (let attempt = 1, name = file.name; ; ) {
      await makeDirs([day]);
      try {
        if (await linkIfFree(staged, join(day, name))) break;
        if ((await readTextIfThere(join(day, name))) === text) return false;
        name = nextName(name);
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || attempt === RELEASE_ATTEMPTS) throw error;
        attempt += 1;
      }
    }
  } finally {
    await rm(staged, { force: true });
  }
  await syncDirectory(day).catch(ignoreGone);
  return true;
}

/** Whether the archive has this record, whatever it says of it. @param file as for `spoolRecord` */
export function isSpooled(layout: StateLayout, text: string, file: RecordFile): Promise<boolean> {
  return isArchived(join(layout.apelArchive(), file.day), file.name, text);
}

async function isArchived(day: string, firstName: string, text: string): Promise<boolean> {
  for (let name = firstName; ; name = nextName(name)) {
    const there = await readTextIfThere(join(day, name));
    if (there === null) return false;
    if (isSameRecord(there, text)) return true;
  }
}

/** @returns the name that the record has in the archive */
async function archive(copy: string, text: string, day: string, firstName: string): Promise<string> {
  await makeDirs([day]);
  await writeFileAtomic(copy, text);
  for (let name = firstName; ; name = nextName(name)) {
    const path = join(day, name);
    // link(2) never replaces a file: of two machines that want one name at this moment, one gets the next.
    if (!(await linkIfFree(copy, path))) {
      if (!isSameRecord((await readTextIfThere(path)) ?? '', text)) continue;
      await rename(copy, path);
    }
    await rm(copy, { force: true });
    await syncDirectory(day);
    return name;
  }
}

async function linkIfFree(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw explained(error, to);
  }
}

async function release(staged: string, day: string, name: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    await makeDirs([day]);
    try {
      await rename(staged, join(day, name));
      break;
    } catch (error) {
      if (codeOf(error) !== 'ENOENT' || attempt === RELEASE_ATTEMPTS) throw explained(error, day);
    }
  }
  // Gone again already when the sender was quick; then there is nothing to keep.
  await syncDirectory(day).catch(ignoreGone);
}

function ignoreGone(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** The same second, the next eight digits; after the last come the first. */
function nextName(name: string): string {
  return name.slice(0, 6) + String((Number(name.slice(6)) + 1) % 100_000_000).padStart(8, '0');
}

function isSameRecord(oneText: string, otherText: string): boolean {
  return recordKey(oneText) === recordKey(otherText);
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null)) !== null;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function explained(error: unknown, path: string): unknown {
  if (codeOf(error) !== 'EXDEV') return error;
  const message = `${path} is on another filesystem than the machines' directories, so records cannot be moved there in one step; keep the whole state directory on one filesystem`;
  return new VacError('spool-unusable', message, { cause: error });
}
