/**
 * What becomes of a machine's directories (guest-directories.ts) at its end: what it wrote is copied, with all that is not
 * plain bytes left out, into the plain directories that the site finds, and its file systems go, so that nothing of a
 * guest's stays mounted.
 */

import { lstat, mkdir, rename, rm, stat, unlink, writeFile } from 'node:fs/promises';
import { joboutputsLimits } from '../factory/joboutputs-limits.js';
import type { MachineRecord } from '../factory/types.js';
import { CommandError } from '../host/exec.js';
import { removeTemporaries, removeTree } from '../host/files.js';
import { type CopyReport, copyHostileTree, type TreeLimits } from '../host/hostile-tree.js';
import { dropImage, imageBytes, mountImage } from '../host/loop-file-system.js';
import { isMountPoint, makeReadOnly, unmount } from '../host/mounts.js';
import { EXPORTED_DIRECTORIES } from '../host/nfs-exports.js';
import type { GuestDirectoriesParts } from './guest-directories.js';

/** In a machine's directory: its file systems, and the image of one. */
export const SHARED = 'shared';
export const OUTPUTS = 'shared/private/outputs';
export const OUTPUTS_IMAGE = 'outputs.img';
/** In a machine's directory: what of its joboutputs was not kept. */
export const LEFT_OUT = 'joboutputs-left-out';

/** A site's own machinefeatures included; each is a file of a few bytes. */
export const SHARED_SIZE = { bytes: 2 ** 20, files: 512 } as const;
/** More names than files may there be by hard links. */
const ENTRIES_PER_FILE = 2;
/** A directory on its way into its place. */
const KEPT = '.kept';
/** What mount says when a file system is no whole one. */
const DAMAGED = /wrong fs type|bad superblock|needs cleaning|can't read superblock/i;

/**
 * Every step may be the last: as long as a file system is there, all is done anew from it.
 *
 * @throws what should be tried again
 */
export async function keepDirectories(parts: GuestDirectoriesParts, record: MachineRecord): Promise<void> {
  const at = (name: string) => parts.layout.inMachine(record.id, name);
  const image = at(OUTPUTS_IMAGE);
  await rm(`${image}.tmp`, { force: true });
  // Emptied just before it would have been removed: all is kept already.
  if (await isEmpty(image)) await rm(image);
  // After a crash of the host the image is there and its mount is not.
  const hasImage = await isThere(image);
  const isWhole = !hasImage || (await mounted(parts, record, image));
  const wasReadOnly = hasImage && isWhole && (await makeReadOnly(at(OUTPUTS)));
  for (const { name, place, writable } of EXPORTED_DIRECTORIES) {
    if (!(await isThere(at(place)))) continue;
    // Of ours; in joboutputs a name is the guest's.
    if (!writable) await removeTemporaries(at(place));
    await removeTree(at(`${name}${KEPT}`));
    const report = await copyHostileTree(
      at(place),
      at(`${name}${KEPT}`),
      writable ? limitsOf(record) : FEATURES_LIMITS,
    );
    if (writable && report.leftOut.size > 0) await tellLeftOut(parts, record, report);
  }
  for (const { name } of EXPORTED_DIRECTORIES) await putInPlace(at(name));
  for (const place of [OUTPUTS, SHARED]) await unmount(at(place));
  await removeTree(at(SHARED));
  if (hasImage && isWhole) await dropImage(image, { wasReadOnly });
}

const FEATURES_LIMITS: TreeLimits = { bytes: SHARED_SIZE.bytes, entries: SHARED_SIZE.files };

/** What fitted into its file system is kept. */
function limitsOf(record: MachineRecord): TreeLimits {
  const size = joboutputsLimits(record);
  return { bytes: imageBytes(size), entries: ENTRIES_PER_FILE * size.files };
}

/** What was copied takes the place of the link; of a link to nothing, an empty directory. */
async function putInPlace(path: string): Promise<void> {
  const there = await lstat(path).catch(() => null);
  if (await isThere(`${path}${KEPT}`)) {
    if (there !== null) await removeTree(path);
    await rename(`${path}${KEPT}`, path);
  } else if (there?.isSymbolicLink()) {
    await unlink(path);
    await mkdir(path, { mode: 0o755 });
  }
}

/** False: it is damaged, and is left as it is for whoever wants to look at it. */
async function mounted(parts: GuestDirectoriesParts, record: MachineRecord, image: string): Promise<boolean> {
  const at = parts.layout.inMachine(record.id, OUTPUTS);
  if (await isMountPoint(at)) return true;
  try {
    await mkdir(at, { recursive: true, mode: 0o700 });
    await mountImage(image, at);
    return true;
  } catch (error) {
    if (!(error instanceof CommandError) || !DAMAGED.test(error.message)) throw error;
    parts.log.warn(`${record.hostname}: ${image} is damaged and was left as it is: ${error.message}`);
    return false;
  }
}

async function tellLeftOut(
  { layout, log }: GuestDirectoriesParts,
  record: MachineRecord,
  { leftOut }: CopyReport,
): Promise<void> {
  const lines = [...leftOut].map(([reason, { count, examples }]) => `${count} ${reason}: ${examples.join(' ')}\n`);
  await writeFile(layout.inMachine(record.id, LEFT_OUT), lines.join(''));
  const counts = [...leftOut].map(([reason, { count }]) => `${count} ${reason}`).join(', ');
  log.info(`${record.hostname}: of its joboutputs was not kept: ${counts} (see ${LEFT_OUT})`);
}

async function isEmpty(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null))?.size === 0;
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
