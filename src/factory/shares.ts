/** Target shares: which machinetype is the most starved, by group first and then within it (SPEC 4). */

import type { MachinetypeNews } from './types.js';

/** What ordering needs of a machinetype's configuration. */
export interface ShareOf {
  readonly name: string;
  readonly machinegroup: string;
  readonly targetShare: number;
}

export interface Score {
  readonly machinetype: string;
  readonly machinegroup: string;
  /** Running power per unit of target share; the lowest is the most starved. */
  readonly score: number;
  readonly groupScore: number;
}

/**
 * Scores of all types with a target share above 0, most starved first.
 *
 * `score = Σ running_hs06 / target_share` over all factories' news; the group's score is the same sum over its types.
 * Ties are broken at random, so that factories that see the same do not all choose the same.
 *
 * @param rng uniform in [0, 1)
 */
export function scoreMachinetypes(
  types: readonly ShareOf[],
  news: readonly MachinetypeNews[],
  rng: () => number,
): Score[] {
  const shared = types.filter((type) => type.targetShare > 0);
  const power = new Map<string, number>();
  for (const item of news) power.set(item.machinetype, (power.get(item.machinetype) ?? 0) + item.runningHs06);

  const groupScores = new Map<string, number>();
  const scores = shared.map((type) => {
    const score = (power.get(type.name) ?? 0) / type.targetShare;
    groupScores.set(type.machinegroup, (groupScores.get(type.machinegroup) ?? 0) + score);
    return { machinetype: type.name, machinegroup: type.machinegroup, score, tieBreak: rng() };
  });
  return scores
    .map((entry) => ({ ...entry, groupScore: groupScores.get(entry.machinegroup) ?? 0 }))
    .sort((a, b) => a.groupScore - b.groupScore || a.score - b.score || a.tieBreak - b.tieBreak)
    .map(({ tieBreak: _, ...score }) => score);
}
