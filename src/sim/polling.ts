/**
 * Our factories as they know of each other by VacQuery 01.03: the real exchange, codec, responder and view, over the
 * network in memory. When whom is asked is as in daemon/polling.ts, without names to look up. Every query and every
 * answer is a datagram of its own here, N² of them: for spaces of a hundred factories at most.
 */

import { decide } from '../factory/decide.js';
import type { MachinetypeNews } from '../factory/types.js';
import type { Uses } from '../factory/use.js';
import { type PeerAnswer, PollExchange } from '../vacquery/exchange.js';
import type { FactorySnapshot, MachinetypeStatus } from '../vacquery/messages.js';
import { VACQUERY_PORT } from '../vacquery/messages.js';
import { PeerMemory } from '../vacquery/peer-memory.js';
import { Responder } from '../vacquery/responder.js';
import { SpaceView } from '../vacquery/space-view.js';
import type { Transport } from '../vacquery/transport.js';
import type { VirtualClock } from '../vacquery/virtual-clock.js';
import { addressOf, indexOf } from './addresses.js';
import { SUPPORTED_MODELS } from './models.js';
import type { SimNetwork } from './network.js';
import type { NewsChange, SpaceAgent, SpacePolicy, Speaker } from './policy.js';
import { snapshotOf } from './snapshot.js';
import { NO_USES } from './use.js';

/** As daemon/polling.ts. */
const SECONDS_PER_PEER = 0.25;
const MIN_POLL_SECONDS = 2;
const MAX_POLL_SECONDS = 60;
const JITTER = 0.1;
const EXPIRY_SECONDS = 300;

export class PollingPolicy implements SpacePolicy {
  readonly name = 'polling';
  readonly agents = new Map<number, PollingAgent>();

  constructor(
    readonly clock: VirtualClock,
    readonly network: SimNetwork,
  ) {}

  begin(speaker: Speaker): SpaceAgent {
    const agent = new PollingAgent(speaker, this);
    this.agents.set(speaker.index, agent);
    return agent;
  }

  sent(): { datagrams: number; bytes: number } {
    return this.network.sent();
  }

  heardSecondsAgo(viewer: number, peer: number): number | null {
    const agent = this.agents.get(viewer);
    return agent === undefined || !this.agents.has(peer) ? null : agent.ageOf(peer);
  }

  lastChange(factory: number): NewsChange | null {
    const atMs = this.agents.get(factory)?.changedMs ?? null;
    return atMs === null ? null : { factory, atSeconds: atMs / 1000, stamp: null };
  }

  knows(viewer: number, { factory, atSeconds }: NewsChange): boolean | null {
    const ageSeconds = this.heardSecondsAgo(viewer, factory);
    return ageSeconds === null ? null : this.clock.nowMs() / 1000 - ageSeconds >= atSeconds;
  }

  held(viewer: number, peer: number): readonly MachinetypeNews[] | null {
    return this.agents.get(viewer)?.newsOf(peer) ?? null;
  }
}

class PollingAgent implements SpaceAgent {
  readonly startsAtAnyTime = true;
  heard: boolean;
  /** When what it tells last changed, on the simulation's clock. */
  changedMs: number | null = null;
  readonly #speaker: Speaker;
  readonly #policy: PollingPolicy;
  readonly #peers: readonly string[];
  readonly #peerMemory = new PeerMemory();
  readonly #view: SpaceView;
  readonly #answering: Transport;
  readonly #asking: Transport;
  readonly #polls = new Set<PollExchange<'machinetypes_query'>>();
  readonly #awaited = new Set<string>();
  readonly #answered = new Set<string>();
  readonly #polledMs = new Map<string, number>();
  #snapshot: FactorySnapshot | null = null;
  #isDead = false;

