/** The holidays of overnight mode, for commands that are run by hand. */

import type { Config } from '../config/types.js';
import { holidaysIn } from '../daemon/owner-watch.js';
import { VacError } from '../errors.js';
import { readTextIfThere } from '../host/files.js';

/** @throws VacError `file-unusable` */
export async function holidaysOf({ overnight }: Config): Promise<ReadonlySet<string>> {
  const path = overnight?.holidaysFile ?? null;
  if (path === null) return new Set();
  try {
    const text = await readTextIfThere(path);
    if (text === null) throw new Error('there is no such file');
    return holidaysIn(text);
  } catch (cause) {
    throw new VacError('file-unusable', `holidays_file ${path}: ${(cause as Error).message}`, { cause });
  }
}
