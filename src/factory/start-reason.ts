/** Why a machine is started, in one line for people: `vac why`, the log, the machine's own record. */

import type { MachinetypeConfig } from '../config/types.js';
import type { Candidate, Chance } from './choice.js';
import { type Score, scoresText } from './shares.js';

/** A type that may be started now, and fits. */
export interface Eligible extends Candidate {
  readonly type: MachinetypeConfig;
  /** False: the slot is kept for it while its image is looked at. */
  readonly isReady: boolean;
  /** Why it is eligible, or what it waits for. */
  readonly reason: string;
}

/**
 * @param odds all that might have been drawn
 * @param scores all types with a share, in line
 * @param refusals types before it in line, or beside it, that may not start, and why
 * @param completes it fills up a superslot
 */
export function startReason(
  { score, reason }: Eligible,
  odds: readonly Chance<Eligible>[],
  scores: readonly Score[],
  refusals: readonly string[],
  completes: boolean,
): string {
  const grouped = scores.some((s) => s.machinegroup === score.machinegroup && s.machinetype !== score.machinetype);
  const group = grouped ? ` (its group ${score.machinegroup} ${score.groupScore.toFixed(2)})` : '';
  const skipped = refusals.length > 0 ? `; passed over: ${refusals.join('; ')}` : '';
  const superslot = completes ? 'completes a superslot; ' : '';
  const lots = odds.map(({ candidate, part }) => `${candidate.type.name} ${(part * 100).toFixed(1)} %`).join(', ');
  const how =
    odds.length > 1 ? `drawn by lot, as others choose too (${lots}), from power per share` : 'least power per share';
  return `${superslot}${how}${group}${scoresText(scores)}; ${reason}${skipped}`;
}