  constructor(speaker: Speaker, policy: PollingPolicy) {
    this.#speaker = speaker;
    this.#policy = policy;
    const { clock, network } = policy;
    const { settings } = speaker.config;
    this.#peers = settings.factories.filter((name) => name !== speaker.name);
    this.heard = this.#peers.length === 0;
    this.#view = new SpaceView({ ownFactory: speaker.name, expirySeconds: EXPIRY_SECONDS });
    this.#view.setPeers(this.#peers);
    this.#answering = network.open(speaker.index, VACQUERY_PORT);
    this.#asking = network.open(speaker.index, 0);
    const responder = new Responder({
      mayAsk: () => true,
      onRefusal: () => {},
      onProblem: () => {},
      snapshot: () => {
        this.#snapshot ??= snapshotOf(speaker);
        return this.#snapshot;
      },
    });
    this.#answering.onDatagram((datagram, { address, port }) => {
      for (const reply of responder.answer(datagram, address, clock.nowMs(), speaker.nowSeconds())) {
        this.#answering.send(reply, address, port);
      }
      const factory = settings.factories[indexOf(address)];
      if (factory !== undefined) this.#peerMemory.heard(factory, clock.nowMs());
    });
    this.#asking.onDatagram((datagram, { address }) => {
      for (const poll of this.#polls) {
        if (poll.receive(datagram, address, clock.nowMs()) !== 'wrong-cookie') return;
      }
    });
    if (this.#peers.length === 0) return;
    this.#later(settings.udpTimeoutSeconds * 1000, () => this.#release());
    this.#later(speaker.rng() * 100, () => this.#poll());
  }

  peers(): readonly MachinetypeNews[] {
    return this.#view.news(this.#now());
  }

  /** Nobody tells it. */
  peerUses(): Uses {
    return NO_USES;
  }

  ownNewsChanged(): void {
    this.#snapshot = null;
    this.changedMs = this.#policy.clock.nowMs();
  }

  plan: SpaceAgent['plan'] = (state, config, rng) => decide(state, config, rng, SUPPORTED_MODELS);

  die(): void {
    this.#isDead = true;
    void this.#answering.close();
    void this.#asking.close();
  }

  ageOf(peer: number): number {
    const name = this.#speaker.config.settings.factories[peer];
    const ages = this.#view
      .entries(this.#now())
      .flatMap(({ news, ageSeconds }) => (news.factory === name ? [ageSeconds] : []));
    return ages.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...ages);
  }

  newsOf(peer: number): MachinetypeNews[] {
    const name = this.#speaker.config.settings.factories[peer];
    return this.#view.news(this.#now()).filter(({ factory }) => factory === name);
  }

  #now() {
    return { steadyMs: this.#policy.clock.nowMs(), unixSeconds: this.#speaker.nowSeconds() };
  }

  #later(delayMs: number, run: () => void): void {
    const { clock } = this.#policy;
    clock.at(clock.nowMs() + delayMs, () => {
      if (!this.#isDead) run();
    });
  }

  #intervalMs(): number {
    return Math.min(MAX_POLL_SECONDS, Math.max(MIN_POLL_SECONDS, this.#peers.length * SECONDS_PER_PEER)) * 1000;
  }

  #poll(): void {
    const { clock } = this.#policy;
    const { config, rng } = this.#speaker;
    const nowMs = clock.nowMs();
    this.#later(this.#intervalMs() * (1 - JITTER + 2 * JITTER * rng()), () => this.#poll());
    const due = this.#peers.filter((name) => this.#isDue(name, nowMs));
    if (due.length === 0) return;
    for (const name of due) {
      this.#polledMs.set(name, nowMs);
      if (!this.#peerMemory.isDead(name)) this.#awaited.add(name);
    }
    const salt = Math.floor(rng() * 2 ** 32);
    const exchange = new PollExchange(
      {
        query: 'machinetypes_query',
        space: config.settings.vacSpace,
        vacVersion: 'Vac sim vacd',
        peers: due.map((factory) => ({ factory, addresses: [this.#addressOf(factory)], port: VACQUERY_PORT })),
        // Nobody forges answers here, so a cookie need be no secret.
        cookieOf: (factory) => `${salt} ${factory}`,
        timeoutMs: config.settings.udpTimeoutSeconds * 1000,
        rng,
        memory: this.#peerMemory,
        onComplete: (answer) => this.#take(answer),
      },
      nowMs,
    );
    for (const poll of this.#polls) if (poll.isOver(nowMs)) this.#polls.delete(poll);
    this.#polls.add(exchange);
    let isTold = false;
    const step = (): void => {
      const stepMs = clock.nowMs();
      for (const { datagram, address, port } of exchange.due(stepMs)) this.#asking.send(datagram, address, port);
      if (!isTold && exchange.isOver(stepMs)) {
        isTold = true;
        for (const answer of exchange.answers()) this.#take(answer);
      }
      const { nextWakeMs } = exchange;
      if (nextWakeMs !== null) this.#later(nextWakeMs - stepMs, step);
    };
    step();
  }

  #take(answer: PeerAnswer<MachinetypeStatus>): void {
    this.#view.accept(answer, this.#now());
    this.#awaited.delete(answer.factory);
    this.#answered.add(answer.factory);
    if (!this.heard && this.#answered.size === this.#peers.length) this.#release();
    else this.#speaker.newsHeard();
  }

  #release(): void {
    if (this.heard) return;
    this.heard = true;
    this.#speaker.wake();
  }

  #isDue(name: string, nowMs: number): boolean {
    if (this.#awaited.has(name)) return false;
    if (this.#peerMemory.isDead(name)) return this.#peerMemory.isProbeDue(name, nowMs);
    return nowMs >= (this.#polledMs.get(name) ?? Number.NEGATIVE_INFINITY) + this.#intervalMs() * (1 - 2 * JITTER);
  }

  #addressOf(factory: string): string {
    return addressOf(this.#speaker.config.settings.factories.indexOf(factory));
  }
}
