/** `vac watch`: a space on one screen; never more lines than it has rows, never wider than it. */

import type { MachineStatus as LocalMachine, FactoryStatus as LocalStatus } from '../../daemon/status.js';
import type { LoggedDecision } from '../../factory/decision-log.js';
import type { ShareOf } from '../../factory/shares.js';
import type { FactoryStatus, MachinetypeStatus, PeerAnswer } from '../../vacquery/index.js';
import { factoryNames, inOrder } from './answers.js';
import { factoryProblems, statusOf } from './factory-problems.js';
import { endColumns } from './machinetypes.js';
import { type SpaceType, type SpaceTypes, spaceTypes } from './space-types.js';
import { type Column, table } from './table.js';
import {
  bar,
  counted,
  decimal,
  duration,
  line,
  type PollViewOptions,
  padEnd,
  percent,
  secondsBetween,
  shortener,
  widthOf,
} from './text.js';

export interface WatchFacts {
  readonly space: string;
  readonly factories: readonly PeerAnswer<FactoryStatus>[];
  readonly machinetypes: readonly PeerAnswer<MachinetypeStatus>[];
  /** Of the vacd on this host; null: there is none, or it may not be asked. */
  readonly local: LocalStatus | null;
  readonly configured?: readonly ShareOf[] | null;
}

export interface WatchOptions extends PollViewOptions {
  readonly rows: number;
}

interface Section {
  /** Painted and cut already, as the lines are. */
  readonly title: string;
  readonly lines: readonly string[];
}

const DECISIONS = 6;
/** On screens of fewer and of more than 100 columns. */
const BAR_CELLS = { narrow: 12, wide: 20 } as const;

/**
 * Sections in the order of their weight: types, factories with problems, this host's slots, its last decisions. Where
 * not all fits, the longer ones are cut first, and say how much is left out; on the smallest screens the last ones go.
 */
export function watchView(facts: WatchFacts, options: WatchOptions): string[] {
  const space = spaceTypes(facts.machinetypes, facts.configured ?? null);
  const head = [line(heading(facts), options, 'bold')];
  const sections = [typesSection(space, facts.local, options), problemsSection(facts.factories, options)];
  if (facts.local !== null) {
    sections.push(slotsSection(facts.local, options), decisionsSection(facts.local, options));
  }
  return [...head, ...laidOut(sections, options.rows - head.length, options)].slice(0, options.rows);
}

function heading({ space, factories }: WatchFacts): string {
  const sum = (of: (status: FactoryStatus) => number) =>
    factories.reduce((total, answer) => {
      const status = statusOf(answer);
      return total + (status === null ? 0 : of(status));
    }, 0);
  return [
    space,
    `${factories.filter(({ outcome }) => outcome !== 'none').length}/${factories.length} factories`,
    `${decimal(sum((s) => s.running_processors))}/${decimal(sum((s) => s.max_processors))} processors`,
    `${decimal(sum((s) => s.running_machines))}/${decimal(sum((s) => s.max_machines))} machines`,
    `${decimal(sum((s) => s.running_hs06))} HS06`,
  ].join('  ');
}

function typesSection({ types }: SpaceTypes, local: LocalStatus | null, options: WatchOptions): Section {
  if (types.length === 0) return { title: line('no machinetypes are known', options, 'dim'), lines: [] };
  const short = shortener(types.flatMap(({ lastEnd }) => (lastEnd === null ? [] : [lastEnd.hostname])));
  const waits = new Map(
    (local?.machinetypeDecisions ?? []).map((decision) => [decision.machinetype, waiting(decision)]),
  );
  const cells = options.columns < 100 ? BAR_CELLS.narrow : BAR_CELLS.wide;
  const columns: Column<SpaceType>[] = [
    { title: 'MACHINETYPE', text: ({ name }) => name, min: 11, max: 32 },
    { title: 'SHARE', text: ({ now, wanted }) => bar(now, wanted, cells), drop: 1 },
    { title: 'NOW', text: ({ now }) => percent(now), align: 'right' },
    { title: 'WANTED', text: ({ wanted }) => percent(wanted), align: 'right', drop: 3 },
    { title: 'MACH', text: ({ runningMachines }) => decimal(runningMachines), align: 'right' },
    { title: 'NEW', text: ({ beforeFizzle }) => decimal(beforeFizzle), align: 'right', drop: 6 },
    { title: 'HERE', text: ({ name }) => waits.get(name) ?? '', drop: 2, style: () => 'yellow' },
    ...endColumns<SpaceType>(({ lastEnd }) => lastEnd, short),
  ];
  const [title, ...lines] = table(types, columns, options);
  return { title: title!, lines };
}

/** What this host's factory last decided on a type, where that keeps it from starting. */
const WAITING: Readonly<Record<string, string>> = {
  backoff: 'backoff',
  scouting: 'scouting',
  'creation-failed': 'fails',
  'black-hole': 'black hole',
  'unsupported-model': 'cannot',
  'image-checking': 'image',
  'image-unavailable': 'no image',
};

/** Of an image on its way how much is here, where its size is known. */
function waiting({ code, reason }: Pick<LoggedDecision, 'code' | 'reason'>): string {
  if (code === 'image-fetching') return `image ${/\d+ %/.exec(reason)?.[0] ?? ''}`.trimEnd();
  return WAITING[code] ?? '';
}

