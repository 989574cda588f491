/** Sending a month again, as when a receiver lost it: the archive's records, as they are, to apel-outgoing. */

import type { MonthName } from '../factory/months.js';
import type { StateLayout } from '../machines/layout.js';
import { recordsOfMonth, wasSent } from './archive.js';
import { placeOutgoing } from './spool.js';

export interface Republished {
  /** Put to apel-outgoing now. */
  readonly placed: number;
  /** Waited there already. */
  readonly waiting: number;
  /** Never meant for the sender: of no registered site, or without a benchmark. */
  readonly kept: number;
  /** Files that are no records, as `<day>/<name>`. */
  readonly unreadable: readonly string[];
}

/**
 * Each record once and under the name that it has in the archive. Receivers replace what they have of a record by what
 * comes again, so beginning anew after a crash does no harm.
 */
export async function republish(
  layout: StateLayout,
  month: MonthName,
  gocdbSitename: string | null,
): Promise<Republished> {
  const counts = { placed: 0, waiting: 0, kept: 0 };
  const unreadable: string[] = [];
  for await (const { file, text, parsed } of recordsOfMonth(layout, month)) {
    if (parsed === null) unreadable.push(`${file.day}/${file.name}`);
    else if (!wasSent(parsed, gocdbSitename)) counts.kept += 1;
    else if (await placeOutgoing(layout, text, file)) counts.placed += 1;
    else counts.waiting += 1;
  }
  return { ...counts, unreadable };
}
