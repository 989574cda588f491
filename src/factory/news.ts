/** What this factory would tell the others of each machinetype: its own part of the view that decisions use. */

import { isCredibleTime } from './credible-time.js';
import { isAbort } from './outcome.js';
import type { LastEnd, Machine, MachineEnd, MachineRecord, MachinetypeNews } from './types.js';

/** True while a machine holds processors: from its intent until its domain is known to be gone. */
export function holdsProcessors(machine: Machine): boolean {
  return machine.phase === 'starting' || machine.phase === 'running';
}

/**
 * True while too little time has passed to believe that a machine found work (SPEC 4). Not for one that seems to start in
 * the future, as the clock was set back since: how long ago it was is not known, and its type would wait until then.
 */
export function isBeforeFizzle(machine: Machine, nowSeconds: number): boolean {
  if (!holdsProcessors(machine)) return false;
  const { startedTimeSeconds, record } = machine;
  if (startedTimeSeconds === null) return true;
  return isCredibleTime(startedTimeSeconds, nowSeconds) && nowSeconds < startedTimeSeconds + record.fizzleSeconds;
}

/** A machine's outcome as its type's last one is kept. */
export function lastEndFrom(record: MachineRecord, end: MachineEnd): LastEnd {
  return {
    createdTimeSeconds: record.createdTimeSeconds,
    timeSeconds: end.timeSeconds,
    message: end.message,
    hostname: record.hostname,
  };
}

/** The outcome of the most recently created machine of a type that has finished and ever ran; null if none has. */
export function lastEndOf(
  machinetype: string,
  machines: readonly Machine[],
  kept: ReadonlyMap<string, LastEnd>,
): LastEnd | null {
  let last = kept.get(machinetype) ?? null;
  for (const { record, end, startedTimeSeconds } of machines) {
    if (record.machinetype !== machinetype || end === null || startedTimeSeconds === null) continue;
    if (last === null || record.createdTimeSeconds >= last.createdTimeSeconds) {
      last = lastEndFrom(record, end);
    }
  }
  return last;
}

type NewsOfEnd = NonNullable<MachinetypeNews['lastEnd']>;

/**
 * Whether an end is later than another, or than none. Of two in one second the machines' names tell, since all factories
 * must take the same one for the last: their turns to send a scout are drawn by it.
 */
export function isLater(end: NewsOfEnd, than: NewsOfEnd | null): boolean {
  if (than === null) return true;
  if (end.timeSeconds !== than.timeSeconds) return end.timeSeconds > than.timeSeconds;
  return end.hostname > than.hostname;
}

/**
 * News of many factories, one entry a machinetype: sums, and the newest abort. What decisions ask of the others is the
 * same of this as of all their entries, at a cost that does not grow with the space. The fold itself goes over all of
 * them in every pass, ten thousand in a large space: so it adds up in place.
 *
 * @param counts which entries to take
 * @param isCredible whether a time is to be believed (a wrong clock must not stop a type in the whole space)
 */
export function foldNews(
  news: readonly MachinetypeNews[],
  counts: (item: MachinetypeNews) => boolean,
  isCredible: (timeSeconds: number) => boolean,
): MachinetypeNews[] {
  const folded = new Map<string, { -readonly [Field in keyof MachinetypeNews]: MachinetypeNews[Field] }>();
  for (const item of news) {
    if (!counts(item)) continue;
    const sum = folded.get(item.machinetype);
    if (sum === undefined) {
      folded.set(item.machinetype, { ...item, factory: 'others', lastEnd: abortOf(item, isCredible) });
      continue;
    }
    sum.runningHs06 += item.runningHs06;
    sum.runningMachines += item.runningMachines;
    sum.runningProcessors += item.runningProcessors;
    sum.beforeFizzle += item.beforeFizzle;
    // Looked at first, since most are older: what a message means takes longer to tell.
    if (item.lastEnd !== null && isLater(item.lastEnd, sum.lastEnd)) {
      sum.lastEnd = abortOf(item, isCredible) ?? sum.lastEnd;
    }
  }
  return [...folded.values()];
}

function abortOf(
  { lastEnd }: MachinetypeNews,
  isCredible: (timeSeconds: number) => boolean,
): MachinetypeNews['lastEnd'] {
  return lastEnd !== null && isAbort(lastEnd.message) && isCredible(lastEnd.timeSeconds) ? lastEnd : null;
}

/** This factory's own news of one machinetype, counted from its machines; starting ones count as running (SPEC 3). */
export function ownNews(
  factory: string,
  machinetype: string,
  machines: readonly Machine[],
  kept: ReadonlyMap<string, LastEnd>,
  nowSeconds: number,
): MachinetypeNews {
  const held = machines.filter((m) => m.record.machinetype === machinetype && holdsProcessors(m));
  return {
    factory,
    machinetype,
    runningHs06: held.reduce((sum, m) => sum + m.record.hs06, 0),
    runningMachines: held.length,
    runningProcessors: held.reduce((sum, m) => sum + m.record.processors, 0),
    beforeFizzle: held.filter((m) => isBeforeFizzle(m, nowSeconds)).length,
    lastEnd: lastEndOf(machinetype, machines, kept),
  };
}
