/**
 * The predecessor, for comparison on the same load: every factory polls all others once a minute, and starts at most one
 * machine after it (SPEC 3 and 4). The polls are not made of datagrams here (reference-poll.ts): what a poll hears is
 * drawn from what all factories would answer when it begins, and how long it takes and what it sends from the odds.
 *
 * What the model makes better than it was: machines that end are noticed and cleared at once, by our own code, and only
 * starts wait for the minute. Its own start rule is in reference-choice.ts.
 */

import type { Config } from '../config/types.js';
import { decide } from '../factory/decide.js';
import type { Plan } from '../factory/plan.js';
import type { FactoryState, MachinetypeNews } from '../factory/types.js';
import type { Uses } from '../factory/use.js';
import { encode } from '../vacquery/codec.js';
import { makeQuery } from '../vacquery/messages.js';
import { Replies } from '../vacquery/replies.js';
import type { VirtualClock } from '../vacquery/virtual-clock.js';
import { SUPPORTED_MODELS } from './models.js';
import type { Cuts } from './network.js';
import type { NewsChange, SpaceAgent, SpacePolicy, Speaker } from './policy.js';
import type { Rng } from './random.js';
import { referenceStart } from './reference-choice.js';
import { MAX_ROUNDS, type PollOdds, pollOdds, rounds } from './reference-poll.js';
import { SideTotals } from './reference-totals.js';
import { snapshotOf } from './snapshot.js';
import { NO_USES } from './use.js';

const CYCLE_MS = 60_000;
/** udp_timeout_seconds / 5. */
const ROUND_MS = 2_000;

export class ReferencePolicy implements SpacePolicy {
  readonly name = 'reference';
  readonly odds: PollOdds;
  readonly agents = new Map<number, ReferenceAgent>();
  #sides = new Map<number, SideTotals>();
  /** Which cuts are in force, as the sides were last made. */
  #cutsInForce = 0;
  #queries = 0;
  #replies = 0;
  #queryBytes = 0;
  #replyBytes = 0;

  constructor(
    readonly clock: VirtualClock,
    readonly cuts: Cuts,
    readonly config: Config,
    lossRate: number,
  ) {
    this.odds = pollOdds(lossRate, config.machinetypes.length);
  }

  begin(speaker: Speaker): SpaceAgent {
    const agent = new ReferenceAgent(speaker, this);
    this.agents.set(speaker.index, agent);
    this.sideOf(speaker.index).add(speaker.index, agent.told, 1);
    if (this.#queryBytes === 0) this.#measureBytes(speaker);
    return agent;
  }

  changed(agent: ReferenceAgent, before: readonly MachinetypeNews[]): void {
    const side = this.sideOf(agent.index);
    side.add(agent.index, before, -1);
    side.add(agent.index, agent.told, 1);
  }

  end(agent: ReferenceAgent): void {
    this.sideOf(agent.index).add(agent.index, agent.told, -1);
    this.agents.delete(agent.index);
  }

  /** All who can hear each other with this factory; made anew when a cut comes or goes. */
  sideOf(factory: number): SideTotals {
    const inForce = this.cuts.inForce();
    if (inForce !== this.#cutsInForce) {
      this.#cutsInForce = inForce;
      this.#sides = new Map();
      for (const agent of this.agents.values()) this.#side(agent.index).add(agent.index, agent.told, 1);
    }
    return this.#side(factory);
  }

  countPoll(alive: number, dead: number): void {
    this.#queries += alive * this.odds.queriesAlive + dead * this.odds.queriesDead;
    this.#replies += alive * this.odds.repliesAlive;
  }

  sent(): { datagrams: number; bytes: number } {
    return {
      datagrams: Math.round(this.#queries + this.#replies),
      bytes: Math.round(this.#queries * this.#queryBytes + this.#replies * this.#replyBytes),
    };
  }

  heardSecondsAgo(viewer: number, peer: number): number | null {
    const agent = this.agents.get(viewer);
    if (agent === undefined || !this.agents.has(peer)) return null;
    return agent.heardMs === null ? Number.POSITIVE_INFINITY : (this.clock.nowMs() - agent.heardMs) / 1000;
  }

  lastChange(factory: number): NewsChange | null {
    const atMs = this.agents.get(factory)?.changedMs ?? null;
    return atMs === null ? null : { factory, atSeconds: atMs / 1000, stamp: null };
  }

  /** What was lost of a poll is left out: better than it was. */
  knows(viewer: number, { factory, atSeconds }: NewsChange): boolean | null {
    const agent = this.agents.get(viewer);
    if (agent === undefined || !this.agents.has(factory)) return null;
    return agent.heardMs !== null && agent.heardMs / 1000 >= atSeconds;
  }

  held(): null {
    return null;
  }

  #side(factory: number): SideTotals {
    const key = this.cuts.sideOf(factory);
    let side = this.#sides.get(key);
    if (side === undefined) {
      side = new SideTotals(this.config.machinetypes.map(({ name }) => name));
      this.#sides.set(key, side);
    }
    return side;
  }

  #measureBytes(speaker: Speaker): void {
    const cookie = 'c'.repeat(64);
    const query = encode(makeQuery('machinetypes_query', speaker.config.settings.vacSpace, cookie, 'Vac 3.1.0 vacd'));
    const replies = new Replies(snapshotOf(speaker), () => {}).datagrams(
      'machinetypes_query',
      cookie,
      speaker.nowSeconds(),
    );
    this.#queryBytes = query.ok ? query.datagram.length : 0;
    this.#replyBytes = (replies ?? []).reduce((sum, { length }) => sum + length, 0) / Math.max(1, replies?.length ?? 0);
  }
}

class ReferenceAgent implements SpaceAgent {
  readonly startsAtAnyTime = false;
  readonly heard = true;
  readonly index: number;
  /** What it would answer now. */
  told: readonly MachinetypeNews[];
  /** When the news of its last poll was, on the simulation's clock. */
  heardMs: number | null = null;
  /** When what it tells last changed, in the same way. */
  changedMs: number | null = null;
  #news: readonly MachinetypeNews[] = [];
  #mayStart = false;
  #isDead = false;

