/** `vac accounting` and `vac apel-sync` for people. */

import type { SyncCount } from '../../accounting/sync.js';
import type { UsageTotal } from '../../accounting/totals.js';
import type { MonthName } from '../../factory/months.js';
import { type Column, table } from './table.js';
import { counted, line, percent, UNKNOWN, type ViewOptions, wrapped } from './text.js';

export interface AccountingReport {
  readonly month: MonthName;
  readonly totals: readonly UsageTotal[];
  readonly compared: number;
  readonly pending: number;
  /** Records in apel-outgoing, of any month. */
  readonly waiting: number;
  readonly problems: readonly string[];
}

/** What units of benchmarks are called. */
const UNITS: Readonly<Record<string, string>> = { HEPSPEC: 'HS06-H', HEPscore23: 'HS23-H' };

export function accountingView(report: AccountingReport, view: ViewOptions): string[] {
  const { month, totals, compared, pending, waiting, problems } = report;
  const sum = (value: (total: UsageTotal) => number) => totals.reduce((all, total) => all + value(total), 0);
  const benchmarks = [...new Set(totals.flatMap(({ benchmarkSeconds }) => Object.keys(benchmarkSeconds)))].sort();
  const wall = sum(({ wallSeconds }) => wallSeconds);
  const hoursOf = (title: string, value: (total: UsageTotal) => number, drop?: number): Column<UsageTotal> => ({
    title,
    text: (total) => hours(value(total)),
    align: 'right',
    total: hours(sum(value)),
    ...(drop === undefined ? {} : { drop }),
  });
  const columns: Column<UsageTotal>[] = [
    { title: 'GROUP', text: ({ group }) => group, min: 12 },
    { title: 'MACHINETYPE', text: ({ machinetype }) => machinetype, min: 12 },
    {
      title: 'RECORDS',
      text: ({ records }) => String(records),
      align: 'right',
      total: String(sum(({ records }) => records)),
    },
    hoursOf('WALL-H', ({ wallSeconds }) => wallSeconds),
    hoursOf('CPU-H', ({ cpuSeconds }) => cpuSeconds),
    {
      title: 'CPU/WALL',
      text: ({ cpuSeconds, wallSeconds }) => efficiency(cpuSeconds, wallSeconds),
      align: 'right',
      drop: 1,
      total: efficiency(
        sum(({ cpuSeconds }) => cpuSeconds),
        wall,
      ),
    },
    ...benchmarks.map((name) => hoursOf(UNITS[name] ?? name, ({ benchmarkSeconds }) => benchmarkSeconds[name] ?? 0, 2)),
  ];
  return [
    ...(totals.length === 0 ? [line(`the archive has no records of ${month}`, view)] : table(totals, columns, view)),
    ...problems.flatMap((problem) => wrapped(problem, view)),
    line(summary(compared, pending, waiting, problems.length), view, problems.length === 0 ? null : 'red'),
  ];
}

function summary(compared: number, pending: number, waiting: number, problems: number): string {
  const verdict = problems === 0 ? 'archive and directories agree' : `${counted(problems, 'difference')}, see above`;
  return [
    `${verdict} (${counted(compared, 'record')} compared)`,
    ...(pending === 0 ? [] : [`${counted(pending, 'machine')} that ended not accounted yet`]),
    `${counted(waiting, 'record')} waiting to be sent`,
  ].join('; ');
}

export interface SyncTold {
  readonly month: MonthName;
  readonly isNew: boolean;
  readonly counts: readonly SyncCount[];
}

export function syncView(told: readonly SyncTold[], view: ViewOptions): string[] {
  return told.flatMap(({ month, isNew, counts }) => {
    if (counts.length === 0) return [line(`${month}: no job records were sent, there is nothing to tell`, view)];
    const how = isNew ? 'to be sent' : 'waits already';
    return counts.map(({ site, submitHost, jobs }) =>
      line(`${month}: ${counted(jobs, 'record')} of ${site} by ${submitHost}, ${how}`, view),
    );
  });
}

function hours(seconds: number): string {
  return (seconds / 3600).toFixed(1);
}

function efficiency(cpuSeconds: number, wallSeconds: number): string {
  return wallSeconds === 0 ? UNKNOWN : percent(cpuSeconds / wallSeconds);
}
