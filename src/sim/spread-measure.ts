/**
 * Measures how fast news spreads: some changes of what factories tell are followed until others know them. The same for
 * every policy. Looks at the factories now and then, and changes nothing.
 */

import type { VirtualClock } from '../vacquery/virtual-clock.js';
import type { NewsChange, SpacePolicy } from './policy.js';

/** A change that somebody has not heard of by then (a cut, say) is followed no longer, and counts as if it took so long. */
const GIVE_UP_SECONDS = 180;

export interface SpreadMeterOptions {
  readonly factories: number;
  /** Between two looks: how exact the delays are, which are never taken too short. */
  readonly lookSeconds: number;
  /** Changes that are followed at one time, and by how many of the others, drawn anew for each. */
  readonly changes: number;
  readonly viewers: number;
}

interface Followed {
  readonly change: NewsChange;
  /** Factories that lived at the change and did not know of it at the last look. */
  missing: number[];
}

export class SpreadMeter {
  readonly delays: number[] = [];
  #followed: Followed[] = [];
  #factory = 0;

  constructor(
    private readonly policy: SpacePolicy,
    private readonly rng: () => number,
    private readonly options: SpreadMeterOptions,
  ) {}

  /** Looks from now on. */
  begin(clock: VirtualClock): void {
    this.#look(clock.nowMs() / 1000);
    clock.at(clock.nowMs() + this.options.lookSeconds * 1000, () => this.begin(clock));
  }

  #look(nowSeconds: number): void {
    this.#followed = this.#followed.filter((followed) => this.#follow(followed, nowSeconds));
    if (this.#followed.length < this.options.changes) this.#pick(nowSeconds);
  }

  /** Takes up the newest change of some factory, if it was made since the last look. */
  #pick(nowSeconds: number): void {
    const { factories, lookSeconds } = this.options;
    for (let tries = 0; tries < factories; tries += 1) {
      this.#factory = (this.#factory + 1 + Math.floor(this.rng() * 3)) % factories;
      const change = this.policy.lastChange(this.#factory);
      if (change === null || nowSeconds - change.atSeconds >= lookSeconds) continue;
      this.#followed.push({ change, missing: this.#viewers(change) });
      return;
    }
  }

  #viewers(change: NewsChange): number[] {
    const { factories, viewers } = this.options;
    const first = Math.floor(this.rng() * factories);
    const step = Math.max(1, Math.floor(factories / viewers));
    return Array.from({ length: Math.min(viewers, factories) }, (_, at) => (first + at * step) % factories).filter(
      (viewer) => viewer !== change.factory && this.policy.knows(viewer, change) !== null,
    );
  }

  /** False: all know it, or enough of it. */
  #follow(followed: Followed, nowSeconds: number): boolean {
    const delay = nowSeconds - followed.change.atSeconds;
    followed.missing = followed.missing.filter((viewer) => {
      const knows = this.policy.knows(viewer, followed.change);
      if (knows === true) this.delays.push(delay);
      return knows === false;
    });
    if (delay <= GIVE_UP_SECONDS) return followed.missing.length > 0;
    for (const _ of followed.missing) this.delays.push(delay);
    return false;
  }
}
