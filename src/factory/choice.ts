/**
 * Which of the machinetypes that may start now is started, in a space of factories that choose at the same time.
 *
 * The most starved type is the right choice for one who is alone. Many who see the same, which is some seconds old, would
 * all choose it: machines of one type for all slots that came free meanwhile, then all of another, and the space swings.
 * So each draws by lot, and the odds are the parts that the types would get if all that may be free in the space were
 * dealt out at once, each piece to the type with the least power per share: the sum of all choices then comes to just
 * that.
 *
 * How much is free elsewhere nobody knows in the moment in which many slots come free at once. So one in ten of the others
 * is taken to be as free as this factory is; more of them the emptier it is, as when a whole space has just been started.
 * The more is taken to be free, the nearer are the odds to the shares themselves, and the less does each choice set right.
 * Simulated: of 1,000 factories with 32 slots that get a free slot each
 * at one moment all choose one type without lots, which then has 2.6 % of the space too much for hours; with a tenth it is
 * 0.18 %, with all of them 0.11 %. While the space goes its way the worst error of 320 slots is 0.5 % without lots, 1.0 %
 * with a tenth, 1.6 % with all; of 32,000 it is below 0.1 % in each case.
 */

import { PRESENT_PART, type Score } from './shares.js';

/** Of the other factories, the part that is taken to be as free as this one where little is free. */
const FREE_AS_THIS_ONE = 0.1;

/** Chances of less than this are not worth drawing for, nor telling. */
const LEAST_CHANCE = 0.001;

export interface Candidate {
  readonly score: Score;
  readonly targetShare: number;
  /** Sum of the target shares of its machinegroup. */
  readonly groupShare: number;
}

export interface Chance<C> {
  readonly candidate: C;
  /** Above 0, up to 1; the chances of all come to 1. */
  readonly part: number;
}

/** Processors that may be free in all factories of the space together. */
export function freeInSpace(freeProcessors: number, totalProcessors: number, others: number): number {
  const part = FREE_AS_THIS_ONE + (1 - FREE_AS_THIS_ONE) * Math.min(1, freeProcessors / Math.max(1, totalProcessors));
  return freeProcessors * (1 + others * part);
}

/**
 * The odds of each candidate: by group first and then within it, as they are in line.
 *
 * @param candidates eligible types that fit, in line by share (the first is the most starved); at least one
 * @param freeHs06 power that may be free in the whole space; 0 = no factory but this one chooses: the first gets it
 * @returns the likely first in line, without those whose chance is next to none
 */
export function chances<C extends Candidate>(candidates: readonly C[], freeHs06: number): Chance<C>[] {
  const [first] = candidates;
  if (first === undefined) return [];
  if (freeHs06 <= 0 || candidates.length === 1) return [{ candidate: first, part: 1 }];
  const amount = first.score.countsPast ? freeHs06 * PRESENT_PART : freeHs06;
  const groups = new Map<string, C[]>();
  // Who goes before all others or after them does so here too.
  for (const candidate of candidates.filter(({ score }) => score.groupBound === first.score.groupBound)) {
    const { machinegroup } = candidate.score;
    groups.set(machinegroup, [...(groups.get(machinegroup) ?? []), candidate]);
  }
  const members = [...groups.values()];
  const byGroup = dealt(
    members.map(([one]) => ({ level: one!.score.groupScore, share: one!.groupShare })),
    amount,
  );
  const odds = members.flatMap((group, at): Chance<C>[] => {
    const inFront = group.filter(({ score }) => score.bound === group[0]!.score.bound);
    const parts = dealt(
      inFront.map(({ score, targetShare }) => ({ level: score.score, share: targetShare })),
      amount * byGroup[at]!,
    );
    return inFront.map((candidate, index) => ({ candidate, part: byGroup[at]! * parts[index]! }));
  });
  const likely = odds.filter(({ part }) => part >= LEAST_CHANCE);
  const sum = likely.reduce((total, { part }) => total + part, 0);
  return likely.map(({ candidate, part }) => ({ candidate, part: part / sum }));
}

/** @param rng uniform in [0, 1); asked only where there is a choice */
export function draw<C>(odds: readonly Chance<C>[], rng: () => number): C {
  let left = odds.length > 1 ? rng() : 0;
  for (const { candidate, part } of odds) {
    if (left < part) return candidate;
    left -= part;
  }
  return odds.at(-1)!.candidate;
}

interface Vessel {
  /** Power per share. */
  readonly level: number;
  readonly share: number;
}

/**
 * The part that each gets of an amount of power that is poured in, as into vessels that are joined: the lowest levels rise
 * first, to one level. Nothing to pour: the lowest share it.
 */
function dealt(vessels: readonly Vessel[], amount: number): number[] {
  const rising = [...vessels].sort((a, b) => a.level - b.level);
  let [share, filled] = [0, 0];
  let top = rising[0]!.level;
  for (const [at, vessel] of rising.entries()) {
    share += vessel.share;
    filled += vessel.share * vessel.level;
    top = (amount + filled) / share;
    const next = rising[at + 1]?.level ?? Number.POSITIVE_INFINITY;
    if (top < next || (amount === 0 && vessel.level < next)) break;
  }
  const lowest = rising[0]!.level;
  const heights = vessels.map(({ level, share: width }) => {
    if (amount > 0) return Math.max(0, top - level) * width;
    return level === lowest ? width : 0;
  });
  const sum = heights.reduce((total, height) => total + height, 0);
  if (sum > 0) return heights.map((height) => height / sum);
  // So little that it is lost in rounding.
  return vessels.map((vessel) => (vessel === rising[0] ? 1 : 0));
}
