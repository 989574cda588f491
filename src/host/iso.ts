/** Small ISO 9660 images of files, as machines get them at their start: the same content gives the same bytes. */

import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from './exec.js';
import { removeTree } from './files.js';

export interface IsoContent {
  /** Volume name; up to 32 characters. Written as it is: cloud-init looks for small letters. */
  readonly label: string;
  /** By relative path. */
  readonly files: Readonly<Record<string, string | Buffer>>;
}

/** Time of the volume and of everything in it: 1 January 2020, UTC. */
const FIXED_DATE = '2020010100000000';

/**
 * Writes an image with Rock Ridge and Joliet names, for root alone, since its files may be secrets; libvirt hands it
 * to QEMU's user. Whoever reads it inside sees everything as root's and readable.
 *
 * @throws CommandError
 */
export async function makeIso(path: string, { label, files }: IsoContent): Promise<void> {
  const staging = stagingOf(path);
  await removeTree(staging);
  await mkdir(staging, { mode: 0o700 });
  try {
    const tree = join(staging, 'tree');
    await mkdir(tree);
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(tree, name)), { recursive: true });
      await writeFile(join(tree, name), content);
    }
    const image = join(staging, 'iso');
    await writeFile(image, '', { mode: 0o600 });
    await run('xorriso', xorrisoArgs(label, tree, image));
    await rename(image, path);
  } finally {
    await removeTree(staging);
  }
}

/** Removes images, and what a crash in the middle of making one left beside it. */
export async function removeIsos(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await rm(path, { force: true });
    await removeTree(stagingOf(path));
  }
}

function stagingOf(path: string): string {
  return `${path}.tmp`;
}

/** -no_rc: an administrator's own start-up files of xorriso change nothing. */
function xorrisoArgs(label: string, tree: string, image: string): string[] {
  return [
    ...['-no_rc', '-as', 'mkisofs', '-quiet', '-no-pad', '-joliet', '-rational-rock', '-volid', label],
    ...[`--modification-date=${FIXED_DATE}`, '--set_all_file_dates', FIXED_DATE],
    ...['-output', image, tree],
  ];
}
