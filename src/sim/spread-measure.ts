/**
 * Measures, in a run of the real gossip, how fast news spreads: some changes are followed until every factory knows them.
 * Looks at the factories a few times a second, and changes nothing.
 */

import type { GossipPolicy } from './gossip.js';
import { quantilesOf, type SpreadDelays } from './spread-delays.js';

/** Between two looks: how exact the delays are. */
export const LOOK_SECONDS = 0.25;
/** Changes that are followed at one time. */
const MAX_FOLLOWED = 20;
/** A change that somebody has not heard of by then (they are away, say) is followed no longer. */
const GIVE_UP_SECONDS = 60;

interface Followed {
  readonly owner: number;
  readonly name: string;
  readonly stamp: { readonly incarnation: number; readonly version: number };
  readonly atSeconds: number;
  /** Factories that lived at the change and did not know of it at the last look. */
  missing: number[];
}

export class SpreadMeter {
  readonly #delays: number[] = [];
  #followed: Followed[] = [];
  #owner = 0;
  /** How many had begun to listen before: how long it took them is not of interest. */
  readonly #joinedBefore: number;

  constructor(
    private readonly policy: GossipPolicy,
    private readonly rng: () => number,
  ) {
    this.#joinedBefore = policy.joiningSeconds.length;
  }

  look(nowSeconds: number): void {
    this.#followed = this.#followed.filter((change) => this.#follow(change, nowSeconds));
    if (this.#followed.length < MAX_FOLLOWED) this.#pick(nowSeconds);
  }

  delays(): Pick<SpreadDelays, 'news' | 'joining'> {
    return {
      news: quantilesOf(this.#delays),
      joining: quantilesOf(this.policy.joiningSeconds.slice(this.#joinedBefore), 100),
    };
  }

  /** Takes up the newest change of some factory, if it was made since the last look. */
  #pick(nowSeconds: number): void {
    const { agents } = this.policy;
    for (let tries = 0; tries < agents.length; tries += 1) {
      this.#owner = (this.#owner + 1 + Math.floor(this.rng() * 3)) % agents.length;
      const agent = agents[this.#owner];
      const change = agent?.lastChange() ?? null;
      if (agent == null || change === null || nowSeconds - change.atSeconds >= LOOK_SECONDS) continue;
      const missing = agents.flatMap((other, index) => (other === null || index === this.#owner ? [] : [index]));
      this.#followed.push({ owner: this.#owner, name: agent.name, missing, ...change });
      return;
    }
  }

  /** False: all know it, or enough of it. */
  #follow(change: Followed, nowSeconds: number): boolean {
    const { agents } = this.policy;
    const delay = nowSeconds - change.atSeconds;
    change.missing = change.missing.filter((index) => {
      const agent = agents[index];
      if (agent == null) return false;
      const known = agent.stampOf(change.name);
      const knows =
        known !== null &&
        (known.incarnation > change.stamp.incarnation ||
          (known.incarnation === change.stamp.incarnation && known.version >= change.stamp.version));
      if (knows) this.#delays.push(delay);
      return !knows;
    });
    if (delay <= GIVE_UP_SECONDS) return change.missing.length > 0;
    for (const _ of change.missing) this.#delays.push(delay);
    return false;
  }
}
