/**
 * Black holes: a host on which machines of a type die at once, again and again, has room again at once, and so draws
 * more and more of them. Where the machines say why they ended (no work, banned, trouble of the whole grid) the backoff
 * of the space takes care. Here it is for those that do not, or that say all is well: their creation slows down on this
 * factory alone, until one of them has lived for fizzle_seconds.
 */

import type { MachinetypeConfig } from '../config/types.js';
import { isCredibleTime } from './credible-time.js';
import { holdsProcessors, isBeforeFizzle } from './news.js';
import { isFizzleMessage, outcomeCode, wasStopped } from './outcome.js';
import type { EarlyDeath, EarlyDeaths, FactoryState, Machine, MachineEnd, MachineRecord } from './types.js';

/** So many early deaths in a row make a black hole. */
export const BLACK_HOLE_DEATHS = 3;

/** The shortest first wait, and the longest wait (unless backoff_seconds is longer still). */
const MIN_WAIT_SECONDS = 10;
const MAX_WAIT_SECONDS = 600;

/** The wait is at its longest long before; a black hole that lasts for days must not grow in memory. */
const MAX_KEPT_DEATHS = 32;

const NONE: EarlyDeaths = { provenTimeSeconds: 0, deaths: [], olderDeaths: 0 };

/**
 * Whether an ended machine counts: it lived for less than fizzle_seconds, nobody asked it to stop, and it did not say
 * what the space-wide backoff is for. One without any message ended while nobody watched (a host that went down, say),
 * and tells nothing.
 */
export function isEarlyDeath(record: MachineRecord, startedTimeSeconds: number | null, end: MachineEnd): boolean {
  if (startedTimeSeconds === null || outlived(record, startedTimeSeconds, end)) return false;
  if (end.message === null || wasStopped(end.reason)) return false;
  const code = outcomeCode(end.message) ?? 0;
  const hundreds = Math.floor(code / 100);
  return isFizzleMessage(end.message) || ![3, 4, 6].includes(hundreds);
}

function outlived(record: MachineRecord, startedTimeSeconds: number, end: MachineEnd): boolean {
  return end.timeSeconds - startedTimeSeconds >= record.fizzleSeconds;
}

/**
 * The run of a type with one more ended machine, in whatever order they come.
 *
 * @param run undefined: none is known
 * @returns the same object when the end changes nothing
 */
export function withEnd(
  run: EarlyDeaths | undefined,
  record: MachineRecord,
  startedTimeSeconds: number | null,
  end: MachineEnd,
): EarlyDeaths {
  const known = run ?? NONE;
  const { createdTimeSeconds, hostname } = record;
  if (startedTimeSeconds !== null && outlived(record, startedTimeSeconds, end)) {
    return createdTimeSeconds <= known.provenTimeSeconds ? known : since(known, createdTimeSeconds);
  }
  if (!isEarlyDeath(record, startedTimeSeconds, end) || createdTimeSeconds <= known.provenTimeSeconds) return known;
  const death: EarlyDeath = {
    createdTimeSeconds,
    timeSeconds: end.timeSeconds,
    message: end.message ?? '',
    hostname,
  };
  const deaths = [...known.deaths, death].sort((a, b) => b.createdTimeSeconds - a.createdTimeSeconds);
  const dropped = Math.max(0, deaths.length - MAX_KEPT_DEATHS);
  return { ...known, deaths: deaths.slice(0, MAX_KEPT_DEATHS), olderDeaths: known.olderDeaths + dropped };
}

/** What is left of a run once a machine created at this time has outlived fizzle_seconds. */
function since(run: EarlyDeaths, provenTimeSeconds: number): EarlyDeaths {
  const deaths = run.deaths.filter((death) => death.createdTimeSeconds > provenTimeSeconds);
  const olderDeaths = deaths.length === run.deaths.length ? run.olderDeaths : 0;
  return { provenTimeSeconds, deaths, olderDeaths };
}

/**
 * A run without what seems to be of machines created in the future: from before our clock was set back, it would hide
 * from here to then that machines die.
 */
export function withoutFuture(run: EarlyDeaths, nowSeconds: number): EarlyDeaths {
  const isCredible = (timeSeconds: number) => isCredibleTime(timeSeconds, nowSeconds);
  return {
    ...run,
    provenTimeSeconds: isCredible(run.provenTimeSeconds) ? run.provenTimeSeconds : 0,
    deaths: run.deaths.filter(({ createdTimeSeconds }) => isCredible(createdTimeSeconds)),
  };
}

/** A type whose creation is slowed down on this factory. */
export interface BlackHole {
  /** How many died in a row. */
  readonly count: number;
  /** The one that died last. */
  readonly last: EarlyDeath;
  /** No start before this Unix time. */
  readonly nextTryTimeSeconds: number;
  /** Host name of a machine created since that has yet to live for fizzle_seconds: no other meanwhile. Null: none is. */
  readonly onTrial: string | null;
}

/** Null: machines of the type do not die early here, or not often enough in a row. */
export function blackHole(type: MachinetypeConfig, state: FactoryState): BlackHole | null {
  const known = state.earlyDeaths.get(type.name);
  if (known === undefined || known.deaths.length + known.olderDeaths < BLACK_HOLE_DEATHS) return null;
  const own = state.machines.filter((machine) => machine.record.machinetype === type.name && holdsProcessors(machine));
  const proven = own.filter((machine) => !isBeforeFizzle(machine, state.nowSeconds));
  const run = since(known, Math.max(known.provenTimeSeconds, ...proven.map(created)));
  const count = run.deaths.length + run.olderDeaths;
  const [newest] = run.deaths;
  if (newest === undefined || count < BLACK_HOLE_DEATHS) return null;

  const last = run.deaths.reduce((a, b) => (b.timeSeconds > a.timeSeconds ? b : a));
  const trial = own.find(
    (machine) => created(machine) > newest.createdTimeSeconds && isBeforeFizzle(machine, state.nowSeconds),
  );
  return {
    count,
    last,
    nextTryTimeSeconds: nextTry(count, last, type, state),
    onTrial: trial?.record.hostname ?? null,
  };
}

function created({ record }: Machine): number {
  return record.createdTimeSeconds;
}

/** The wait doubles with each further death. */
function nextTry(count: number, last: EarlyDeath, type: MachinetypeConfig, { nowSeconds }: FactoryState): number {
  // A clock that was set back since must not stop the type for that long.
  if (!isCredibleTime(last.timeSeconds, nowSeconds)) return nowSeconds;
  const wait = Math.max(type.backoffSeconds, MIN_WAIT_SECONDS) * 2 ** Math.min(count - BLACK_HOLE_DEATHS, 10);
  return last.timeSeconds + Math.min(wait, Math.max(type.backoffSeconds, MAX_WAIT_SECONDS));
}

/** "3 machines in a row died early here, the last …": one line for reasons, status and log. */
export function blackHoleText({ count, last }: BlackHole): string {
  return `${count} machines in a row died early on this factory, the last ${last.hostname} with "${last.message}"`;
}
