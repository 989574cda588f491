/**
 * The use history of a simulated factory: as daemon/use-history.ts keeps it, with the real tally. It outlives vacd as the
 * real one's file does; what ran while vacd was dead counts as what ran when it died.
 */

import type { Config } from '../config/types.js';
import type { MachinetypeNews } from '../factory/types.js';
import { type Uses, UseTally } from '../factory/use.js';

export const NO_USES: Uses = new Map();

export class SimUse {
  readonly #tally: UseTally | null;
  #atMs = 0;
  #power: ReadonlyMap<string, number> = NO_USES;

  constructor(config: Config) {
    const { shareHalfLifeHours } = config.settings;
    this.#tally = shareHalfLifeHours > 0 ? new UseTally(shareHalfLifeHours * 3600) : null;
    this.weighBy(config);
  }

  /** A configuration is taken into use. */
  weighBy({ settings, machinetypes }: Config): void {
    this.#tally?.weighBy(machinetypes, (settings.totalProcessors ?? 1) * (settings.hs06PerProcessor ?? 1));
  }

  /** What runs from now on. */
  runs(news: readonly MachinetypeNews[], nowMs: number): void {
    if (this.#tally === null) return;
    this.#advance(nowMs);
    this.#power = new Map(news.map(({ machinetype, runningHs06 }) => [machinetype, runningHs06]));
  }

  /** Decayed to now; null: no history is kept. */
  uses(nowMs: number): Uses | null {
    this.#advance(nowMs);
    return this.#tally?.uses ?? null;
  }

  #advance(nowMs: number): void {
    this.#tally?.advance((nowMs - this.#atMs) / 1000, this.#power);
    this.#atMs = nowMs;
  }
}
