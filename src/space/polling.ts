/**
 * Asks by VacQuery 01.03 those factories of the space that gossip does not tell of: the predecessor's, and any that have
 * fallen silent. Runs beside the loop and never holds it up: each peer's news counts as soon as it is there, whoever else
 * is still waited for.
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
  type QuerySigner,
  SpaceView,
  type StatusOf,
  saltedCookies,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { VERSION } from '../version.js';
import type { Gossiping } from './gossiping.js';
import type { MemberParts } from './member.js';
import type { MemberConfig } from './messages.js';
import type { Names } from './names.js';

/** Between the beginnings of two polls: few are asked often, many are not flooded with queries. */
const SECONDS_PER_PEER = 0.25;
const MIN_POLL_SECONDS = 2;
const MAX_POLL_SECONDS = 60;
/** Factories that were started together do not stay in step. */
const JITTER = 0.1;
/** News of a peer that no longer answers counts for so long in decisions: its machines run on, most likely. */
export const EXPIRY_SECONDS = 300;
/** A factory that said nothing of machinetypes may have none: whether it lives is asked for this part of the time. */
const PROBE_PART = 1 / 10;
/** What changes together is looked at together. */
const GATHER_MS = 20;

export type PollOutcome = PeerAnswer['outcome'];

export interface PollingParts extends Pick<MemberParts, 'clock' | 'log' | 'openTransport'> {
  readonly config: () => MemberConfig;
  readonly names: Names;
  readonly gossiping: Gossiping;
  /** Null: nothing is signed. */
  readonly signer: () => QuerySigner | null;
  /** A peer's answer is there, or will not come; or it is time to look at what has expired. */
  readonly onNews: () => void;
}

export class Polling {
  /** Of the peers' news as their answers brought it. */
  view: SpaceView;
  private peers: readonly string[] = [];
  /** What view and memory are of. */
  private space: string | null = null;
  private peerMemory = new PeerMemory();
  /** Of factory queries, which only those are asked who leave the others unanswered. */
  private probeMemory = newProbeMemory();
  private poller: Poller | null = null;
  /** Peers that a poll still waits for. */
  private readonly awaited = new Set<string>();
  private readonly polledMs = new Map<string, number>();
  /** How each peer's last poll ended, or the news that it has brought so far. */
  private readonly outcomes = new Map<string, PollOutcome>();
  private readonly answeredMs = new Map<string, number>();
  private nextPoll = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
  private intervalMs = MIN_POLL_SECONDS * 1000;
  private closed = false;

  constructor(private readonly parts: PollingParts) {
    this.view = this.newView();
  }

  /** @throws where no socket is to be had */
  async start(): Promise<void> {
    const transport = await this.parts.openTransport();
    if (this.closed) return transport.close();
    this.poller = new Poller(transport, this.parts.clock);
    this.pollSoon();
  }

  /** Takes what the configuration says now; called with each change of it. */
  configure(): void {
    const { space, peers } = this.parts.config();
    this.peers = peers;
    const known = [this.awaited, this.polledMs, this.outcomes, this.answeredMs];
    if (space !== this.space) {
      // What was heard is of another space's factories, even of those that go by the same names.
      this.space = space;
      this.view = this.newView();
      this.peerMemory = new PeerMemory();
      this.probeMemory = newProbeMemory();
      for (const each of known) each.clear();
    }
    this.view.setPeers(peers);
    this.peerMemory.retain(peers);
    this.probeMemory.retain(peers);
    const kept = new Set(peers);
    for (const each of known) for (const name of each.keys()) if (!kept.has(name)) each.delete(name);
    this.pollSoon();
  }

  pollPeer(factory: string): PollPeer {
    return { factory, addresses: this.parts.names.addressesOf(factory), port: VACQUERY_PORT };
  }

  /** Who asks us lives: a factory that was given up is asked again at once. */
  noteAlive(factory: string): void {
    if (this.peerMemory.isDead(factory)) {
      this.parts.gossiping.notePolled(factory, true);
      this.pollSoon();
    }
    this.peerMemory.heard(factory, this.parts.clock.nowMs());
  }

