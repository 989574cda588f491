/** `vac shares`: what each machinegroup and machinetype has of the space, what is wanted, and the difference. */

import type { MachinetypeStatus, PeerAnswer } from '../../vacquery/index.js';
import { heardOf } from './answers.js';
import type { SharesOptions } from './machinetypes.js';
import { hasNoDemand, type SpaceType, type SpaceTypes, spaceTypes } from './space-types.js';
import { type Column, table } from './table.js';
import { bar, decimal, duration, line, naturally, percent, signed, UNKNOWN, wrapped } from './text.js';

/** A machinegroup, or a machinetype in it. */
interface Row {
  readonly name: string;
  readonly isGroup: boolean;
  readonly now: number;
  readonly wanted: number | null;
  readonly longTerm: number | null;
  readonly runningProcessors: number;
  readonly runningHs06: number;
}

const MIN_BAR_CELLS = 10;
const MAX_BAR_CELLS = 40;
/** Differences in share that a row is coloured from: a space of few machines is never exact. */
const NOTED_DIFFERENCE = 0.05;

/**
 * Shares are parts of all running power, as the decision counts them (SPEC 4). `#` is what runs now, `|` what is wanted,
 * PROC and HS06 are how much more than wanted runs.
 *
 * LONG TERM is the part of all that was used, the past counting less and less; shown where history is kept
 * (share_half_life_hours), since the decision then goes by it.
 *
 * What is wanted of a group is the sum of its types' target shares (factory/shares.ts).
 */
export function sharesView(answers: readonly PeerAnswer<MachinetypeStatus>[], options: SharesOptions): string[] {
  if (answers.length === 0) return [line('there is no factory to ask', options)];
  const space = spaceTypes(answers, options.configured ?? null);
  const rows = rowsOf(space);
  const isTold = rows.some(({ wanted }) => wanted !== null);
  return [
    ...(rows.length > 0 ? table(rows, columnsFor(space, options.columns), options) : []),
    ...demandNotes(space).map((note) => line(note, options)),
    ...wrapped(
      `${decimal(space.runningProcessors)} processors, ${decimal(space.runningHs06)} HS06 in use on ${heardOf(answers)}`,
      options,
    ),
    ...(isTold || rows.length === 0
      ? []
      : wrapped(
          'no target shares are known: these factories do not tell theirs, and no configuration was read',
          options,
        )),
  ];
}

/** Groups by name, each followed by its types; a group of one type is that type. */
function rowsOf({ types }: SpaceTypes): Row[] {
  const groups = new Map<string, SpaceType[]>();
  for (const type of types) {
    const group = groups.get(type.machinegroup);
    if (group === undefined) groups.set(type.machinegroup, [type]);
    else group.push(type);
  }
  return [...groups]
    .sort(([a], [b]) => naturally(a, b))
    .flatMap(([name, members]) => {
      if (members.length === 1) return [typeRow(members[0]!, '')];
      return [groupRow(name, members), ...members.map((type) => typeRow(type, '  '))];
    });
}

function groupRow(name: string, members: readonly SpaceType[]): Row {
  const sum = (of: (type: SpaceType) => number) => members.reduce((total, type) => total + of(type), 0);
  return {
    name,
    isGroup: true,
    now: sum(({ now }) => now),
    wanted: members.every(({ wanted }) => wanted === null) ? null : sum(({ wanted }) => wanted ?? 0),
    longTerm: members.every(({ longTerm }) => longTerm === null) ? null : sum(({ longTerm }) => longTerm ?? 0),
    runningProcessors: sum(({ runningProcessors }) => runningProcessors),
    runningHs06: sum(({ runningHs06 }) => runningHs06),
  };
}

function typeRow(type: SpaceType, indent: string): Row {
  return { ...type, name: `${indent}${type.name}`, isGroup: false };
}

/** Types whose part others may have meanwhile, and why. */
function demandNotes({ types }: SpaceTypes): string[] {
  return types.flatMap((type) => {
    if (!hasNoDemand(type) || type.lastEnd === null) return [];
    const { message, ageSeconds } = type.lastEnd;
    return [`no demand for ${type.name}: ${message}, ${duration(ageSeconds)} ago`];
  });
}

function columnsFor(space: SpaceTypes, columns: number): Column<Row>[] {
  const cells = Math.min(MAX_BAR_CELLS, Math.max(MIN_BAR_CELLS, Math.floor(columns / 5)));
  const excess = (of: (row: Row) => number, total: number) => (row: Row) =>
    row.wanted === null ? UNKNOWN : signed(of(row) - row.wanted * total);
  return [
    {
      title: 'GROUP, TYPE',
      text: ({ name }) => name,
      style: ({ isGroup }) => (isGroup ? 'bold' : null),
      min: 12,
      max: 40,
    },
    { title: 'SHARE', text: ({ now, wanted }) => bar(now, wanted, cells), drop: 3 },
    { title: 'NOW', text: ({ now }) => percent(now), align: 'right' },
    { title: 'WANTED', text: ({ wanted }) => percent(wanted), align: 'right' },
    {
      title: 'DIFF',
      text: ({ now, wanted }) => (wanted === null ? UNKNOWN : signed((now - wanted) * 100, ' %')),
      align: 'right',
      style: ({ now, wanted }) => (wanted === null || Math.abs(now - wanted) < NOTED_DIFFERENCE ? null : 'yellow'),
    },
    ...(space.types.some(({ longTerm }) => longTerm !== null)
      ? [{ title: 'LONG TERM', text: ({ longTerm }: Row) => percent(longTerm), align: 'right' as const }]
      : []),
    {
      title: 'PROC',
      text: excess(({ runningProcessors }) => runningProcessors, space.runningProcessors),
      align: 'right',
      drop: 1,
    },
    { title: 'HS06', text: excess(({ runningHs06 }) => runningHs06, space.runningHs06), align: 'right', drop: 2 },
  ];
}