  constructor(
    private readonly speaker: Speaker,
    private readonly policy: ReferencePolicy,
  ) {
    this.index = speaker.index;
    this.told = speaker.ownNews();
    this.#later(speaker.rng() * CYCLE_MS, () => this.#cycle());
  }

  peers(): readonly MachinetypeNews[] {
    return this.#news;
  }

  /** Nobody tells it. */
  peerUses(): Uses {
    return NO_USES;
  }

  ownNewsChanged(): void {
    const before = this.told;
    this.told = this.speaker.ownNews();
    this.changedMs = this.policy.clock.nowMs();
    if (!this.#isDead && this.policy.agents.get(this.index) === this) this.policy.changed(this, before);
  }

  plan(state: FactoryState, config: Config, rng: Rng): Plan {
    const cared = decide({ ...state, orders: { ...state.orders, startsLeft: 0 } }, config, rng, SUPPORTED_MODELS);
    if (!this.#mayStart) return cared;
    this.#mayStart = false;
    const start = referenceStart(state, [...this.#news, ...this.speaker.ownNews()], config, rng);
    return start === null ? cared : { ...cared, actions: [...cared.actions, start] };
  }

  die(): void {
    this.#isDead = true;
    this.policy.end(this);
  }

  #cycle(): void {
    const { policy, speaker } = this;
    this.#later(CYCLE_MS, () => this.#cycle());
    const side = policy.sideOf(this.index);
    const others = speaker.config.settings.factories.length - 1;
    const alive = side.factories - 1;
    const dead = others - alive;
    policy.countPoll(alive, dead);
    const news = side.heardBy(this.index, this.told, policy.odds.missing, speaker.rng);
    const beganMs = policy.clock.nowMs();
    const asked = others === 0 ? 1 : rounds(policy.odds, alive, dead, speaker.rng());
    // A poll of all rounds waits for the last one's answers as well; a shorter one is over when they are there.
    this.#later(ROUND_MS * (asked === MAX_ROUNDS ? MAX_ROUNDS : asked - 1), () => {
      this.#news = news;
      this.heardMs = beganMs;
      this.#mayStart = true;
      speaker.newsHeard();
    });
  }

  #later(delayMs: number, run: () => void): void {
    const { clock } = this.policy;
    clock.at(clock.nowMs() + delayMs, () => {
      if (!this.#isDead) run();
    });
  }
}
