/** "Which machine was that": the trail, the log of connections and what is still in the state directory, put together. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere } from '../host/files.js';
import { readFlows } from '../host/flow-log-files.js';
import type { Flow, Gap } from '../host/flow-log-lines.js';
import { JOURNAL, StateLayout } from '../machines/layout.js';
import { readTrail } from './read.js';
import type { CreatedRecord, EndedRecord, NoteRecord, TrailRecord } from './record.js';

export interface TraceQuestion {
  /** Unix seconds; null: at any time. */
  readonly atSeconds: number | null;
  /** A machine's in the private network, or this host's own; null: any. */
  readonly ip: string | null;
  /** Host name (short or full), slot number, or name of its directory. */
  readonly machine: string | null;
  readonly uuid: string | null;
  /** Source port as the outside saw it. */
  readonly port: number | null;
  readonly to: { readonly address: string; readonly port: number | null } | null;
}

export interface TracedMachine {
  readonly about: CreatedRecord | EndedRecord;
  readonly ended: EndedRecord | null;
  readonly notes: readonly NoteRecord[];
  readonly startedTimeSeconds: number | null;
  /** What is there now: its directory, its log. */
  readonly directory: string | null;
  readonly log: string | null;
  /** Held now by vac quarantine. */
  readonly isHeld: boolean;
  /** Its connections that were asked for. */
  readonly flows: readonly Flow[];
}

export interface TraceAnswer {
  /** The likeliest first. */
  readonly machines: readonly TracedMachine[];
  /** Stretches of the time asked for of which the log of connections does not know all. */
  readonly gaps: readonly Gap[];
  /** More connections fit than are looked at. */
  readonly isCut: boolean;
  /** Whether a log of connections could be, and was, asked. */
  readonly flows: 'not-asked' | 'no-log' | 'asked';
  /** Where `atSeconds` was given and nothing was found: how the address or slot was used before and after. */
  readonly before: TracedMachine | null;
  readonly after: TracedMachine | null;
}

/** Clocks of two sites, and the minute to which a complaint gives its time. */
const TOLERANCE_SECONDS = 120;
const MAX_FLOWS = 100_000;
/** Ten digits, as all times here. */
const MAX_TIME_SECONDS = 9_999_999_999;
const PRIVATE = /^169\.254\./;

type Whole = Omit<TracedMachine, 'directory' | 'log' | 'isHeld' | 'flows'>;

export async function trace(stateDir: string, question: TraceQuestion): Promise<TraceAnswer> {
  const layout = new StateLayout(stateDir);
  const { atSeconds, ip } = question;
  const isPublic = ip !== null && !PRIVATE.test(ip);
  const all = wholes(await readTrail(layout.trail(), (line) => mayMatch(line, question)));
  const fitting = all.filter((machine) => fits(machine, question, isPublic));
  const wantsFlows = question.port !== null || question.to !== null;
  const living = atSeconds === null ? fitting : fitting.filter((machine) => livesAt(machine, atSeconds));
  const found = wantsFlows
    ? await readFlows(join(stateDir, 'flows'), {
        fromSeconds: atSeconds === null ? 0 : atSeconds - TOLERANCE_SECONDS,
        toSeconds: atSeconds === null ? MAX_TIME_SECONDS : atSeconds + TOLERANCE_SECONDS,
        matches: (flow) => flowFits(flow, question, isPublic),
        most: MAX_FLOWS,
      })
    : { flows: [], gaps: [], isCut: false };
  const hasLog = wantsFlows && (await isThere(join(stateDir, 'flows')));
  const withFlows = living.map((machine) => ({ machine, flows: flowsOf(machine, found.flows) }));
  const chosen =
    hasLog && withFlows.some(({ flows }) => flows.length > 0)
      ? withFlows.filter(({ flows }) => flows.length > 0)
      : withFlows;
  const sorted = chosen.sort(
    (one, other) =>
      nearest(one.flows, atSeconds) - nearest(other.flows, atSeconds) ||
      other.machine.about.machine.createdTimeSeconds - one.machine.about.machine.createdTimeSeconds,
  );
  const nobody = living.length === 0 && atSeconds !== null;
  const before = nobody ? fitting.filter(({ ended }) => ended !== null && ended.end.timeSeconds < atSeconds) : [];
  const after = nobody ? fitting.filter(({ about }) => about.machine.createdTimeSeconds > atSeconds) : [];
  const now = (machine: Whole | undefined) => (machine === undefined ? null : asNow(layout, machine, []));
  return {
    machines: await Promise.all(sorted.map(({ machine, flows }) => asNow(layout, machine, flows))),
    gaps: found.gaps,
    isCut: found.isCut,
    flows: !wantsFlows ? 'not-asked' : hasLog ? 'asked' : 'no-log',
    before: await now(before.toSorted((a, b) => b.ended!.end.timeSeconds - a.ended!.end.timeSeconds)[0]),
    after: await now(
      after.toSorted((a, b) => a.about.machine.createdTimeSeconds - b.about.machine.createdTimeSeconds)[0],
    ),
  };
}

