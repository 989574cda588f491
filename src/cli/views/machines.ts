/** `vac machines`: every machine of the space, one a line; empty slots summed by factory. */

import type { MachineStatus, PeerAnswer } from '../../vacquery/index.js';
import { factoryNames, heardOf, inOrder } from './answers.js';
import { type Column, table } from './table.js';
import {
  counted,
  decimal,
  duration,
  line,
  naturally,
  percent,
  type Style,
  secondsBetween,
  shortener,
  type ViewOptions,
  wrapped,
} from './text.js';

export interface MachinesOptions extends ViewOptions {
  /** Every empty slot on a line of its own, instead of one line for all of a factory. */
  readonly all?: boolean;
}

/** A machine that its factory has not seen for longer than this is told of: factories look at theirs every minute. */
const STALE_SECONDS = 300;

interface Row {
  readonly name: string;
  readonly machinetype: string;
  readonly state: string;
  readonly processors: string;
  readonly model: string;
  readonly hs06: string;
  readonly time: string;
  readonly efficiency: string;
  readonly note: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'MACHINE', text: ({ name }) => name, min: 12, max: 64 },
  { title: 'MACHINETYPE', text: ({ machinetype }) => machinetype, min: 11, max: 40 },
  { title: 'STATE', text: ({ state }) => state, style: ({ state }) => STATE_STYLE[state] ?? null },
  { title: 'PROC', text: ({ processors }) => processors, align: 'right', drop: 1 },
  { title: 'VM', text: ({ model }) => model, drop: 4 },
  { title: 'HS06', text: ({ hs06 }) => hs06, align: 'right', drop: 3 },
  { title: 'TIME', text: ({ time }) => time, align: 'right' },
  { title: 'CPU', text: ({ efficiency }) => efficiency, align: 'right', drop: 2 },
  { title: 'NOTE', text: ({ note }) => note, min: 32 },
];

const STATE_STYLE: Readonly<Record<string, Style>> = {
  Starting: 'cyan',
  Running: 'green',
  Paused: 'yellow',
  Unknown: 'red',
  'Shut down': 'dim',
  empty: 'dim',
};

/**
 * By factory and slot in natural order. TIME is how long a machine has run (a starting one: since it was created), or
 * ran; CPU is CPU time by that time and the machine's processors, over its whole life; both are taken from the clock of
 * the machine's factory, so they are right where that clock is not. VM is the predecessor's code for the kind of
 * machine: VM, or DC and SC for Docker and Singularity containers.
 */
export function machinesView(answers: readonly PeerAnswer<MachineStatus>[], options: MachinesOptions): string[] {
  if (answers.length === 0) return [line('there is no factory to ask', options)];
  const ordered = inOrder(answers);
  const short = shortener(namesOf(answers));
  const shortFactory = factoryNames(answers);
  const rows: Row[] = [];
  for (const { factory, statuses } of ordered) {
    const slots = statuses
      .map(({ status }) => ({ status, slot: slotOf(status.machine) }))
      .sort((a, b) => a.slot - b.slot || naturally(a.status.machine, b.status.machine));
    let empty = 0;
    for (const { status } of slots) {
      if (!isEmpty(status)) rows.push(machineRow(status, short(status.machine)));
      else if (options.all) rows.push({ ...EMPTY, name: short(status.machine) });
      else empty += 1;
    }
    if (empty > 0) rows.push({ ...EMPTY, name: shortFactory(factory), note: counted(empty, 'empty slot') });
  }
  return [...(rows.length > 0 ? table(rows, COLUMNS, options) : []), ...wrapped(totals(ordered), options)];
}

const EMPTY: Row = {
  name: '',
  machinetype: '',
  state: 'empty',
  processors: '',
  model: '',
  hs06: '',
  time: '',
  efficiency: '',
  note: '',
};

function* namesOf(answers: readonly PeerAnswer<MachineStatus>[]): Iterable<string> {
  for (const { statuses } of answers) for (const { status } of statuses) yield status.machine;
}

/** A slot that has no machine and shows no earlier one. */
function isEmpty({ state, machinetype }: MachineStatus): boolean {
  return state === 'Shut down' && machinetype === null;
}

/** Host names of slots end with the slot's number (SPEC 1), which is sooner compared than the name; others come last. */
function slotOf(hostname: string): number {
  const digits = /-(\d+)(?:\.|$)/.exec(hostname);
  return digits ? Number(digits[1]) : Number.MAX_SAFE_INTEGER;
}

function machineRow(status: MachineStatus, name: string): Row {
  const seconds = ranSeconds(status);
  return {
    name,
    machinetype: status.machinetype ?? '',
    state: status.state,
    processors: decimal(status.num_processors),
    model: modelCode(status.machine_model),
    hs06: decimal(status.hs06),
    time: seconds === null ? '' : duration(seconds),
    efficiency: percentOf(status, seconds),
    note: noteOf(status),
  };
}

function ranSeconds({ state, created_time, started_time, shutdown_time, time_sent }: MachineStatus): number | null {
  if (state === 'Shut down') return secondsBetween(started_time, shutdown_time);
  return secondsBetween(state === 'Starting' ? created_time : started_time, time_sent);
}

function percentOf({ state, cpu_seconds, num_processors }: MachineStatus, seconds: number | null): string {
  if (state === 'Starting' || seconds === null || seconds * num_processors <= 0) return '';
  return percent(cpu_seconds / (seconds * num_processors));
}

function noteOf(status: MachineStatus): string {
  if (status.state !== 'Shut down') {
    const age = secondsBetween(status.heartbeat_time, status.time_sent);
    return age !== null && age > STALE_SECONDS ? `not seen for ${duration(age)}` : '';
  }
  const ago = secondsBetween(status.shutdown_time, status.time_sent);
  const when = ago === null ? '' : `${duration(ago)} ago`;
  if (!status.shutdown_message) return when;
  return when === '' ? status.shutdown_message : `${when}: ${status.shutdown_message}`;
}

function modelCode(model: string | null): string {
  if (model === null) return '';
  if (/^(?:cernvm|vm)/.test(model)) return 'VM';
  if (model === 'docker') return 'DC';
  return model === 'singularity' ? 'SC' : '?';
}

const HOLDING: ReadonlySet<string> = new Set(['Starting', 'Running', 'Paused', 'Unknown']);

function totals(answers: readonly PeerAnswer<MachineStatus>[]): string {
  const counts = new Map<string, number>();
  let processors = 0;
  let hs06 = 0;
  for (const { statuses } of answers) {
    for (const { status } of statuses) {
      const state = isEmpty(status) ? 'empty' : status.state === 'Shut down' ? 'finished' : status.state.toLowerCase();
      counts.set(state, (counts.get(state) ?? 0) + 1);
      if (!HOLDING.has(status.state)) continue;
      processors += status.num_processors;
      hs06 += status.hs06;
    }
  }
  const states = ['running', 'starting', 'paused', 'unknown', 'finished', 'empty']
    .filter((state) => state === 'running' || counts.has(state))
    .map((state) => `${counts.get(state) ?? 0} ${state}`);
  return `${states.join(', ')} on ${heardOf(answers)}; ${counted(processors, 'processor')}, ${decimal(hs06)} HS06 in use`;
}
