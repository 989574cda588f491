/** The machinetypes of a space, summed over what each factory says of its own: what shares are shown from. */

import { isAbort } from '../../factory/outcome.js';
import type { ShareOf } from '../../factory/shares.js';
import type { MachinetypeStatus, PeerAnswer } from '../../vacquery/index.js';
import { naturally } from './text.js';

/** How a machine ended, told by its factory. */
export interface TypeEnd {
  readonly message: string | null;
  readonly hostname: string;
  /** On the clock of that factory, when it answered. */
  readonly ageSeconds: number;
  /** Its type then starts no more for a while (SPEC 4). */
  readonly isAbort: boolean;
}

export interface SpaceType {
  readonly name: string;
  readonly machinegroup: string;
  /** Null: neither configured here nor told by any factory (the predecessor's do not tell). */
  readonly targetShare: number | null;
  /** Part of all target shares, 0 to 1; null where that is not known. */
  readonly wanted: number | null;
  /** Part of all running power. */
  readonly now: number;
  /** Part of all that was used, the past decayed; null: no factory keeps a history (share_half_life_hours). */
  readonly longTerm: number | null;
  readonly runningMachines: number;
  readonly runningProcessors: number;
  readonly runningHs06: number;
  readonly beforeFizzle: number;
  /** The newest of all factories. */
  readonly lastEnd: TypeEnd | null;
  /** How many factories have it. */
  readonly factories: number;
}

export interface SpaceTypes {
  /** By name. */
  readonly types: readonly SpaceType[];
  readonly runningMachines: number;
  readonly runningProcessors: number;
  readonly runningHs06: number;
}

/**
 * @param configured machinetypes of a configuration, whose shares and groups then count; null: what most factories say,
 *   and for the group of those that say nothing the predecessor's default, the FQAN or else the name (SPEC 1)
 */
export function spaceTypes(
  answers: readonly PeerAnswer<MachinetypeStatus>[],
  configured: readonly ShareOf[] | null,
): SpaceTypes {
  const told = new Map<string, MachinetypeStatus[]>();
  for (const { statuses } of answers) {
    for (const { status } of statuses) {
      const known = told.get(status.machinetype);
      if (known === undefined) told.set(status.machinetype, [status]);
      else known.push(status);
    }
  }
  const own = new Map((configured ?? []).map((type) => [type.name, type]));
  const summed = [...new Set([...told.keys(), ...own.keys()])]
    .sort(naturally)
    .map((name) => summedUp(name, told.get(name) ?? [], own.get(name)));
  const sum = (of: (type: Summed) => number) => summed.reduce((total, type) => total + of(type), 0);
  const allShares = sum(({ targetShare }) => targetShare ?? 0);
  const allUse = sum(({ decayedUse }) => decayedUse ?? 0);
  const runningHs06 = sum((type) => type.runningHs06);
  return {
    types: summed.map(({ decayedUse, ...type }) => ({
      ...type,
      longTerm: allUse > 0 ? (decayedUse ?? 0) / allUse : null,
      wanted: type.targetShare === null || allShares <= 0 ? null : type.targetShare / allShares,
      now: runningHs06 > 0 ? type.runningHs06 / runningHs06 : 0,
    })),
    runningMachines: sum((type) => type.runningMachines),
    runningProcessors: sum((type) => type.runningProcessors),
    runningHs06,
  };
}

/** Whether a type has nothing to do now: nothing of it runs, and its last machine found no work or could do none. */
export function hasNoDemand({ runningMachines, lastEnd }: SpaceType): boolean {
  return runningMachines === 0 && lastEnd !== null && lastEnd.isAbort;
}

export function typeEnd(status: MachinetypeStatus): TypeEnd | null {
  if (status.shutdown_time === null) return null;
  return {
    message: status.shutdown_message,
    hostname: status.shutdown_machine ?? status.factory,
    // An end that is still to come by the factory's own clock happened just now.
    ageSeconds: Math.max(0, status.time_sent - status.shutdown_time),
    isAbort: isAbort(status.shutdown_message),
  };
}

/** The value that most have; of several such the first, so that equal pictures look alike. */
export function mostCommon<T>(values: readonly T[]): T | undefined {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  let best: T | undefined;
  let most = 0;
  for (const [value, count] of counts) {
    if (count > most) [best, most] = [value, count];
  }
  return best;
}

/** `decayedUse`: HS06 × seconds; null: no factory tells. */
type Summed = Omit<SpaceType, 'wanted' | 'now' | 'longTerm'> & { readonly decayedUse: number | null };

function summedUp(name: string, statuses: readonly MachinetypeStatus[], own: ShareOf | undefined): Summed {
  const shares = statuses.flatMap(({ target_share: share }) => (share === null ? [] : [share]));
  const uses = statuses.flatMap(({ decayed_use: use }) => (use === null ? [] : [use]));
  const groups = statuses.map(({ machinegroup, fqan }) => machinegroup ?? fqan ?? name);
  const sum = (of: (status: MachinetypeStatus) => number) => statuses.reduce((total, each) => total + of(each), 0);
  let lastEnd: TypeEnd | null = null;
  for (const status of statuses) {
    const end = typeEnd(status);
    if (end !== null && (lastEnd === null || end.ageSeconds < lastEnd.ageSeconds)) lastEnd = end;
  }
  return {
    name,
    machinegroup: own?.machinegroup ?? mostCommon(groups) ?? name,
    targetShare: own?.targetShare ?? mostCommon(shares) ?? null,
    decayedUse: uses.length === 0 ? null : uses.reduce((total, use) => total + use, 0),
    runningMachines: sum(({ running_machines }) => running_machines),
    runningProcessors: sum(({ running_processors }) => running_processors),
    runningHs06: sum(({ running_hs06 }) => running_hs06),
    beforeFizzle: sum(({ num_before_fizzle }) => num_before_fizzle),
    lastEnd,
    factories: statuses.length,
  };
}
