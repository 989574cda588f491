/**
 * Our factories in a space too large, or over a time too long, for each datagram of the gossip: our real decision, on
 * news that spreads as fast as it was measured to in a run of the real gossip on the same space (spread-delays.ts).
 *
 * What is not as in the real one: a change reaches each other factory by a chance of its own and not along a path; after
 * a cut the sides hear of each other as fast as of anything new; and a factory that was not heard for the expiry time of
 * the gossip is forgotten by all at one moment.
 */

import { decide } from '../factory/decide.js';
import type { MachinetypeNews } from '../factory/types.js';
import { sumUses, type Uses } from '../factory/use.js';
import { GOSSIP_LIMITS } from '../vacquery/gossip-limits.js';
import type { VirtualClock } from '../vacquery/virtual-clock.js';
import { SUPPORTED_MODELS } from './models.js';
import type { Cuts } from './network.js';
import type { SpaceAgent, SpacePolicy, Speaker } from './policy.js';
import { type Scenario, START_TIME_SECONDS } from './scenario.js';
import { delayAt, type SpreadDelays } from './spread-delays.js';
import { SpreadLedger } from './spread-ledger.js';
import { NO_USES } from './use.js';

/** Between two additions of what all have used. */
const USES_MS = 60_000;

type News = readonly MachinetypeNews[];

/** Factories that can hear each other, and what they can have heard. */
interface Side {
  readonly ledger: SpreadLedger;
  /** Any of them, to ask whom they hear. */
  readonly member: number;
  /** What was last told to it of each factory; null: nothing, or it is forgotten. */
  readonly told: (News | null)[];
}

export class SpreadPolicy implements SpacePolicy {
  readonly name = 'gossip';
  readonly clock: VirtualClock;
  readonly delays: SpreadDelays;
  readonly agents: (SpreadAgent | null)[];
  readonly #cuts: Cuts;
  /** All that ever spoke, and what they have used, added up now and then. */
  readonly #speakers = new Map<number, Speaker>();
  #uses: { readonly all: Uses; readonly untilMs: number } = { all: NO_USES, untilMs: 0 };
  readonly #names: readonly string[];
  readonly #clockAhead: number[];
  #sides: Map<number, Side>;

