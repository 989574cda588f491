/** `vac factories`: a line for each factory of the space, with what is wrong with it. */

import type { FactoryStatus, PeerAnswer } from '../../vacquery/index.js';
import type { FactoryNews } from '../space-facts.js';
import { factoryNames, heardOf, inOrder } from './answers.js';
import { type FactoryProblem, factoryProblems, heartbeatAge, kibToBytes, statusOf } from './factory-problems.js';
import { type Column, table } from './table.js';
import {
  decimal,
  duration,
  line,
  listed,
  type PollViewOptions,
  paint,
  type Style,
  secondsBetween,
  size,
  UNKNOWN,
  type ViewOptions,
  wrapped,
} from './text.js';

/** By name; most used, most loaded, least disk left, worst first. Equal ones by name. */
export const FACTORY_ORDERS = ['name', 'used', 'load', 'disk', 'problems'] as const;
export type FactoryOrder = (typeof FACTORY_ORDERS)[number];

export interface FactoriesOptions extends PollViewOptions {
  readonly order?: FactoryOrder;
  readonly problemsOnly?: boolean;
  /** How each factory's news came to the vacd here, by their names. */
  readonly news?: ReadonlyMap<string, FactoryNews>;
  /** What the vacd here calls wrong with itself as a member of the space, or what to do next; a sentence each. */
  readonly hints?: readonly string[];
}

const LISTED_FACTORIES = 20;

interface Row {
  readonly factory: string;
  /** Null: it did not answer. */
  readonly status: FactoryStatus | null;
  readonly problems: readonly FactoryProblem[];
  readonly news: FactoryNews | null;
}

/**
 * Processors and machines are those in use of those there may be; HS06 is the power in use; LOAD is the average of 15
 * minutes; DISK and ROOT are free on the disks of the state directory and of /; BEAT is the age of the older of the
 * factory's and its responder's heartbeat, on the factory's own clock; NEWS is by which way, and how long ago, the vacd here
 * heard it last.
 */
export function factoriesView(answers: readonly PeerAnswer<FactoryStatus>[], options: FactoriesOptions): string[] {
  if (answers.length === 0) return [line('there is no factory to ask', options)];
  const short = factoryNames(answers);
  const all: Row[] = inOrder(answers).map((answer) => ({
    factory: short(answer.factory),
    status: statusOf(answer),
    problems: factoryProblems(answer, options),
    news: options.news?.get(answer.factory) ?? null,
  }));
  const troubled = all.filter(({ problems }) => problems.length > 0).length;
  const shown = options.problemsOnly ? all.filter(({ problems }) => problems.length > 0) : all;
  const order = options.order ?? 'name';
  const rows = [...shown].sort((a, b) => descending(rank(a, order), rank(b, order)));
  return [
    ...(rows.length > 0 ? table(rows, columnsFor(rows), options) : []),
    ...wrapped(
      `${heardOf(answers)} answered, ${troubled === 0 ? 'no problems' : `problems with ${troubled}:`}`,
      options,
    ),
    ...problemLines(all, options),
    ...(options.hints ?? []).flatMap((hint) => wrapped(`this host: ${hint}`, options, 4)),
  ];
}

/** Sorting is stable, and all come in the order of their names. */
function rank({ status, problems }: Row, order: FactoryOrder): number {
  if (order === 'name') return 0;
  if (order === 'problems') return (problems[0]?.severity === 'critical' ? 1000 : 0) + problems.length;
  if (status === null) return Number.NEGATIVE_INFINITY;
  if (order === 'used') return status.running_processors / Math.max(1, status.max_processors);
  if (order === 'load') return status.load_average ?? 0;
  return -(leastDisk(status) ?? Number.MAX_SAFE_INTEGER);
}

/** Right for infinities, too. */
function descending(a: number, b: number): number {
  return a === b ? 0 : a > b ? -1 : 1;
}

