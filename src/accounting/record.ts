/** APEL individual job records, format v0.3 (SPEC 10; what APEL's own parser accepts and refuses is noted there). */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { MachineEnd, MachineRecord } from '../factory/types.js';

/** Whose usage it is. */
export interface AccountingSite {
  /** The site's registered name; null where it has none, and then records are for the archive only. */
  readonly gocdbSitename: string | null;
  readonly space: string;
  readonly factory: string;
}

/** Where a record's file is: `<day>/<name>` below the archive, and below the outgoing directory. */
export interface RecordFile {
  /** `YYYYMMDD`, UTC. */
  readonly day: string;
  /** `HHMMSS` and eight digits. */
  readonly name: string;
}

/**
 * Whether a machine that has ended is accounted: it ran, and for no less than its fizzle_seconds.
 *
 * @param startedTimeSeconds null: it never ran
 */
export function isAccountable(record: MachineRecord, startedTimeSeconds: number | null, end: MachineEnd): boolean {
  return startedTimeSeconds !== null && end.timeSeconds - startedTimeSeconds >= Math.max(0, record.fizzleSeconds);
}

/** One record, for a machine that {@link isAccountable}. CPU time is rounded to whole seconds. */
export function apelRecord(
  record: MachineRecord,
  startedTimeSeconds: number,
  end: MachineEnd,
  site: AccountingSite,
): string {
  const wallSeconds = end.timeSeconds - startedTimeSeconds;
  assert(wallSeconds >= 0, `EndTime ${end.timeSeconds} is before StartTime ${startedTimeSeconds}`);
  const memoryKiB = wholeNumber(record.memoryMiB * 1024);
  return [
    'APEL-individual-job-message: v0.3',
    line('Site', site.gocdbSitename ?? unregisteredSite(site.space)),
    line('SubmitHost', `${site.space}/vac-${site.factory}`),
    line('LocalJobId', record.uuid),
    line('LocalUserId', site.factory),
    line('Queue', record.machinetype),
    line('GlobalUserName', globalUserName(site.space)),
    ...(record.accountingFqan === null ? [] : [line('FQAN', record.accountingFqan)]),
    line('WallDuration', wholeNumber(wallSeconds)),
    line('CpuDuration', wholeNumber(Math.round(end.cpuSeconds))),
    line('Processors', wholeNumber(record.processors)),
    line('NodeCount', '1'),
    line('InfrastructureDescription', 'APEL-VAC'),
    line('InfrastructureType', 'grid'),
    line('StartTime', wholeNumber(startedTimeSeconds)),
    line('EndTime', wholeNumber(end.timeSeconds)),
    line('MemoryReal', memoryKiB),
    line('MemoryVirtual', memoryKiB),
    ...serviceLevel(record.hs06PerProcessor),
    '%%',
    '',
  ].join('\n');
}

/**
 * The file that a record belongs in. The same machine gives the same name each time, so that writing it again after a
 * crash is writing the same file; the eight digits, which once were a fraction of the second, come from its UUID.
 */
export function recordFileName(endTimeSeconds: number, uuid: string): RecordFile {
  const time = new Date(endTimeSeconds * 1000).toISOString();
  const digits = createHash('sha256').update(uuid).digest().readUInt32BE() % 100_000_000;
  return {
    day: time.slice(0, 10).replaceAll('-', ''),
    name: time.slice(11, 19).replaceAll(':', '') + String(digits).padStart(8, '0'),
  };
}

/** A space as a DN, as deployed factories write it: `vac01.example.com` is `/DC=com/DC=example/DC=vac01`. */
export function globalUserName(space: string): string {
  return space
    .split('.')
    .reverse()
    .map((label) => `/DC=${label}`)
    .join('');
}

/** The machine that a record's text is of. */
export function localJobId(text: string): string | null {
  return /^LocalJobId: (.+)$/m.exec(text)?.[1] ?? null;
}

/** As VacQuery calls a site without a registered name (SPEC 3): the space without its first label. */
function unregisteredSite(space: string): string {
  return space.split('.').slice(1).join('.') || space;
}

/** No claim where nothing was measured; a receiver would count it as 1. */
function serviceLevel(hs06PerProcessor: number | null): string[] {
  if (hs06PerProcessor === null) return [];
  return [line('ServiceLevelType', 'HEPSPEC'), line('ServiceLevel', String(hs06PerProcessor))];
}

/** The format has no quoting and is ASCII: one line each, never an empty one, whatever the configuration says. */
function line(key: string, value: string): string {
  const text = value
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[^ -~]/g, '?');
  assert(text !== '', `${key} of an accounting record is empty`);
  return `${key}: ${text}`;
}

function wholeNumber(value: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, `${value} is no whole number for an accounting record`);
  return String(value);
}
