/**
 * Our factories as they know of each other by gossip: the real state machine of the protocol library for each, over a
 * network that carries its messages as they are. Making and reading JSON is left out: it changes nothing (the library's
 * tests hold that) and would take most of the time. Sizes are those of the datagrams.
 */

import { decide } from '../factory/decide.js';
import { isAbort } from '../factory/outcome.js';
import type { MachinetypeNews } from '../factory/types.js';
import type { Uses } from '../factory/use.js';
import { changeSince, compareStamps, type Entry } from '../vacquery/entry.js';
import { nextIncarnation } from '../vacquery/gossip.js';
import { GossipState } from '../vacquery/gossip-state.js';
import type { Stamp } from '../vacquery/gossip-types.js';
import type { VirtualClock } from '../vacquery/virtual-clock.js';
import type { GossipMessage } from '../vacquery/wire02.js';
import { MessageNetwork } from './message-network.js';
import { SUPPORTED_MODELS } from './models.js';
import type { Cuts } from './network.js';
import type { NewsChange, SpaceAgent, SpacePolicy, Speaker } from './policy.js';
import type { Rng } from './random.js';
import type { Scenario } from './scenario.js';

interface Sent {
  readonly message: GossipMessage;
  readonly bytes: number;
}

export class GossipPolicy implements SpacePolicy {
  readonly name = 'gossip';
  readonly clock: VirtualClock;
  readonly network: MessageNetwork<Sent>;
  readonly agents: (GossipAgent | null)[];
  /** How long each start of a vacd took until it had heard the space. */
  readonly joiningSeconds: number[] = [];
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #interned: Map<string, Entry>[];

  constructor(scenario: Scenario, clock: VirtualClock, cuts: Cuts, rng: Rng) {
    const { factories } = scenario.config.settings;
    this.clock = clock;
    this.agents = factories.map(() => null);
    this.#numbers = new Map(factories.map((name, index) => [name, index]));
    this.#interned = factories.map(() => new Map());
    this.network = new MessageNetwork(scenario.network, clock, cuts, rng, (from, to, { message, bytes }) =>
      this.agents[to]?.receive(message, factories[from]!, bytes),
    );
  }

  begin(speaker: Speaker): SpaceAgent {
    const agent = new GossipAgent(speaker, this);
    this.agents[speaker.index] = agent;
    agent.begin();
    return agent;
  }

  numberOf(factory: string): number {
    return this.#numbers.get(factory)!;
  }

  /** Whether every factory knows what the space knows. */
  haveAllJoined(): boolean {
    return this.agents.every((agent) => agent?.hasJoined === true);
  }

  /**
   * Has all know all, as in a space that has been running for long; otherwise factories that start together hear of each
   * other by millions of datagrams. What was told less than half a minute ago they still pass on.
   */
  introduceAll(): void {
    for (const agent of this.agents) {
      const message = agent?.introduction() ?? null;
      if (agent === null || message === null) continue;
      for (const other of this.agents) if (other !== agent) other?.receive(message, agent.name, 0);
    }
  }

  /** A state of an entry that somebody was told of lately. */
  entryOf(factory: string, { incarnation, version }: Stamp): Entry | null {
    return this.#interned[this.numberOf(factory)]!.get(`${incarnation} ${version}`) ?? null;
  }

  /** One object for each state of an entry, for all who know it. */
  intern(factory: string, entry: Entry): Entry {
    const known = this.#interned[this.numberOf(factory)]!;
    const key = `${entry.incarnation} ${entry.version}`;
    const first = known.get(key);
    if (first !== undefined && isWhole(entry, first)) return first;
    known.set(key, entry);
    if (known.size > MAX_INTERNED) known.delete(known.keys().next().value!);
    return entry;
  }

  sent(): { datagrams: number; bytes: number } {
    return { datagrams: this.network.sent, bytes: this.network.sentBytes };
  }

  heardSecondsAgo(viewer: number, peer: number): number | null {
    const agent = this.agents[viewer];
    const other = this.agents[peer];
    if (agent == null || other == null) return null;
    return agent.heardSecondsAgo(other.name) ?? Number.POSITIVE_INFINITY;
  }

  lastChange(factory: number): NewsChange | null {
    return this.agents[factory]?.lastChange ?? null;
  }

  knows(viewer: number, { factory, stamp }: NewsChange): boolean | null {
    const agent = this.agents[viewer];
    const other = this.agents[factory];
    if (agent == null || other == null || stamp === null) return null;
    const known = agent.stampOf(other.name);
    return known !== null && compareStamps(known, stamp) >= 0;
  }

  held(viewer: number, peer: number): readonly MachinetypeNews[] | null {
    return this.agents[viewer]?.newsOf(peer) ?? null;
  }
}

const MAX_INTERNED = 32;

/** Entries with parts of later versions than their own are not the same for all. */
function isWhole(one: Entry, other: Entry): boolean {
  return (
    one.slices.length === other.slices.length &&
    one.slices.every(({ version }, at) => version === other.slices[at]!.version) &&
    one.head?.version === other.head?.version
  );
}

class GossipAgent implements SpaceAgent {
  readonly startsAtAnyTime = true;
  readonly name: string;
  readonly #speaker: Speaker;
  readonly #policy: GossipPolicy;
  readonly #state: GossipState;
  /** Of its own entry. */
  lastChange: NewsChange | null = null;
  #timer: { atMs: number; cancel: () => void } | null = null;
  readonly #startedMs: number;
  #hasWaited = false;
  #wasHeard = false;
  #isDead = false;

