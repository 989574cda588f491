/** What `vac overnight` is told: the policy's word, what it was made from, and the machines that it is about. */

import type { OvernightPause, OvernightVerdict, OwnerFacts } from '../factory/overnight-types.js';
import type { MachineSuspension } from '../factory/types.js';
import type { Memory } from './memory.js';

export interface OvernightMachine {
  readonly hostname: string;
  readonly machinetype: string;
  readonly suspension: MachineSuspension | null;
  readonly shutdownTimeSeconds: number;
}

export interface OvernightReport {
  readonly factory: string;
  readonly verdict: OvernightVerdict;
  readonly owner: OwnerFacts;
  readonly pause: OvernightPause | null;
  /** Those that are starting or running, suspended ones too. */
  readonly machines: readonly OvernightMachine[];
}

/** Null: the configuration has no [overnight], or vacd has only just started. */
export function overnightReport(memory: Memory): OvernightReport | null {
  const { latest, owner, pause } = memory.overnight;
  if (latest === null) return null;
  const living = [...memory.machines.values()].filter(
    ({ entry }) => entry.phase === 'starting' || entry.phase === 'running',
  );
  return {
    factory: memory.factory,
    verdict: latest,
    owner,
    pause,
    machines: living
      .map(({ entry: { record, suspension, shutdownTimeSeconds } }) => ({
        hostname: record.hostname,
        machinetype: record.machinetype,
        suspension,
        shutdownTimeSeconds,
      }))
      .sort((a, b) => (a.hostname < b.hostname ? -1 : 1)),
  };
}