/** Years of records may be there: what is looked for must be in the line's text. */
function mayMatch(line: string, { ip, uuid, machine }: TraceQuestion): boolean {
  if (line.includes('"kind":"note"')) return true;
  if (uuid !== null && !line.includes(uuid.toLowerCase())) return false;
  if (ip !== null && !line.includes(`"${ip}"`) && PRIVATE.test(ip)) return false;
  return machine === null || /^\d+$/.test(machine) || line.includes(machine.toLowerCase());
}

function wholes(records: readonly TrailRecord[]): Whole[] {
  const byUuid = new Map<string, { about: CreatedRecord | EndedRecord | null; notes: NoteRecord[] }>();
  for (const record of records) {
    const known = byUuid.get(record.uuid) ?? { about: null, notes: [] };
    byUuid.set(record.uuid, known);
    if (record.kind === 'note') known.notes.push(record);
    else if (known.about?.kind !== 'ended') known.about = record;
  }
  return [...byUuid.values()].flatMap(({ about, notes }) => {
    if (about === null) return [];
    const ended = about.kind === 'ended' ? about : null;
    return [{ about, ended, notes, startedTimeSeconds: ended?.startedTimeSeconds ?? null }];
  });
}

function fits({ about: { machine, provenance } }: Whole, question: TraceQuestion, isPublic: boolean): boolean {
  const { ip, uuid, machine: name } = question;
  if (uuid !== null && machine.uuid !== uuid.toLowerCase()) return false;
  if (name !== null && !isNamed(machine, name.toLowerCase())) return false;
  if (ip === null) return true;
  // A machine of which it is not known how it reached the outside may have been it.
  return isPublic ? (provenance?.nat?.address ?? ip) === ip : machine.ip === ip;
}

function isNamed({ id, hostname, slot }: CreatedRecord['machine'], name: string): boolean {
  if (/^\d+$/.test(name)) return slot === Number(name);
  return id.toLowerCase() === name || hostname === name || hostname.split('.')[0] === name;
}

function livesAt({ about, ended }: Whole, atSeconds: number): boolean {
  return about.machine.createdTimeSeconds <= atSeconds && (ended === null || ended.end.timeSeconds >= atSeconds);
}

function flowFits(flow: Flow, { ip, port, to }: TraceQuestion, isPublic: boolean): boolean {
  if (ip !== null && (isPublic ? flow.as : flow.from) !== ip) return false;
  if (port !== null && flow.asPort !== port && (isPublic || flow.fromPort !== port)) return false;
  return to === null || (flow.to === to.address && (to.port === null || flow.toPort === to.port));
}

function flowsOf(machine: Whole, flows: readonly Flow[]): Flow[] {
  return flows.filter(
    ({ from, timeSeconds }) => from === machine.about.machine.ip && livesAt(machine, Math.floor(timeSeconds)),
  );
}

/** Seconds from the time asked for to the nearest of these connections. */
function nearest(flows: readonly Flow[], atSeconds: number | null): number {
  if (atSeconds === null) return 0;
  return Math.min(Number.MAX_SAFE_INTEGER, ...flows.map(({ timeSeconds }) => Math.abs(timeSeconds - atSeconds)));
}

async function asNow(layout: StateLayout, machine: Whole, flows: readonly Flow[]): Promise<TracedMachine> {
  const { id } = machine.about;
  const directory = layout.machine(id);
  const started = await readTextIfThere(layout.inMachine(id, JOURNAL.started));
  const [hasDirectory, hasLog, isHeld] = await Promise.all([
    isThere(directory),
    isThere(layout.machineLog(id)),
    isThere(join(layout.quarantine(id), 'order.json')),
  ]);
  return {
    ...machine,
    startedTimeSeconds: machine.startedTimeSeconds ?? (Number(started) || null),
    directory: hasDirectory ? directory : null,
    log: hasLog ? layout.machineLog(id) : null,
    isHeld,
    flows,
  };
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
