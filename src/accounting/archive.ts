/** Reading the archive, which is the truth about what was accounted (DESIGN.md, Accounting). */

import { readdir } from 'node:fs/promises';
import type { MonthName } from '../factory/months.js';
import { readTextIfThere } from '../host/files.js';
import type { StateLayout } from '../machines/layout.js';
import { benchmarkNames, type ParsedRecord, parseRecord } from './parse-record.js';
import { localJobId, type RecordFile } from './record.js';

/** A file of the archive. */
export interface ArchivedRecord {
  readonly file: RecordFile;
  readonly text: string;
  /** Null: it is no record that this program understands. */
  readonly parsed: ParsedRecord | null;
}

/**
 * @param days as the archive's directories are named, YYYYMMDD; days without records are fine
 * @returns for each machine (uuid) the number of records there are of it; anything but 1 is wrong, but for machines
 *   that are accounted by month
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

/** The records of a month, in the order of their names. Temporary files of a crash are passed over. */
export async function* recordsOfMonth(layout: StateLayout, month: MonthName): AsyncGenerator<ArchivedRecord> {
  for (const day of await daysIn(layout.apelArchive())) {
    if (day.startsWith(month)) yield* recordsOfDay(layout.apelArchive(), day);
  }
}

/** What waits for the sender. */
export async function* outgoingRecords(layout: StateLayout): AsyncGenerator<ArchivedRecord> {
  for (const day of await daysIn(layout.apelOutgoing())) yield* recordsOfDay(layout.apelOutgoing(), day);
}

/** The days (YYYYMMDD) that the archive has records of, earliest first. */
export async function archivedDays(layout: StateLayout): Promise<string[]> {
  return await daysIn(layout.apelArchive());
}

async function* recordsOfDay(directory: string, day: string): AsyncGenerator<ArchivedRecord> {
  const names = (await readdir(`${directory}/${day}`).catch(() => [])).filter((name) => /^\d{14}$/.test(name)).sort();
  for (const name of names) {
    // The sender may have taken it meanwhile.
    const text = await readTextIfThere(`${directory}/${day}/${name}`);
    if (text !== null) yield { file: { day, name }, text, parsed: parseRecord(text) };
  }
}

async function daysIn(directory: string): Promise<string[]> {
  return (await readdir(directory).catch(() => [])).filter((day) => /^\d{8}$/.test(day)).sort();
}

/** Whether a record was meant for the sender: of a registered site, with a benchmark (SPEC 2, 10). */
export function wasSent(record: ParsedRecord, gocdbSitename: string | null): boolean {
  return (
    benchmarkNames(record).length > 0 && (record.site === gocdbSitename || record.site !== record.unregisteredSite)
  );
}
