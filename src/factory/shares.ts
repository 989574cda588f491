/**
 * Target shares: which machinetype is the most starved, by group first and then within it (SPEC 4).
 *
 * With history (`share_half_life_hours`) the power that a type had in the long term counts beside what it runs now: nine
 * parts of the mean to one of the present. A type that is short in the long term so gets more than its share for as long
 * as that is so: `1 + 9 × (1 - mean / share)` times it. The mean hardly moves while a slot is filled, so it is what
 * runs now that ends each spell of catching up, at once and without waiting for the mean: that keeps the space from
 * swinging.
 *
 * Why nine: with `k` parts a type that has work half of the time gets `(1 + k) / (2 + k)` of its share, 91 % with nine,
 * 86 % with five, half without history. The larger k is, the more the mean lags behind what it steers. Simulated with a
 * type that comes back after two weeks, a half-life of 72 h and machines that all live 23 h, which is the worst case: its
 * power overshoots by 2 % with nine parts, by 16 % with 20. The mean must be slow beside the lives of machines: a
 * half-life of 24 h with such machines swings. Where all types have work the shares are as steady as without history.
 *
 * Nobody stands still meanwhile: a type with work that runs less than a quarter of its share now goes first, and one
 * that runs four times its share goes last, whatever their past.
 */

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
  /** Power per unit of target share, with history for the most part that of the long term; the lowest is the most starved. */
  readonly score: number;
  /** The same of its machinegroup. */
  readonly groupScore: number;
  /** History aside, it goes before all others or after them: it runs far less or far more than its share now. */
  readonly bound: Bound;
  /** The same of its machinegroup. */
  readonly groupBound: Bound;
  /** There is history, and it is part of the scores. */
  readonly countsPast: boolean;
}

export type Bound = 'first' | 'last' | null;

/** Of each ten parts of a score with history, so many are the mean of the past. */
const PAST_PARTS = 9;
/** What a machine more adds to a score with history, of what it adds to one without. */
export const PRESENT_PART = 1 / (PAST_PARTS + 1);
/** Times its share, of what runs now. */
const LEAST_OF_SHARE = 0.25;
const MOST_OF_SHARE = 4;

const NO_PAST: ReadonlyMap<string, number> = new Map();

/**
 * Scores of all types with a target share above 0, most starved first.
 *
 * `score = Σ running_hs06 / target_share` over all factories' news; a group's score is the same of the group as a whole:
 * the power of all its types by the sum of their shares. A sum of its types' scores, as SPEC 4 can also be read, would
 * hold a group back the more the more types it has: two groups with equal shares, of one type and of three, would come
 * to 3 : 1. Ties are broken at random, so that factories that see the same do not all choose the same.
 *
 * @param rng uniform in [0, 1)
 * @param meanPower HS06 by machinetype in the long term (`meanPowers` of use.ts); empty: there is no history
 */
export function scoreMachinetypes(
  types: readonly ShareOf[],
  news: readonly MachinetypeNews[],
  rng: () => number,
  meanPower: ReadonlyMap<string, number> = NO_PAST,
): Score[] {
  const shared = types.filter((type) => type.targetShare > 0);
  const running = new Map<string, number>();
  let [hs06, machines] = [0, 0];
  for (const item of news) {
    running.set(item.machinetype, (running.get(item.machinetype) ?? 0) + item.runningHs06);
    hs06 += item.runningHs06;
    machines += item.runningMachines;
  }

  const hasPast = meanPower.size > 0;
  const machineHs06 = machines > 0 ? hs06 / machines : 0;
  const all: Served = { running: 0, mean: 0, share: 0 };
  const groups = new Map<string, Served>();
  const served = shared.map((type): Served => {
    const { name, machinegroup, targetShare: share } = type;
    const own: Served = { running: running.get(name) ?? 0, mean: meanPower.get(name) ?? 0, share };
    const group = groups.get(machinegroup) ?? { running: 0, mean: 0, share: 0 };
    groups.set(machinegroup, group);
    for (const sum of [group, all]) {
      sum.running += own.running;
      sum.mean += own.mean;
      sum.share += own.share;
    }
    return own;
  });
  const scoreOf = ({ running: now, mean, share }: Served) =>
    (hasPast ? (PAST_PARTS * mean + now) / (PAST_PARTS + 1) : now) / share;
  const scores = shared.map(({ name, machinegroup }, at) => {
    const group = groups.get(machinegroup)!;
    return {
      machinetype: name,
      machinegroup,
      score: scoreOf(served[at]!),
      groupScore: scoreOf(group),
      bound: hasPast ? boundOf(served[at]!, group, machineHs06) : null,
      groupBound: hasPast ? boundOf(group, all, machineHs06) : null,
      countsPast: hasPast,
      tieBreak: rng(),
    };
  });
  return scores
    .sort(
      (a, b) =>
        PLACE[a.groupBound ?? 'between'] - PLACE[b.groupBound ?? 'between'] ||
        a.groupScore - b.groupScore ||
        PLACE[a.bound ?? 'between'] - PLACE[b.bound ?? 'between'] ||
        a.score - b.score ||
        a.tieBreak - b.tieBreak,
    )
    .map(({ tieBreak: _, ...score }) => score);
}

/** The line of types for people, after "least power per share". */
export function scoresText(scores: readonly Score[]): string {
  const past = scores.some(({ countsPast }) => countsPast) ? ', nine tenths of which is the mean of the past' : '';
  const types = scores.map((score) => {
    const isAlone = scores.every((other) => other === score || other.machinegroup !== score.machinegroup);
    const bounds = [boundText('', score.bound), boundText(isAlone ? '' : 'its group ', score.groupBound)].filter(
      (text) => text !== '',
    );
    return `${score.machinetype} ${score.score.toFixed(2)}${bounds.length > 0 ? ` (${bounds.join('; ')})` : ''}`;
  });
  return `${past}: ${types.join(', ')}`;
}

function boundText(whose: string, bound: Bound): string {
  if (bound === null) return '';
  return bound === 'first'
    ? `${whose}first, below a quarter of its share now`
    : `${whose}last, four times its share now`;
}

/** Of a type, a group or the space: HS06 now and in the long term, and its target share. */
interface Served {
  running: number;
  mean: number;
  share: number;
}

const PLACE = { first: -1, between: 0, last: 1 } as const;

/**
 * Whether one runs far less or far more than its share of what a whole of such runs. Where a quarter of the share is less
 * than a machine, nothing runs far less: the types of a small space take turns, and their past says whose turn it is.
 */
function boundOf({ running, share }: Served, whole: Served, machineHs06: number): Bound {
  const due = (whole.running * share) / whole.share;
  if (due > 0 && running + machineHs06 <= due * LEAST_OF_SHARE) return 'first';
  return running > 0 && running >= due * MOST_OF_SHARE ? 'last' : null;
}