function leastDisk({ vac_disk_avail_kb: state, root_disk_avail_kb: root }: FactoryStatus): number | null {
  return state === null || root === null ? (state ?? root) : Math.min(state, root);
}

function columnsFor(rows: readonly Row[]): Column<Row>[] {
  const sum = (of: (status: FactoryStatus) => number) =>
    rows.reduce((total, { status }) => total + (status === null ? 0 : of(status)), 0);
  const total = (text: string) => (rows.length > 1 ? { total: text } : {});
  const number = (
    title: string,
    text: (status: FactoryStatus) => string,
    rest: Partial<Column<Row>> = {},
  ): Column<Row> => ({
    title,
    text: ({ status }) => (status === null ? UNKNOWN : text(status)),
    align: 'right',
    ...rest,
  });
  return [
    { title: 'FACTORY', text: ({ factory }) => factory, style: problemStyle, min: 8, max: 64, ...total('total') },
    number('PROC', (s) => `${decimal(s.running_processors)}/${decimal(s.max_processors)}`, {
      ...total(`${decimal(sum((s) => s.running_processors))}/${decimal(sum((s) => s.max_processors))}`),
    }),
    number('MACH', (s) => `${s.running_machines}/${s.max_machines}`, {
      ...total(`${sum((s) => s.running_machines)}/${sum((s) => s.max_machines)}`),
    }),
    number('HS06', (s) => decimal(s.running_hs06), { drop: 2, ...total(decimal(sum((s) => s.running_hs06))) }),
    number('LOAD', (s) => loadOf(s.load_average), { drop: 1 }),
    number('DISK', (s) => size(kibToBytes(s.vac_disk_avail_kb)), { drop: 3 }),
    number('ROOT', (s) => size(kibToBytes(s.root_disk_avail_kb)), { drop: 6 }),
    number('MEMORY', memory, { drop: 7 }),
    number('UP', (s) => duration(secondsBetween(s.boot_time, s.time_sent)), { drop: 5 }),
    number('BEAT', (s) => duration(heartbeatAge(s)), { drop: 4 }),
    { title: 'NEWS', text: ({ news }) => (news === null ? '' : newsText(news)), drop: 7, max: 24 },
    number('VERSION', (s) => version(s.vac_version), { align: 'left', drop: 8, max: 24 }),
  ];
}

/** A line, or more, for each set of problems, with all factories that have just these: a power cut is one line. */
function problemLines(rows: readonly Row[], options: ViewOptions): string[] {
  const byText = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.problems.length === 0) continue;
    const text = row.problems.map((problem) => problem.text).join('; ');
    const alike = byText.get(text);
    if (alike === undefined) byText.set(text, [row]);
    else alike.push(row);
  }
  return [...byText].flatMap(([text, alike]) =>
    wrapped(
      `${listed(
        alike.map(({ factory }) => factory),
        LISTED_FACTORIES,
      )}: ${text}`,
      options,
      4,
    ).map((each) => paint(each, problemStyle(alike[0]!), options.colour)),
  );
}

function problemStyle({ problems }: Row): Style | null {
  if (problems.length === 0) return null;
  return problems[0]!.severity === 'critical' ? 'red' : 'yellow';
}

/** That a factory does not sign is told in a space that has keys. */
function newsText({ way, ageSeconds, signs }: FactoryNews): string {
  return `${way} ${duration(ageSeconds)}${signs === false ? ' unsigned' : ''}`;
}

/** With its decimal always, so that loads can be compared down the column. */
function loadOf(load: number | null): string {
  if (load === null) return '';
  const text = decimal(load);
  return /^\d+$/.test(text) ? `${text}.0` : text;
}

function memory({ mem_used_kb: used, mem_total_kb: total }: FactoryStatus): string {
  return used === null || total === null ? '' : `${size(used * 1024)} of ${size(total * 1024)}`;
}

/** "Vac 03.00.00 vacd-responder" is 03.00.00. */
function version(vacVersion: string | null): string {
  return vacVersion?.split(' ')[1] ?? vacVersion ?? '';
}
