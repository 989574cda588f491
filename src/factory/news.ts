/** What this factory would tell the others of each machinetype: its own part of the view that decisions use. */

import type { LastEnd, Machine, MachinetypeNews } from './types.js';

/** True while a machine holds processors: from its intent until its domain is known to be gone. */
export function holdsProcessors(machine: Machine): boolean {
  return machine.phase === 'starting' || machine.phase === 'running';
}

/** True while too little time has passed to believe that a machine found work (SPEC 4). */
export function isBeforeFizzle(machine: Machine, nowSeconds: number): boolean {
  if (!holdsProcessors(machine)) return false;
  return machine.startedTimeSeconds === null || nowSeconds < machine.startedTimeSeconds + machine.record.fizzleSeconds;
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
      last = {
        createdTimeSeconds: record.createdTimeSeconds,
        timeSeconds: end.timeSeconds,
        message: end.message,
        hostname: record.hostname,
      };
    }
  }
  return last;
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
