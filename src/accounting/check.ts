/**
 * Whether the archive has what the machines' directories say was used, as long as these are kept: each record that is
 * owed, with the same durations, and none that nobody owes.
 */

import { monthName } from '../factory/months.js';
import type { Journal, JournalEntry } from '../machines/journal.js';
import { type Ledger, readLedger } from './ledger.js';
import type { ParsedRecord } from './parse-record.js';
import { sumOf } from './pieces.js';
import { isAccountable } from './record.js';
import type { MonthOfArchive } from './totals.js';

export interface ArchiveCheck {
  /** Machines with a record in this month whose directories are still there. */
  readonly compared: number;
  /** Machines that ended in this month and are not accounted yet, as vacd has not come to it. */
  readonly pending: number;
  /** One sentence each. */
  readonly problems: readonly string[];
}

interface Owed {
  readonly endTimeSeconds: number;
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
}

export async function checkMonth(journal: Journal, { month, records }: MonthOfArchive): Promise<ArchiveCheck> {
  const { entries, unreadable } = await journal.readAll();
  const problems = unreadable.map(({ name, problem }) => `${journal.layout.machine(name)} cannot be read: ${problem}`);
  const endsByUuid = new Map<string, number[]>();
  for (const { uuid, endTimeSeconds } of records.values()) {
    endsByUuid.set(uuid, [...(endsByUuid.get(uuid) ?? []), endTimeSeconds]);
  }
  let [compared, pending] = [0, 0];
  for (const entry of entries) {
    const directory = journal.layout.machine(entry.record.id);
    const ledger = await readLedger(directory).catch((error: Error) => {
      problems.push(error.message);
      return null;
    });
    if (ledger === null) continue;
    if (entry.phase === 'ended' && entry.end !== null && monthName(entry.end.timeSeconds) === month) pending += 1;
    const owedNow = owedBy(entry, ledger);
    const surplus = notOwed(entry, [...owedNow, ...ledger.pieces], endsByUuid.get(entry.record.uuid) ?? []);
    problems.push(...surplus.map((text) => `${entry.record.id}: ${text}`));
    for (const owed of owedNow) {
      if (monthName(owed.endTimeSeconds) !== month) continue;
      compared += 1;
      const difference = differenceOf(owed, records.get(`${entry.record.uuid} ${owed.endTimeSeconds}`));
      if (difference !== null) problems.push(`${entry.record.id}: ${difference}`);
    }
  }
  return { compared, pending, problems };
}

/** The records that must be in the archive. */
function owedBy({ record, phase, startedTimeSeconds, end }: JournalEntry, { pieces, released }: Ledger): Owed[] {
  const isCumulative = record.accountingFormat === 'cloud-v0.4';
  if (pieces.length > 0) {
    const told = phase === 'cleared' ? pieces : pieces.slice(0, released);
    return told.map((piece, index) => ({ ...piece, ...(isCumulative ? sumOf(pieces.slice(0, index + 1)) : {}) }));
  }
  // Of a vacd that kept no account beside its records.
  if (phase !== 'cleared' || end === null || startedTimeSeconds === null) return [];
  if (!isAccountable(record, startedTimeSeconds, end)) return [];
  const { timeSeconds, cpuSeconds } = end;
  return [
    { endTimeSeconds: timeSeconds, wallSeconds: timeSeconds - startedTimeSeconds, cpuSeconds: Math.round(cpuSeconds) },
  ];
}

/** Records of this machine that nobody owes; one whose accounting is under way may have records already. */
function notOwed({ phase }: JournalEntry, owed: readonly Pick<Owed, 'endTimeSeconds'>[], ends: readonly number[]) {
  // Of a vacd that kept no account: its record is there before the machine is cleared.
  if (owed.length === 0 && phase === 'ended') return [];
  const known = new Set(owed.map(({ endTimeSeconds }) => endTimeSeconds));
  return ends
    .filter((end) => !known.has(end))
    .map((end) => `the archive has a record of it that it should not have, which ends at ${isoTime(end)}`);
}

function isoTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

function differenceOf(owed: Owed, archived: ParsedRecord | undefined): string | null {
  if (archived === undefined) {
    return `the archive has no record of it that ends at ${isoTime(owed.endTimeSeconds)}`;
  }
  const { wallSeconds, cpuSeconds } = archived;
  if (wallSeconds === owed.wallSeconds && cpuSeconds === owed.cpuSeconds) return null;
  return `its record tells of ${wallSeconds} s and ${cpuSeconds} s of CPU, its directory of ${owed.wallSeconds} s and ${owed.cpuSeconds} s of CPU`;
}
