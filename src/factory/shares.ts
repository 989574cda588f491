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
  /** The same of its machinegroup. */
  readonly groupScore: number;
}

/**
 * Scores of all types with a target share above 0, most starved first.
 *
 * `score = Σ running_hs06 / target_share` over all factories' news; a group's score is the same of the group as a whole:
 * the power of all its types by the sum of their shares. A sum of its types' scores, as SPEC 4 can also be read, would
 * hold a group back the more the more types it has: two groups with equal shares, of one type and of three, would come
 * to 3 : 1. Ties are broken at random, so that factories that see the same do not all choose the same.
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

  const groups = new Map<string, { power: number; share: number }>();
  for (const { name, machinegroup, targetShare } of shared) {
    const group = groups.get(machinegroup) ?? { power: 0, share: 0 };
    groups.set(machinegroup, { power: group.power + (power.get(name) ?? 0), share: group.share + targetShare });
  }
  const scores = shared.map(({ name, machinegroup, targetShare }) => {
    const group = groups.get(machinegroup)!;
    return {
      machinetype: name,
      machinegroup,
      score: (power.get(name) ?? 0) / targetShare,
      groupScore: group.power / group.share,
      tieBreak: rng(),
    };
  });
  return scores
    .sort((a, b) => a.groupScore - b.groupScore || a.score - b.score || a.tieBreak - b.tieBreak)
    .map(({ tieBreak: _, ...score }) => score);
}
