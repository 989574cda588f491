/**
 * Asks the other factories of the space what they run, and writes their news into the Memory. Runs beside the loop and
 * never holds it up: each peer's news counts as soon as it is there, whoever else is still waited for, and a factory
 * that hears nobody goes on alone.
 */

import {
  type DatagramCounts,
  type FactoryStatus,
  type MachinetypeStatus,
  PEER_MEMORY_OPTIONS,
  type PeerAnswer,
  PeerMemory,
  type PeerSummary,
  Poller,
  type PollPeer,
  SpaceView,
  type StatusOf,
  saltedCookies,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { VERSION } from '../version.js';
import { Names } from './names.js';
import type { SpaceParts } from './space.js';

/** Between the beginnings of two polls: small spaces get fresh news, large ones are not flooded with queries. */
const SECONDS_PER_PEER = 0.25;
const MIN_POLL_SECONDS = 2;
const MAX_POLL_SECONDS = 60;
/** Factories that were started together do not stay in step. */
const JITTER = 0.1;
/** News of a peer that no longer answers counts for so long in decisions: its machines run on, most likely. */
const EXPIRY_SECONDS = 300;
/** A factory that said nothing of machinetypes may have none: whether it lives is asked for this part of the time. */
const PROBE_PART = 1 / 10;
/** News that arrives together is taken in together. */
const GATHER_MS = 20;

export class Polling {
  private readonly names: Names;
  private peers: readonly string[] = [];
  /** What view and memory are of. */
  private space: string | null = null;
  private view: SpaceView;
  private peerMemory = new PeerMemory();
  /** Of factory queries, which only those are asked who leave the others unanswered. */
  private probeMemory = newProbeMemory();
  private poller: Poller | null = null;
  /** Peers that a poll still waits for. */
  private readonly awaited = new Set<string>();
  private readonly polledMs = new Map<string, number>();
  /** How each peer's last poll ended, or the news that it has brought so far. */
  private readonly outcomes = new Map<string, PeerAnswer['outcome']>();
  private nextPoll = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
  private cancelPublish: (() => void) | null = null;
  private cancelHold = () => {};
  private closed = false;

  constructor(private readonly parts: SpaceParts) {
    const { clock, log, resolve } = parts;
    this.view = this.newView();
    this.names = new Names({
      clock,
      log,
      resolve,
      onChange: () => {
        this.publishSoon();
        this.pollSoon();
      },
    });
  }

  async start(): Promise<void> {
    this.configure();
    this.poller = new Poller(await this.parts.openTransport(0), this.parts.clock);
    this.pollSoon();
  }

  /** Takes what the configuration says now; called with each change of it. */
  configure(): void {
    const { settings } = this.parts.memory.config;
    const own = this.parts.memory.factory.toLowerCase();
    const before = this.peers;
    this.peers = settings.factories.filter((name) => name !== own);
    const isNew = settings.vacSpace !== this.space || !this.peers.some((name) => before.includes(name));
    if (settings.vacSpace !== this.space) {
      // What was heard is of another space's factories, even of those that go by the same names.
      this.space = settings.vacSpace;
      this.view = this.newView();
      this.peerMemory = new PeerMemory();
      this.probeMemory = newProbeMemory();
      for (const known of [this.awaited, this.polledMs, this.outcomes]) known.clear();
    }
    this.view.setPeers(this.peers);
    this.peerMemory.retain(this.peers);
    this.probeMemory.retain(this.peers);
    const kept = new Set(this.peers);
    for (const known of [this.awaited, this.polledMs, this.outcomes]) {
      for (const name of known.keys()) if (!kept.has(name)) known.delete(name);
    }
    if (this.peers.length === 0) this.release();
    else if (isNew) this.hold();
    this.names.set(this.peers);
    this.publish();
    this.pollSoon();
  }

  /** The other factories, each with its addresses as far as they are known: for polls with other queries. */
  others(): PollPeer[] {
    return this.peers.map((factory) => this.pollPeer(factory));
  }

  isFactory(address: string): boolean {
    return this.names.ownersOf(address).length > 0;
  }

  /** Who asks us lives: a factory that was given up is asked again at once. */
  noteAlive(address: string): void {
    for (const factory of this.names.ownersOf(address)) {
      if (this.peerMemory.isDead(factory)) this.pollSoon();
      this.peerMemory.heard(factory, this.parts.clock.nowMs());
    }
  }

  summaries(): PeerSummary[] {
    return this.view.summaries(this.now()).map((summary) => {
      const problem = this.names.problemOf(summary.factory);
      if (problem === null) return summary;
      return { ...summary, problems: [`its name does not resolve (${problem})`, ...summary.problems] };
    });
  }

  get counts(): DatagramCounts {
    return this.poller?.counts ?? { received: new Map(), sent: new Map(), refused: new Map() };
  }

  async close(): Promise<void> {
    this.closed = true;
    this.names.close();
    this.cancelHold();
    this.cancelPublish?.();
    this.nextPoll.cancel();
    await this.poller?.close();
  }

  private newView(): SpaceView {
    return new SpaceView({ ownFactory: this.parts.memory.factory, expirySeconds: EXPIRY_SECONDS });
  }

  private now() {
    return { steadyMs: this.parts.clock.nowMs(), unixSeconds: Date.now() / 1000 };
  }

  private intervalMs(): number {
    const seconds = Math.min(MAX_POLL_SECONDS, Math.max(MIN_POLL_SECONDS, this.peers.length * SECONDS_PER_PEER));
    return seconds * 1000;
  }

  private pollSoon(): void {
    this.pollAt(this.parts.clock.nowMs() + GATHER_MS);
  }

  /** Unless one comes sooner already. */
  private pollAt(atMs: number): void {
    if (this.closed || this.poller === null || this.peers.length === 0 || this.nextPoll.atMs <= atMs) return;
    this.nextPoll.cancel();
    const cancel = this.parts.clock.at(atMs, () => {
      this.nextPoll = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
      void this.poll().catch((error: Error) => this.parts.log.error(`asking the other factories: ${error.message}`));
    });
    this.nextPoll = { atMs, cancel };
  }

  /** Asks all whose turn it is. Peers that an earlier poll still waits for are left to it. */
  private async poll(): Promise<void> {
    const { clock } = this.parts;
    const nowMs = clock.nowMs();
    this.pollAt(nowMs + this.intervalMs() * (1 - JITTER + 2 * JITTER * Math.random()));
    // News that is too old by now goes out of the Memory even if no other comes.
    this.publishSoon();
    const due = this.peers.filter((name) => this.isDue(name, nowMs));
    if (due.length === 0) return;
    const { view, peerMemory } = this;
    for (const name of due) this.polledMs.set(name, nowMs);
    // A dead one is not waited for: its probes go on in each poll.
    const awaitedHere = new Set(due.filter((name) => !peerMemory.isDead(name)));
    for (const name of awaitedHere) this.awaited.add(name);
    const settle = (name: string, outcome: PeerAnswer['outcome']): void => {
      this.outcomes.set(name, outcome);
      if (awaitedHere.delete(name)) this.awaited.delete(name);
      this.publishSoon();
    };
    // Not if they are of an earlier configuration, or of a poll that was cut short by the end.
    const isWanted = (name: string) => !this.closed && view === this.view && this.peers.includes(name);
    const heard = new Set<string>();
    const take = (answer: PeerAnswer<MachinetypeStatus>): void => {
      const { factory, outcome } = answer;
      if (!isWanted(factory)) return;
      view.accept(answer, this.now());
      if (outcome !== 'none') {
        heard.add(factory);
        this.probeMemory.heard(factory, clock.nowMs());
      }
      settle(factory, outcome);
    };
    const takeTypeless = (answer: PeerAnswer<FactoryStatus>): void => {
      const { factory } = answer;
      if (!isWanted(factory) || heard.has(factory)) return;
      heard.add(factory);
      view.acceptTypeless(answer, this.now());
      peerMemory.heard(factory, clock.nowMs());
      // As one that never tells all: waited for only shortly, but asked each time, since it may have some by then.
      peerMemory.answered(factory, false);
      settle(factory, answer.outcome);
    };
    try {
      const answers = await this.ask('machinetypes_query', due, 1, peerMemory, take);
      // Full answers were taken when they came, and a later poll may know more by now.
      const silent = answers.filter(({ outcome, asked }) => outcome === 'none' && asked > 0);
      for (const answer of answers) {
        if (answer.outcome === 'partial' || answer.asked === 0 || (answer.outcome === 'none' && answer.wasDead)) {
          take(answer);
        }
      }
      if (silent.length === 0 || this.closed) return;
      const names = silent.map(({ factory }) => factory);
      await this.ask('factory_query', names, PROBE_PART, this.probeMemory, takeTypeless);
      for (const answer of silent) if (!answer.wasDead && !heard.has(answer.factory)) take(answer);
    } finally {
      // Of a poll that failed: the next one asks them.
      for (const name of awaitedHere) this.awaited.delete(name);
    }
  }

  private ask<Q extends 'machinetypes_query' | 'factory_query'>(
    query: Q,
    factories: readonly string[],
    timePart: number,
    memory: PeerMemory,
    onComplete: (answer: PeerAnswer<StatusOf<Q>>) => void,
  ): Promise<PeerAnswer<StatusOf<Q>>[]> {
    const { udpTimeoutSeconds } = this.parts.memory.config.settings;
    return this.poller!.poll({
      query,
      space: this.space!,
      vacVersion: `Vac ${VERSION} vacd`,
      peers: factories.map((factory) => this.pollPeer(factory)),
      cookieOf: saltedCookies(),
      timeoutMs: udpTimeoutSeconds * 1000 * timePart,
      rng: Math.random,
      memory,
      onComplete,
    });
  }

  private pollPeer(factory: string): PollPeer {
    return { factory, addresses: this.names.addressesOf(factory), port: VACQUERY_PORT };
  }

  private isDue(name: string, nowMs: number): boolean {
    if (this.awaited.has(name) || this.names.addressesOf(name).length === 0) return false;
    if (this.peerMemory.isDead(name)) return this.peerMemory.isProbeDue(name, nowMs);
    return nowMs >= (this.polledMs.get(name) ?? Number.NEGATIVE_INFINITY) + this.intervalMs() * (1 - 2 * JITTER);
  }

  /** No machine starts before the others were heard: they may have just what would be started. */
  private hold(): void {
    const { memory, clock } = this.parts;
    this.cancelHold();
    memory.spaceHeard = false;
    this.cancelHold = clock.at(clock.nowMs() + memory.config.settings.udpTimeoutSeconds * 1000, () => {
      this.release();
      this.publish();
    });
  }

  private release(): void {
    this.cancelHold();
    this.parts.memory.spaceHeard = true;
  }

  /** Whether waiting longer brings nothing more. A host whose names do not resolve at all may only just have booted. */
  private isHeard(): boolean {
    return (
      this.outcomes.size > 0 &&
      this.peers.every((name) => this.outcomes.has(name) || this.names.problemOf(name) !== null)
    );
  }

  private publishSoon(): void {
    this.cancelPublish ??= this.parts.clock.at(this.parts.clock.nowMs() + GATHER_MS, () => this.publish());
  }

  private publish(): void {
    const { memory, log, wake } = this.parts;
    this.cancelPublish?.();
    this.cancelPublish = null;
    memory.peers = this.view.news(this.now());
    if (!memory.spaceHeard && this.isHeard()) this.release();
    const isAnswered = this.peers.some((name) => (this.outcomes.get(name) ?? 'none') !== 'none');
    const isUndecided = this.peers.some((name) => this.awaited.has(name) && !this.outcomes.has(name));
    const alone = this.peers.length > 0 && memory.spaceHeard && !isAnswered && !isUndecided;
    if (alone && !memory.alone) {
      const { length } = this.peers;
      const others =
        length === 1 ? 'the other factory does not answer' : `none of the ${length} other factories answers`;
      log.warn(`${others}: going on alone`);
    } else if (isAnswered && memory.alone) log.info('other factories answer: no longer alone');
    memory.alone = alone;
    wake();
  }
}

/** Who is asked, and when, the other queries tell. */
function newProbeMemory(): PeerMemory {
  return new PeerMemory({ ...PEER_MEMORY_OPTIONS, probeIntervalMs: 0 });
}
