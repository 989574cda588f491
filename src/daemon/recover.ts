/** What a starting vacd does with the state directory that an earlier one left: takes it, tidies it, reads it. */

import { chmod, chown, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { LockedError, lockFile } from 'libvirt';
import { VacError } from '../errors.js';
import { makeDirs, removeTemporaries, removeTree } from '../host/files.js';
import type { Journal } from '../machines/journal.js';
import { type StateLayout, slotOfHostname } from '../machines/layout.js';
import type { MachineLogs } from '../machines/tools.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';

/** @throws VacError `already-running` when another vacd has it */
export async function takeStateDirectory(layout: StateLayout): Promise<{ release(): void }> {
  await makeDirs(layout.directories());
  try {
    return lockFile(layout.lock());
  } catch (cause) {
    if (!(cause instanceof LockedError)) throw cause;
    throw new VacError(
      'already-running',
      `another vacd uses the state directory ${layout.root}; there can be one at a time (stop it, or give this one --state-dir)`,
      { cause },
    );
  }
}

/** Removes what a vacd that died in the middle of writing left behind; nothing there is worth keeping. */
export async function sweep(layout: StateLayout): Promise<void> {
  for (const name of await readdir(layout.tmp())) await removeTree(`${layout.tmp()}/${name}`);
  const machines = await directoriesIn(layout.machines());
  for (const directory of [layout.root, ...(await directoriesIn(layout.root)), ...machines]) {
    await removeTemporaries(directory);
  }
}

async function directoriesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => join(directory, entry.name));
}

/** Remembers every machine that the journal tells of, and whose address is whose. */
export async function recoverMachines(journal: Journal, memory: Memory, logs: MachineLogs, log: Logger): Promise<void> {
  const { entries, unreadable } = await journal.readAll();
  for (const { name, problem } of unreadable) {
    log.error(
      `${journal.layout.machine(name)} cannot be read as a machine's directory (${problem}); it and its slot are left alone, remove it if you know why it is there`,
    );
  }
  memory.blockedSlots = unreadable.flatMap(({ name }) => {
    const slot = slotOfHostname(memory.factory, name.split('_').slice(2).join('_'));
    return slot === null ? [] : [slot];
  });
  memory.lastEnds = await journal.lastEnds();
  for (const entry of entries) {
    memory.remember(entry, performance.now());
    memory.noteLife(entry, Math.floor(Date.now() / 1000));
  }
  const living = entries.filter(({ phase }) => phase === 'starting' || phase === 'running');
  await logs.restore(living.map(({ record }) => record));
}

/**
 * Only QEMU's group may pass through `machines/`: an NFS client that forges file handles (nfs-ganesha does not tie
 * them to an export) acts as `nobody`, and so cannot walk from one machine's directory to another's.
 *
 * @param emulatorGid null where libvirt does not say as whom it runs machines: then nothing is changed
 */
export async function closeMachinesDirectory(layout: StateLayout, emulatorGid: number | null): Promise<void> {
  if (emulatorGid === null) return;
  await chown(layout.machines(), 0, emulatorGid);
  await chmod(layout.machines(), 0o710);
}
