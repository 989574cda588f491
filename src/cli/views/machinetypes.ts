/** `vac machinetypes`: one line a type over the whole space; `vac machinetype NAME`: one type, a line a factory. */

import type { ShareOf } from '../../factory/shares.js';
import type { MachinetypeStatus, PeerAnswer } from '../../vacquery/index.js';
import { factoryNames, heardOf, inOrder } from './answers.js';
import { type SpaceType, spaceTypes, type TypeEnd, typeEnd } from './space-types.js';
import { type Column, table } from './table.js';
import {
  counted,
  decimal,
  duration,
  line,
  listed,
  percent,
  type Style,
  shortener,
  UNKNOWN,
  type ViewOptions,
  wrapped,
} from './text.js';

/** A view of shares. */
export interface SharesOptions extends ViewOptions {
  /** The configuration's machinetypes, whose shares then count; null: what the factories tell of theirs. */
  readonly configured?: readonly ShareOf[] | null;
}

/** The columns that tell how machines of a type, last of all, ended. */
export function endColumns<Row>(
  endOf: (row: Row) => TypeEnd | null,
  short: (hostname: string) => string,
): Column<Row>[] {
  return [
    { title: 'ENDED', text: (row) => agoOf(endOf(row)), align: 'right' },
    { title: 'HOST', text: (row) => short(endOf(row)?.hostname ?? ''), drop: 4, min: 8, max: 40 },
    { title: 'LAST OUTCOME', text: (row) => outcomeOf(endOf(row)), style: (row) => endStyle(endOf(row)), min: 24 },
  ];
}

function agoOf(end: TypeEnd | null): string {
  return end === null ? '' : duration(end.ageSeconds);
}

function outcomeOf(end: TypeEnd | null): string {
  return end === null ? '' : end.message || 'ended without a word';
}

export function endStyle(end: TypeEnd | null): Style | null {
  return end === null ? null : end.isAbort ? 'yellow' : 'green';
}

/**
 * `vac machinetypes`. WANTED and NOW are parts of all shares and of all running power (HS06); NEW are machines too young
 * to tell whether they found work; FACT is how many factories have the type; ENDED is how long ago the machine ended
 * whose outcome is shown, the newest of the space.
 */
export function machinetypesView(answers: readonly PeerAnswer<MachinetypeStatus>[], options: SharesOptions): string[] {
  if (answers.length === 0) return [line('there is no factory to ask', options)];
  const space = spaceTypes(answers, options.configured ?? null);
  const shortHost = shortener(space.types.flatMap(({ lastEnd }) => (lastEnd === null ? [] : [lastEnd.hostname])));
  const columns: Column<SpaceType>[] = [
    { title: 'MACHINETYPE', text: ({ name }) => name, min: 11, max: 40, total: 'total' },
    { title: 'WANTED', text: ({ wanted }) => percent(wanted), align: 'right' },
    { title: 'NOW', text: ({ now }) => percent(now), align: 'right' },
    {
      title: 'MACH',
      text: ({ runningMachines }) => decimal(runningMachines),
      align: 'right',
      total: decimal(space.runningMachines),
    },
    {
      title: 'PROC',
      text: ({ runningProcessors }) => decimal(runningProcessors),
      align: 'right',
      drop: 2,
      total: decimal(space.runningProcessors),
    },
    {
      title: 'HS06',
      text: ({ runningHs06 }) => decimal(runningHs06),
      align: 'right',
      drop: 1,
      total: decimal(space.runningHs06),
    },
    { title: 'NEW', text: ({ beforeFizzle }) => decimal(beforeFizzle), align: 'right', drop: 5 },
    { title: 'FACT', text: ({ factories }) => decimal(factories), align: 'right', drop: 3 },
    ...endColumns<SpaceType>(({ lastEnd }) => lastEnd, shortHost),
  ];
  return [
    ...(space.types.length > 0 ? table(space.types, columns, options) : []),
    ...wrapped(`${counted(space.types.length, 'machinetype')} on ${heardOf(answers)}`, options),
  ];
}

/**
 * `vac machinetype NAME`: a line for each factory that has it, in natural order.
 *
 * @returns null when no factory that answered has it, nor the configuration
 */
export function machinetypeView(
  name: string,
  answers: readonly PeerAnswer<MachinetypeStatus>[],
  options: SharesOptions,
): string[] | null {
  const type = spaceTypes(answers, options.configured ?? null).types.find((each) => each.name === name);
  if (type === undefined) return null;
  const ordered = inOrder(answers);
  const rows = ordered.flatMap(({ statuses }) =>
    statuses.filter(({ status }) => status.machinetype === name).map(({ status }) => status),
  );
  const short = factoryNames(answers);
  const shortHost = shortener(rows.flatMap(({ shutdown_machine: host }) => (host === null ? [] : [host])));
  const columns: Column<MachinetypeStatus>[] = [
    { title: 'FACTORY', text: ({ factory }) => short(factory), min: 10, max: 64, total: 'total' },
    { title: 'SHARE', text: ({ target_share: share }) => (share === null ? UNKNOWN : decimal(share)), align: 'right' },
    {
      title: 'MACH',
      text: (status) => decimal(status.running_machines),
      align: 'right',
      total: decimal(type.runningMachines),
    },
    {
      title: 'PROC',
      text: (status) => decimal(status.running_processors),
      align: 'right',
      drop: 2,
      total: decimal(type.runningProcessors),
    },
    {
      title: 'HS06',
      text: (status) => decimal(status.running_hs06),
      align: 'right',
      drop: 1,
      total: decimal(type.runningHs06),
    },
    {
      title: 'NEW',
      text: (status) => decimal(status.num_before_fizzle),
      align: 'right',
      drop: 3,
      total: decimal(type.beforeFizzle),
    },
    ...endColumns<MachinetypeStatus>(typeEnd, shortHost),
  ];
  const without = ordered
    .filter(({ outcome, statuses }) => outcome === 'complete' && !statuses.some((s) => s.status.machinetype === name))
    .map(({ factory }) => short(factory));
  return [
    ...(rows.length > 0 ? table(rows, columns, options) : []),
    ...wrapped(summary(type, heardOf(answers)), options),
    ...(without.length > 0 ? wrapped(`not configured on ${listed(without)}`, options) : []),
  ];
}

function summary({ name, wanted, now, lastEnd }: SpaceType, heard: string): string {
  const share = wanted === null ? '' : `, ${percent(wanted)} wanted`;
  const last =
    lastEnd === null
      ? ''
      : `; newest end ${duration(lastEnd.ageSeconds)} ago on ${lastEnd.hostname}: ${outcomeOf(lastEnd)}`;
  return `${name}: now ${percent(now)} of the running power on ${heard}${share}${last}`;
}
