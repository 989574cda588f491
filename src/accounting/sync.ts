/**
 * Sync messages: how many job records of a month a receiver should have of this factory, counted in the archive. The
 * receiver keeps the last one that it gets for a month, so sending it again, with another number, is fine.
 */

import { randomBytes } from 'node:crypto';
import { readdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type MonthName, monthName } from '../factory/months.js';
import { makeDirs, readTextIfThere } from '../host/files.js';
import type { StateLayout } from '../machines/layout.js';
import { archivedDays, recordsOfMonth, wasSent } from './archive.js';
import { line, message, wholeNumber } from './fields.js';
import { fileNameAt, recordKey } from './record.js';
import { placeOutgoing } from './spool.js';

/** Its time is when the last sync of all months that were due began. */
const LAST_SYNC = '.last-sync';

/** How many records there are of one site and submit host in one month. */
export interface SyncCount {
  readonly site: string;
  readonly submitHost: string;
  readonly month: MonthName;
  readonly jobs: number;
}

/**
 * What was sent, or is on its way, of a month, by site and submit host: these have one count each however often the
 * space was renamed. Cloud records have no sync messages.
 */
export async function syncCounts(
  layout: StateLayout,
  month: MonthName,
  gocdbSitename: string | null,
): Promise<SyncCount[]> {
  const keys = new Map<string, { site: string; submitHost: string; keys: Set<string> }>();
  for await (const { text, parsed } of recordsOfMonth(layout, month)) {
    if (parsed === null || parsed.format === 'cloud-v0.4' || !wasSent(parsed, gocdbSitename)) continue;
    const { site, submitHost } = parsed;
    const known = keys.get(`${site}\n${submitHost}`) ?? { site, submitHost, keys: new Set() };
    known.keys.add(recordKey(text));
    keys.set(`${site}\n${submitHost}`, known);
  }
  return [...keys.values()].map(({ site, submitHost, keys: { size } }) => ({
    site,
    submitHost,
    month,
    jobs: size,
  }));
}

/** One message for any number of counts. */
export function syncText(counts: readonly SyncCount[]): string {
  const [first, ...others] = counts.map(({ site, submitHost, month, jobs }) => [
    line('Site', site),
    line('SubmitHost', submitHost),
    line('NumberOfJobs', wholeNumber(jobs)),
    line('Month', wholeNumber(Number(month.slice(4)))),
    line('Year', month.slice(0, 4)),
  ]);
  return message('APEL-sync-message: v0.1', [...(first ?? []), ...others.flatMap((lines) => ['%%', ...lines])]);
}

/**
 * What a daily sync is about: the month of the day before, so that the last of a month is told on the first, and every
 * month of which records came since the last time, as of a machine that was only accounted once vacd was back.
 */
export async function dueMonths(layout: StateLayout, nowSeconds: number): Promise<MonthName[]> {
  const due = new Set([monthName(nowSeconds - 86_400)]);
  const last = await stat(join(layout.apelArchive(), LAST_SYNC)).catch(() => null);
  for (const day of await archivedDays(layout)) {
    const changed = await stat(join(layout.apelArchive(), day)).catch(() => null);
    if (changed !== null && (last === null || changed.mtimeMs >= last.mtimeMs)) due.add(day.slice(0, 6));
  }
  return [...due].sort();
}

/**
 * Notes, before months are counted, when that began; what is returned makes it hold, once all of them are told.
 */
export async function beginSync(layout: StateLayout): Promise<() => Promise<void>> {
  await makeDirs([layout.apelArchive()]);
  const begun = join(layout.apelArchive(), `.sync.${randomBytes(6).toString('hex')}.tmp`);
  await writeFile(begun, '');
  return () => rename(begun, join(layout.apelArchive(), LAST_SYNC));
}

/**
 * Puts the sync message of a month into apel-outgoing, unless the same one waits there already. Files that wait are the
 * sender's and stay as they are; the one with the later name is sent later, and is the one that counts.
 *
 * @returns whether there is one more now; the counts are those of the message
 */
export async function spoolSync(
  layout: StateLayout,
  month: MonthName,
  gocdbSitename: string | null,
  nowSeconds: number,
  onStep?: (name: string) => void | Promise<void>,
): Promise<{ readonly isNew: boolean; readonly counts: readonly SyncCount[] }> {
  const counts = await syncCounts(layout, month, gocdbSitename);
  if (counts.length === 0) return { isNew: false, counts };
  const text = syncText(counts);
  if ((await lastWaiting(layout, month)) === text) return { isNew: false, counts };
  // Digits that make its month known, so that the next one finds it.
  await placeOutgoing(layout, text, fileNameAt(nowSeconds, Number(month)), onStep);
  return { isNew: true, counts };
}

/** The sync message of a month that the sender would take last; null: none waits. */
async function lastWaiting(layout: StateLayout, month: MonthName): Promise<string | null> {
  const days = (await readdir(layout.apelOutgoing()).catch(() => [])).sort().reverse();
  for (const day of days) {
    const names = await readdir(join(layout.apelOutgoing(), day)).catch(() => []);
    const ours = names.filter((name) => name.length === 14 && name.endsWith(`00${month}`)).sort();
    for (const name of ours.reverse()) {
      const text = await readTextIfThere(join(layout.apelOutgoing(), day, name));
      if (text?.startsWith('APEL-sync-message')) return text;
    }
  }
  return null;
}
