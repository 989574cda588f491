/** Reading the archive, which is the truth about what was accounted (DESIGN.md, Accounting). */

import { readdir } from 'node:fs/promises';
import { readTextIfThere } from '../host/files.js';
import type { StateLayout } from '../machines/layout.js';
import { localJobId } from './record.js';

/**
 * @param days as the archive's directories are named, YYYYMMDD; days without records are fine
 * @returns for each machine (uuid) the number of records there are of it; anything but 1 is wrong
 */
export async function archivedRecords(layout: StateLayout, days: Iterable<string>): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const day of new Set(days)) {
    const names = await readdir(`${layout.apelArchive()}/${day}`).catch(() => []);
    for (const name of names) {
      const uuid = localJobId((await readTextIfThere(`${layout.apelArchive()}/${day}/${name}`)) ?? '');
      if (uuid !== null) counts.set(uuid, (counts.get(uuid) ?? 0) + 1);
    }
  }
  return counts;
}
