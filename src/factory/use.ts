/**
 * What each machinetype has used of a factory: power × time, in which what was used one half-life ago counts half
 * (`share_half_life_hours`). From this long-term shares are balanced; `shares.ts` says how.
 *
 * Use is weighed against the shares of its time. When shares change, a type's use is changed in proportion to its part of
 * them, so that being served above or below its share stays what it was and the new shares hold at once: a share that is
 * doubled would else bring a debt of all the past at the new rate, for which the others stood still for days. For the
 * same reason a type that is new here, or whose share was 0, begins as if it had always been served as its share says;
 * so do all types when history is turned on or lost, and on a new factory. What was seeded so fades like any history.
 */

import type { ShareOf } from './shares.js';

/** HS06 × seconds by machinetype, decayed to a moment. */
export type Uses = ReadonlyMap<string, number>;

/** Of one machinetype, as it is kept over restarts. */
export interface KeptUse {
  /** HS06 × seconds. */
  readonly use: number;
  /** Its part of all target shares, 0 to 1, that `use` is weighed against; 0: it has none now. */
  readonly part: number;
}

/** Less than a machine of one processor uses in a tenth of a second is forgotten where the type has no share. */
const MIN_USE = 0.1;

/**
 * Use after more time: what there was halves every half-life, and what runs adds to it. The gossip library predicts the
 * use of others by the same rule (vacquery/entry.ts); neither may import the other, and a test holds them equal.
 */
export function decayUse(use: number, hs06: number, seconds: number, halfLifeSeconds: number): number {
  const kept = 2 ** (-seconds / halfLifeSeconds);
  return use * kept + ((hs06 * halfLifeSeconds) / Math.LN2) * (1 - kept);
}

/** What is left now of the use of so much power, from so long ago until so long ago. */
export function pastUse(
  hs06: number,
  fromSecondsAgo: number,
  untilSecondsAgo: number,
  halfLifeSeconds: number,
): number {
  if (fromSecondsAgo <= untilSecondsAgo) return 0;
  return decayUse(
    decayUse(0, hs06, fromSecondsAgo - untilSecondsAgo, halfLifeSeconds),
    0,
    untilSecondsAgo,
    halfLifeSeconds,
  );
}

/** The power that each type had in the mean, the recent past counting more: HS06 by machinetype. None without history. */
export function meanPowers(uses: Uses, halfLifeSeconds: number): Map<string, number> {
  if (halfLifeSeconds <= 0) return new Map();
  return new Map([...uses].map(([machinetype, use]) => [machinetype, (use * Math.LN2) / halfLifeSeconds]));
}

export function sumUses(one: Uses, other: Uses): Map<string, number> {
  const sums = new Map(one);
  for (const [machinetype, use] of other) sums.set(machinetype, (sums.get(machinetype) ?? 0) + use);
  return sums;
}

/** The use of one factory's own machines. Knows no clock: it is told how much time has passed. */
export class UseTally {
  readonly #types: Map<string, KeptUse>;

  constructor(
    readonly halfLifeSeconds: number,
    kept: ReadonlyMap<string, KeptUse> = new Map(),
  ) {
    this.#types = new Map(kept);
  }

  get uses(): Uses {
    return new Map([...this.#types].map(([machinetype, { use }]) => [machinetype, use]));
  }

  /** To be written down; a later tally begins with it. */
  get kept(): ReadonlyMap<string, KeptUse> {
    return new Map(this.#types);
  }

  /** Lets time pass in which so much ran: HS06 by machinetype. */
  advance(seconds: number, power: ReadonlyMap<string, number>): void {
    if (seconds <= 0) return;
    for (const [machinetype, { use, part }] of this.#types) {
      const now = decayUse(use, power.get(machinetype) ?? 0, seconds, this.halfLifeSeconds);
      if (part === 0 && now < MIN_USE) this.#types.delete(machinetype);
      else this.#types.set(machinetype, { use: now, part });
    }
    for (const [machinetype, hs06] of power) {
      if (this.#types.has(machinetype)) continue;
      this.#types.set(machinetype, { use: decayUse(0, hs06, seconds, this.halfLifeSeconds), part: 0 });
    }
  }

  /** Takes in what was used before now and has not been counted yet, decayed to now. */
  add(machinetype: string, use: number): void {
    const { use: known, part } = this.#types.get(machinetype) ?? { use: 0, part: 0 };
    this.#types.set(machinetype, { use: known + use, part });
  }

  /**
   * Weighs the past by these shares from now on (see above).
   *
   * @param capacityHs06 what the factory could run at most: what types without any history begin with parts of
   */
  weighBy(types: readonly ShareOf[], capacityHs06: number): void {
    const shared = types.filter(({ targetShare }) => targetShare > 0);
    const all = shared.reduce((sum, { targetShare }) => sum + targetShare, 0);
    const before = [...this.#types.values()].filter(({ part }) => part > 0);
    const level =
      before.length === 0
        ? (capacityHs06 * this.halfLifeSeconds) / Math.LN2
        : before.reduce((sum, { use }) => sum + use, 0);
    const parts = new Map(shared.map(({ name, targetShare }) => [name, targetShare / all]));
    for (const [machinetype, { use }] of this.#types) {
      if (!parts.has(machinetype)) this.#types.set(machinetype, { use, part: 0 });
    }
    for (const [machinetype, part] of parts) {
      const { use, part: partBefore } = this.#types.get(machinetype) ?? { use: 0, part: 0 };
      const weighed = partBefore > 0 ? (use * part) / partBefore : Math.max(use, level * part);
      this.#types.set(machinetype, { use: weighed, part });
    }
  }
}