  constructor(scenario: Scenario, clock: VirtualClock, cuts: Cuts, delays: SpreadDelays) {
    const { settings, machinetypes } = scenario.config;
    this.clock = clock;
    this.delays = delays;
    this.agents = settings.factories.map(() => null);
    this.#cuts = cuts;
    this.#names = machinetypes.map(({ name }) => name);
    this.#clockAhead = settings.factories.map(() => 0);
    this.#sides = new Map([[0, this.#newSide(0)]]);
    const times = new Set(scenario.cuts.flatMap(({ fromSeconds, toSeconds }) => [fromSeconds, toSeconds]));
    for (const seconds of times) clock.at(seconds * 1000, () => this.#divide());
  }

  begin(speaker: Speaker): SpaceAgent {
    const { index } = speaker;
    this.#clockAhead[index] = speaker.nowSeconds() - START_TIME_SECONDS - this.clock.nowMs() / 1000;
    const agent = new SpreadAgent(speaker, this);
    this.agents[index] = agent;
    this.#speakers.set(index, speaker);
    this.tell(index, speaker.ownNews());
    return agent;
  }

  end(index: number): void {
    this.agents[index] = null;
    this.clock.at(this.clock.nowMs() + GOSSIP_LIMITS.expirySeconds * 1000, () => {
      if (this.agents[index] === null) for (const side of this.#sides.values()) this.#apply(side, index, null);
    });
  }

  tell(index: number, news: News): void {
    for (const side of this.#sides.values()) if (this.#cuts.reaches(index, side.member)) this.#apply(side, index, news);
  }

  view(index: number): News {
    const { ledger, told } = this.#sideOf(index);
    return ledger.view(index, told[index]!, this.clock.nowMs(), this.#clockAhead[index]!);
  }

  /** Of those who are away, too; in a partition as well, and by up to a minute late: the past hardly changes meanwhile. */
  usesOfOthers(speaker: Speaker): Uses {
    const own = speaker.ownUses();
    if (own === null) return NO_USES;
    const nowMs = this.clock.nowMs();
    if (nowMs >= this.#uses.untilMs) {
      const all = [...this.#speakers.values()].reduce((sum, each) => sumUses(sum, each.ownUses() ?? NO_USES), NO_USES);
      this.#uses = { all, untilMs: nowMs + USES_MS };
    }
    return new Map([...this.#uses.all].map(([name, use]) => [name, Math.max(0, use - (own.get(name) ?? 0))]));
  }

  /** Not one by one: the datagrams that the real gossip was measured to send. */
  sent(): { datagrams: number; bytes: number } {
    const minutes = this.clock.nowMs() / 60_000;
    const { datagramsPerMinute, bytesPerMinute } = this.delays;
    return { datagrams: datagramsPerMinute * minutes, bytes: bytesPerMinute * minutes };
  }

  heardSecondsAgo(): null {
    return null;
  }

  lastChange(): null {
    return null;
  }

  knows(): null {
    return null;
  }

  held(): null {
    return null;
  }

  #newSide(member: number): Side {
    return {
      ledger: new SpreadLedger(this.#names, this.delays.news),
      member,
      told: this.#clockAhead.map(() => null),
    };
  }

  #sideOf(index: number): Side {
    return this.#sides.get(this.#cuts.sideOf(index))!;
  }

  #apply(side: Side, index: number, news: News | null): void {
    const before = side.told[index]!;
    if (before === news) return;
    side.told[index] = news;
    side.ledger.change(index, before, news, this.clock.nowMs(), this.#clockAhead[index]!);
  }

  /** A cut has come or gone: who can hear whom, from now on. */
  #divide(): void {
    const before = [...this.#sides.values()];
    const current = this.agents.map((agent, index) => agent?.told ?? before[0]!.told[index]!);
    this.#sides = new Map();
    this.agents.forEach((_, index) => {
      const key = this.#cuts.sideOf(index);
      if (this.#sides.has(key)) return;
      const side = this.#newSide(index);
      this.#sides.set(key, side);
      const known = (before.find(({ member }) => this.#knewOf(member, index)) ?? before[0]!).told;
      known.forEach((news, factory) => {
        if (news === null) return;
        side.told[factory] = news;
        side.ledger.seed(factory, news, this.#clockAhead[factory]!);
      });
      current.forEach((news, factory) => {
        if (news !== null && this.#cuts.reaches(factory, index)) this.#apply(side, factory, news);
      });
      this.#forgetUnheard(side);
    });
  }

  /** Whether one factory was on the same side as another until now. */
  #knewOf(member: number, index: number): boolean {
    return this.#cuts.sideBefore(member) === this.#cuts.sideBefore(index);
  }

  #forgetUnheard(side: Side): void {
    this.clock.at(this.clock.nowMs() + GOSSIP_LIMITS.expirySeconds * 1000, () => {
      if (![...this.#sides.values()].includes(side)) return;
      this.agents.forEach((_, factory) => {
        if (!this.#cuts.reaches(factory, side.member)) this.#apply(side, factory, null);
      });
    });
  }
}

class SpreadAgent implements SpaceAgent {
  readonly startsAtAnyTime = true;
  heard = false;
  told: News;
  #isDead = false;

  constructor(
    private readonly speaker: Speaker,
    private readonly policy: SpreadPolicy,
  ) {
    this.told = speaker.ownNews();
    const { clock, delays } = policy;
    const seconds = Math.min(speaker.config.settings.udpTimeoutSeconds, delayAt(delays.joining, speaker.rng()));
    clock.at(clock.nowMs() + seconds * 1000, () => {
      if (this.#isDead) return;
      this.heard = true;
      speaker.wake();
    });
  }

  peers(): News {
    return this.policy.view(this.speaker.index);
  }

  peerUses(): Uses {
    return this.policy.usesOfOthers(this.speaker);
  }

  ownNewsChanged(): void {
    this.told = this.speaker.ownNews();
    this.policy.tell(this.speaker.index, this.told);
  }

  plan: SpaceAgent['plan'] = (state, config, rng) => decide(state, config, rng, SUPPORTED_MODELS);

  die(): void {
    this.#isDead = true;
    this.policy.end(this.speaker.index);
  }
}