  /** How a peer's last poll ended; null: none did. */
  outcomeOf(factory: string): PollOutcome | null {
    return this.outcomes.get(factory) ?? null;
  }

  /** Peers that have answered, and when last, on the clock of the polls. */
  get answered(): ReadonlyMap<string, number> {
    return this.answeredMs;
  }

  summaries(): PeerSummary[] {
    const { gossiping } = this.parts;
    return this.view.summaries(gossiping.now(), {
      heardSecondsAgo: (factory) => gossiping.heardSecondsAgo(factory),
      isInForce: (factory) => !gossiping.isSilent(factory),
    });
  }

  get counts(): DatagramCounts {
    return this.poller?.counts ?? { received: new Map(), sent: new Map(), refused: new Map() };
  }

  pollSoon(): void {
    this.pollAt(this.parts.clock.nowMs() + GATHER_MS);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.nextPoll.cancel();
    await this.poller?.close();
  }

  private newView(): SpaceView {
    return new SpaceView({ ownFactory: this.parts.config().factory, expirySeconds: EXPIRY_SECONDS });
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

  /** Who is to be asked now. Peers that an earlier poll still waits for are left to it. */
  private due(nowMs: number): string[] {
    const silent = this.parts.gossiping.legacyPeers();
    const seconds = Math.min(MAX_POLL_SECONDS, Math.max(MIN_POLL_SECONDS, silent.length * SECONDS_PER_PEER));
    this.intervalMs = seconds * 1000;
    return silent.filter((name) => {
      if (this.awaited.has(name) || this.parts.names.addressesOf(name).length === 0) return false;
      if (this.peerMemory.isDead(name)) return this.peerMemory.isProbeDue(name, nowMs);
      return nowMs >= (this.polledMs.get(name) ?? Number.NEGATIVE_INFINITY) + this.intervalMs * (1 - 2 * JITTER);
    });
  }

  private async poll(): Promise<void> {
    const { clock, gossiping, onNews } = this.parts;
    const nowMs = clock.nowMs();
    const due = this.due(nowMs);
    const nextMs = nowMs + this.intervalMs * (1 - JITTER + 2 * JITTER * Math.random());
    this.pollAt(gossiping.legacyFromMs > nowMs ? Math.min(gossiping.legacyFromMs, nextMs) : nextMs);
    // News that is too old by now goes out of the Memory even if no other comes.
    onNews();
    if (due.length === 0) return;
    const { view, peerMemory } = this;
    for (const name of due) this.polledMs.set(name, nowMs);
    // A dead one is not waited for: its probes go on in each poll.
    const awaitedHere = new Set(due.filter((name) => !peerMemory.isDead(name)));
    for (const name of awaitedHere) this.awaited.add(name);
    const settle = (name: string, outcome: PollOutcome): void => {
      this.outcomes.set(name, outcome);
      if (outcome !== 'none') this.answeredMs.set(name, clock.nowMs());
      gossiping.notePolled(name, outcome !== 'none');
      if (awaitedHere.delete(name)) this.awaited.delete(name);
      onNews();
    };
    // Not if they are of an earlier configuration, or of a poll that was cut short by the end.
    const isWanted = (name: string) => !this.closed && view === this.view && this.peers.includes(name);
    const heard = new Set<string>();
    const take = (answer: PeerAnswer<MachinetypeStatus>): void => {
      const { factory, outcome } = answer;
      if (!isWanted(factory)) return;
      view.accept(answer, gossiping.now());
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
      view.acceptTypeless(answer, gossiping.now());
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
    const { udpTimeoutSeconds } = this.parts.config();
    return this.poller!.poll({
      query,
      space: this.space!,
      vacVersion: `Vac ${VERSION} vacd`,
      peers: factories.map((factory) => this.pollPeer(factory)),
      cookieOf: saltedCookies(),
      timeoutMs: udpTimeoutSeconds * 1000 * timePart,
      rng: Math.random,
      memory,
      signer: this.parts.signer(),
      onComplete,
    });
  }
}

/** Who is asked, and when, the other queries tell. */
function newProbeMemory(): PeerMemory {
  return new PeerMemory({ ...PEER_MEMORY_OPTIONS, probeIntervalMs: 0 });
}
