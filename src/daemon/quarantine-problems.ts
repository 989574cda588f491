/** Machines in quarantine as `vac why`, `vac check` and `vac factories --problems` tell of them. */

import { utcTime } from '../factory/orders.js';
import type { Quarantine } from '../factory/types.js';

/** One line each: a machine that somebody holds takes processors and disk until somebody releases it. */
export function quarantineProblems(quarantines: ReadonlyMap<string, Quarantine>): string[] {
  return [...quarantines].map(([id, { who, reason, sinceSeconds, memory, release }]) => {
    if (release !== null) return `${id} is being released from quarantine`;
    const lost = memory !== null && !memory.includes('is kept in') ? `; ${memory}` : '';
    return `${id} is in quarantine since ${utcTime(sinceSeconds)}, by ${who}: ${reason}${lost}; vac release lifts it`;
  });
}
