/**
 * What the archive says was used in a month, by group and machinetype, as a receiver would add it up: each record once,
 * in the month of its end, and of cloud records what they tell more than the month before.
 */

import { type MonthName, monthName, parseMonth } from '../factory/months.js';
import type { StateLayout } from '../machines/layout.js';
import { recordsOfMonth } from './archive.js';
import type { ParsedRecord } from './parse-record.js';
import { recordKey } from './record.js';

/** Seconds and their products: of all processors together. */
export interface UsageTotal {
  readonly group: string;
  readonly machinetype: string;
  records: number;
  /** Wall-clock time × processors. */
  wallSeconds: number;
  cpuSeconds: number;
  /** Wall-clock time × processors × power of one, by the benchmark's name. */
  readonly benchmarkSeconds: Record<string, number>;
}

export interface MonthOfArchive {
  readonly month: MonthName;
  /** In the order of groups and machinetypes. */
  readonly totals: readonly UsageTotal[];
  /** Of what a machine's record should say: machine and EndTime → what its record in the archive says. */
  readonly records: ReadonlyMap<string, ParsedRecord>;
  /** What is wrong with the archive itself, one sentence each. */
  readonly problems: readonly string[];
}

export async function readMonth(layout: StateLayout, month: MonthName): Promise<MonthOfArchive> {
  const problems: string[] = [];
  const records = new Map<string, ParsedRecord>();
  for await (const { file, text, parsed } of recordsOfMonth(layout, month)) {
    const path = `${layout.apelArchive()}/${file.day}/${file.name}`;
    const key = recordKey(text);
    if (parsed === null) problems.push(`${path} is no accounting record; move it elsewhere`);
    else if (records.has(key)) problems.push(`${path} is a second record of ${parsed.uuid}; it is counted once`);
    else records.set(key, parsed);
  }
  const told = await toldBefore(layout, month, [...records.values()]);
  return { month, totals: totalsOf([...records.values()], told), records, problems };
}

/** Of machines whose records tell of everything since their start, the last record of the month before, by uuid. */
async function toldBefore(
  layout: StateLayout,
  month: MonthName,
  records: readonly ParsedRecord[],
): Promise<Map<string, ParsedRecord>> {
  const start = parseMonth(month) ?? 0;
  const wanted = new Set(
    records
      .filter(({ isCumulative, startTimeSeconds }) => isCumulative && startTimeSeconds < start)
      .map(({ uuid }) => uuid),
  );
  const told = new Map<string, ParsedRecord>();
  if (wanted.size === 0) return told;
  for await (const { parsed } of recordsOfMonth(layout, monthName(start - 1))) {
    if (parsed?.isCumulative !== true || !wanted.has(parsed.uuid)) continue;
    if ((told.get(parsed.uuid)?.endTimeSeconds ?? 0) < parsed.endTimeSeconds) told.set(parsed.uuid, parsed);
  }
  return told;
}

function totalsOf(records: readonly ParsedRecord[], told: ReadonlyMap<string, ParsedRecord>): UsageTotal[] {
  const totals = new Map<string, UsageTotal>();
  for (const record of records) {
    const { group, machinetype, processors, benchmarks } = record;
    const key = `${group}\n${machinetype}`;
    const fresh: UsageTotal = { group, machinetype, records: 0, wallSeconds: 0, cpuSeconds: 0, benchmarkSeconds: {} };
    const total = totals.get(key) ?? fresh;
    totals.set(key, total);
    const before = record.isCumulative ? told.get(record.uuid) : undefined;
    const wallSeconds = (record.wallSeconds - (before?.wallSeconds ?? 0)) * processors;
    total.records += 1;
    total.wallSeconds += wallSeconds;
    total.cpuSeconds += record.cpuSeconds - (before?.cpuSeconds ?? 0);
    for (const [name, value] of Object.entries(benchmarks)) {
      total.benchmarkSeconds[name] = (total.benchmarkSeconds[name] ?? 0) + wallSeconds * value;
    }
  }
  return [...totals.keys()].sort().map((key) => totals.get(key)!);
}
