/** What all factories on one side of a cut would answer together, kept up to date as each of them changes. */

import { isAbort } from '../factory/outcome.js';
import type { MachinetypeNews } from '../factory/types.js';
import { normal, type Rng } from './random.js';

/** Newest aborts that are kept in order; the first of them that a poll hears of is the one that counts. */
const MIN_RECENT = 8;
const MAX_RECENT = 64;

type End = NonNullable<MachinetypeNews['lastEnd']>;

class TypeTotals {
  power = 0;
  squares = 0;
  young = 0;
  youngFactories = 0;
  readonly #aborts = new Map<number, End>();
  #recent: { factory: number; end: End }[] = [];

  add(factory: number, news: MachinetypeNews, sign: 1 | -1): void {
    this.power += sign * news.runningHs06;
    this.squares += sign * news.runningHs06 ** 2;
    this.young += sign * news.beforeFizzle;
    if (news.beforeFizzle > 0) this.youngFactories += sign;
    if (news.lastEnd === null || !isAbort(news.lastEnd.message)) return;
    if (sign < 0) {
      this.#aborts.delete(factory);
      this.#recent = this.#recent.filter((known) => known.factory !== factory);
      if (this.#recent.length < MIN_RECENT && this.#aborts.size > this.#recent.length) this.#refill();
      return;
    }
    this.#aborts.set(factory, news.lastEnd);
    this.#recent.push({ factory, end: news.lastEnd });
    this.#order();
  }

  /** The newest abort that is heard of when each factory's answer is missing by chance. */
  newestAbort(except: number, missing: number, rng: Rng): End | null {
    for (const { factory, end } of this.#recent) {
      if (factory !== except && (missing === 0 || rng() >= missing)) return end;
    }
    return null;
  }

  #refill(): void {
    this.#recent = [...this.#aborts].map(([factory, end]) => ({ factory, end }));
    this.#order();
  }

  #order(): void {
    this.#recent.sort((a, b) => b.end.timeSeconds - a.end.timeSeconds || a.factory - b.factory);
    this.#recent.length = Math.min(this.#recent.length, MAX_RECENT);
  }
}

export class SideTotals {
  factories = 0;
  readonly #types: readonly TypeTotals[];

  constructor(private readonly names: readonly string[]) {
    this.#types = names.map(() => new TypeTotals());
  }

  add(factory: number, news: readonly MachinetypeNews[], sign: 1 | -1): void {
    this.factories += sign;
    for (let type = 0; type < this.names.length; type += 1) this.#types[type]!.add(factory, news[type]!, sign);
  }

  /**
   * What one factory hears of all others on its side in one poll.
   *
   * @param missing chance that one factory's status of one type does not come: power is thinned by the normal
   *   approximation of that many draws
   */
  heardBy(factory: number, own: readonly MachinetypeNews[], missing: number, rng: Rng): MachinetypeNews[] {
    return this.#types.map((totals, type) => {
      const mine = own[type]!;
      const power = totals.power - mine.runningHs06;
      const squares = Math.max(0, totals.squares - mine.runningHs06 ** 2);
      const others = totals.youngFactories - (mine.beforeFizzle > 0 ? 1 : 0);
      const isHeard = others > 0 && (missing === 0 || rng() >= missing ** others);
      const thinned =
        missing === 0 ? power : power * (1 - missing) + normal(rng) * Math.sqrt(missing * (1 - missing) * squares);
      return {
        factory: 'others',
        machinetype: this.names[type]!,
        runningHs06: Math.min(power, Math.max(0, thinned)),
        runningMachines: 0,
        runningProcessors: 0,
        beforeFizzle: isHeard ? Math.max(1, totals.young - mine.beforeFizzle) : 0,
        lastEnd: totals.newestAbort(factory, missing, rng),
      };
    });
  }
}