function problemsSection(answers: readonly PeerAnswer<FactoryStatus>[], options: WatchOptions): Section {
  const short = factoryNames(answers);
  const troubled = inOrder(answers)
    .map((answer) => ({ factory: short(answer.factory), problems: factoryProblems(answer, options) }))
    .filter(({ problems }) => problems.length > 0);
  // A screen has room for some: the worst of all are among them.
  const ordered = [
    ...troubled.filter(({ problems }) => problems[0]!.severity === 'critical'),
    ...troubled.filter(({ problems }) => problems[0]!.severity !== 'critical'),
  ];
  const width = Math.min(24, Math.max(0, ...ordered.map(({ factory }) => widthOf(factory))));
  return {
    title: line(
      troubled.length === 0 ? 'NO FACTORY HAS PROBLEMS' : `FACTORIES WITH PROBLEMS: ${troubled.length}`,
      options,
      'dim',
    ),
    lines: ordered.map(({ factory, problems }) =>
      line(
        `${padEnd(factory, width)}  ${problems.map(({ text }) => text).join('; ')}`,
        options,
        problems[0]!.severity === 'critical' ? 'red' : 'yellow',
      ),
    ),
  };
}

function slotsSection(local: LocalStatus, options: WatchOptions): Section {
  const machines = local.machines.filter(({ phase }) => phase !== 'cleared').sort((a, b) => a.slot - b.slot);
  const title = `THIS HOST: ${local.processorsUsed} of ${local.processors} processors in use, load ${local.loadAverages.map((load) => load.toFixed(1)).join(' ')}`;
  const columns: Column<LocalMachine>[] = [
    { title: 'SLOT', text: ({ slot }) => String(slot), align: 'right' },
    { title: 'MACHINE', text: ({ hostname }) => hostname.split('.')[0] ?? hostname, min: 8, max: 32 },
    { title: 'MACHINETYPE', text: ({ machinetype }) => machinetype, min: 11, max: 32 },
    { title: 'STATE', text: stateWord },
    {
      title: 'TIME',
      text: ({ startedTimeSeconds }) => duration(secondsBetween(startedTimeSeconds, local.timeSeconds)),
      align: 'right',
    },
    { title: 'CPU', text: ({ cpuPercent, processors }) => percent(cpuPercent / 100 / processors), align: 'right' },
  ];
  const rows = machines.length === 0 ? [] : table(machines, columns, options).slice(1);
  const held = new Set(machines.map(({ slot }) => slot));
  return {
    title: line(title, options, 'dim'),
    lines: [
      ...(local.standstill === null ? [] : [line(`nothing starts: ${local.standstill.reason}`, options, 'yellow')]),
      ...local.problems.map((problem) => line(`problem: ${problem}`, options, 'yellow')),
      ...rows,
      ...emptySlots(local, held).map((text) => line(text, options, 'dim')),
    ],
  };
}

function stateWord({ stopping, phase, domain }: LocalMachine): string {
  if (stopping !== null && phase === 'running') return 'stopping';
  return domain === 'paused' ? 'paused' : phase;
}

/** One line for all empty slots of which the same was said last. */
function emptySlots({ slots, slotDecisions }: LocalStatus, held: ReadonlySet<number>): string[] {
  const reasonOf = new Map(slotDecisions.map(({ slot, reason }) => [slot, reason]));
  const counts = new Map<string, number>();
  for (let slot = 0; slot < slots; slot += 1) {
    if (held.has(slot)) continue;
    const reason = reasonOf.get(slot) ?? 'nothing was decided yet';
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => `${counted(count, 'empty slot')}: ${reason}`);
}

function decisionsSection(local: LocalStatus, options: WatchOptions): Section {
  const latest = local.done.slice(-DECISIONS).reverse();
  return {
    title: line('LAST DECISIONS HERE', options, 'dim'),
    lines: latest.map(({ timeSeconds, reason }) =>
      line(`${padEnd(duration(secondsBetween(timeSeconds, local.timeSeconds)), 5)}  ${reason}`, options),
    ),
  };
}

/** A blank line, the title and the lines of each section; no section gets more than what others leave. */
function laidOut(sections: readonly Section[], rows: number, options: WatchOptions): string[] {
  const OVERHEAD = 2;
  const shown: Section[] = [];
  for (const section of sections) {
    const least = (shown.length + 1) * (OVERHEAD + 1);
    if (least <= rows || shown.length === 0) shown.push(section);
  }
  let left = Math.max(0, rows - shown.length * OVERHEAD);
  const room = new Map<Section, number>();
  [...shown]
    .sort((a, b) => a.lines.length - b.lines.length)
    .forEach((section, index) => {
      const given = Math.min(section.lines.length, Math.floor(left / (shown.length - index)));
      room.set(section, given);
      left -= given;
    });
  return shown.flatMap((section) => ['', section.title, ...shortened(section.lines, room.get(section)!, options)]);
}

function shortened(lines: readonly string[], room: number, options: WatchOptions): readonly string[] {
  if (lines.length <= room) return lines;
  if (room < 1) return [];
  return [...lines.slice(0, room - 1), line(`… and ${lines.length - room + 1} more`, options, 'dim')];
}