  constructor(speaker: Speaker, policy: GossipPolicy) {
    this.#speaker = speaker;
    this.#policy = policy;
    this.name = speaker.name;
    this.#startedMs = policy.clock.nowMs();
    const { config, disk, rng } = speaker;
    disk.incarnation = nextIncarnation(disk.incarnation, speaker.nowSeconds());
    this.#state = new GossipState(
      {
        space: config.settings.vacSpace,
        factory: speaker.name,
        vacVersion: 'Vac sim vacd',
        incarnation: disk.incarnation,
        onIncarnation: (incarnation) => {
          disk.incarnation = incarnation;
        },
        factories: config.settings.factories,
        addressOf: (factory) => factory,
        rng,
        isAbort,
        halfLifeSeconds: config.settings.shareHalfLifeHours * 3600,
        intern: (factory, entry) => policy.intern(factory, entry),
      },
      this.#now(),
    );
  }

  begin(): void {
    const { config } = this.#speaker;
    this.ownNewsChanged();
    this.#later(config.settings.udpTimeoutSeconds * 1000, () => {
      this.#hasWaited = true;
      this.#tellHeard();
    });
  }

  get heard(): boolean {
    return this.#hasWaited || this.#state.isJoined;
  }

  get hasJoined(): boolean {
    return this.#state.isJoined;
  }

  peers(): readonly MachinetypeNews[] {
    return this.#state.totals(this.#now());
  }

  peerUses(): Uses {
    return new Map(
      this.#state.decayedUses(this.#now()).map(({ machinetype, decayedUse }) => [machinetype, decayedUse]),
    );
  }

  ownNewsChanged(): void {
    const { config } = this.#speaker;
    const uses = this.#speaker.ownUses();
    const machinetypes = this.#speaker
      .ownNews()
      .map((news) => (uses === null ? news : { ...news, decayedUse: uses.get(news.machinetype) ?? 0 }));
    const own = { maxProcessors: config.settings.totalProcessors ?? 1, takesMachines: true, machinetypes };
    if (this.#state.announce(own, this.#now())) {
      const stamp = { incarnation: this.#state.incarnation, version: this.#state.stampOf(this.name)!.version };
      this.lastChange = { factory: this.#speaker.index, atSeconds: this.#policy.clock.nowMs() / 1000, stamp };
    }
    this.#arm();
  }

  plan: SpaceAgent['plan'] = (state, config, rng) => decide(state, config, rng, SUPPORTED_MODELS);

  die(): void {
    this.#isDead = true;
    this.#timer?.cancel();
    this.#policy.agents[this.#speaker.index] = null;
  }

  receive(message: GossipMessage, from: string, bytes: number): void {
    this.#state.receive(message, from, bytes, this.#now());
    this.#tellHeard();
    this.#arm();
  }

  stampOf(factory: string): { incarnation: number; version: number } | null {
    return this.#state.stampOf(factory);
  }

  heardSecondsAgo(factory: string): number | null {
    return this.#state.heardSecondsAgo(factory, this.#now());
  }

  /** All of its own entry as it would tell it now; null: nobody was ever told. */
  introduction(): GossipMessage | null {
    const { roster } = this.#state;
    const entry = this.#policy.entryOf(this.name, this.#state.stampOf(this.name)!);
    const change = entry === null ? null : changeSince(roster.ids[roster.indexOf(this.name)]!, entry, 0);
    if (change === null) return null;
    const runningDs = Math.floor((this.#policy.clock.nowMs() - this.#startedMs) / 100);
    return {
      vacVersion: null,
      space: this.#speaker.config.settings.vacSpace,
      factory: this.name,
      timeSent: Math.floor(this.#speaker.nowSeconds()),
      changes: [{ change, ageDs: Math.max(0, runningDs - change.changedDs) }],
      ages: null,
      sync: null,
      answer: null,
    };
  }

  newsOf(peer: number): MachinetypeNews[] {
    return this.#state.newsOf(this.#speaker.config.settings.factories[peer]!, this.#now());
  }

  #now() {
    return { steadyMs: this.#policy.clock.nowMs(), unixSeconds: this.#speaker.nowSeconds() };
  }

  #tellHeard(): void {
    if (this.#wasHeard || !this.heard) return;
    this.#wasHeard = true;
    this.#policy.joiningSeconds.push((this.#policy.clock.nowMs() - this.#startedMs) / 1000);
    this.#speaker.wake();
  }

  /** Sends what is due, and sets the time for the rest. */
  #arm(): void {
    const { clock, network } = this.#policy;
    const { index } = this.#speaker;
    const nowMs = clock.nowMs();
    while (this.#state.nextWakeMs <= nowMs) {
      for (const { to, message, bytes } of this.#state.due(this.#now())) {
        network.send(index, this.#policy.numberOf(to), { message, bytes }, bytes);
      }
    }
    const atMs = this.#state.nextWakeMs;
    if (this.#timer !== null && this.#timer.atMs <= atMs) return;
    this.#timer?.cancel();
    const cancel = clock.at(atMs, () => {
      this.#timer = null;
      this.#arm();
    });
    this.#timer = { atMs, cancel };
  }

  #later(delayMs: number, run: () => void): void {
    const { clock } = this.#policy;
    clock.at(clock.nowMs() + delayMs, () => {
      if (!this.#isDead) run();
    });
  }
}
