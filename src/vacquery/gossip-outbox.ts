/** What to send, to whom and when: news, requests to compare, and answers. */

import { MAX_SENT_BYTES } from './codec.js';
import type { Knowledge } from './gossip-knowledge.js';
import type { LegacyPeers } from './gossip-legacy.js';
import { Pace, QUICK_INTERVAL_MS } from './gossip-pace.js';
import { Packer } from './gossip-packer.js';
import type { Missed, Sync } from './gossip-sync.js';
import type { GossipLimits, GossipOptions } from './gossip-types.js';
import type { Instant } from './space-view.js';
import type { GossipMessage, SyncAnswer } from './wire02.js';
import { headerBytes } from './wire02-encode.js';

/** A message to one factory; `bytes` is its exact size as a datagram, without a signature. */
export interface GossipSend {
  readonly to: string;
  readonly message: GossipMessage;
  readonly bytes: number;
}

export interface OutboxOptions extends Pick<GossipOptions, 'space' | 'factory' | 'vacVersion' | 'addressOf' | 'rng'> {
  readonly limits: GossipLimits;
  readonly legacy: LegacyPeers;
  /** Bytes of each datagram that a signature will take. */
  readonly signatureBytes: number;
}

/** All that changes with the list of factories. */
export interface OutboxSpace {
  readonly knowledge: Knowledge;
  readonly sync: Sync;
}

/** Factories that are not known to live are sent to so much less often than those that are. */
const DEAD_PART = 0.1;
const LEGACY_PART = 0.02;
const MAX_TRIES = 20;
/** Picks for each of the first to be told of a change. */
const HOP_TRIES = 4;
/** When more was sent than `bytesPerSecond` allows. */
const HOLD_MS = 250;
/** Of a datagram of news, when ages are due; and what a change takes on average. */
const MIN_AGES_BYTES = 400;
const CHANGE_BYTES = 90;
/** Answers that wait for `due`: where it is called too seldom, some are lost. */
const MAX_QUEUED_REPLIES = 256;

export class Outbox {
  #space: OutboxSpace;
  readonly #options: OutboxOptions;
  readonly #pace: Pace;
  readonly #maxBytes: number;
  /** By what is sent as the version: all else in a header is as long every time. */
  readonly #headerBytes = new Map<string | null, number>();
  #replies: GossipSend[] = [];
  #firstHopMs = Number.POSITIVE_INFINITY;
  #nextNewsMs: number;
  #nextSyncMs: number;
  #nextAgesMs = Number.NEGATIVE_INFINITY;

  constructor(options: OutboxOptions, space: OutboxSpace, nowMs: number) {
    this.#options = options;
    this.#space = space;
    this.#pace = new Pace(options.limits, nowMs);
    this.#maxBytes = MAX_SENT_BYTES - options.signatureBytes;
    this.#nextNewsMs = nowMs;
    this.#nextSyncMs = nowMs + options.rng() * options.limits.busySyncIntervalMs;
  }

  setSpace(space: OutboxSpace): void {
    this.#space = space;
    // They may be about, or for, somebody who is in the list no more.
    this.#replies = [];
  }

  get nextWakeMs(): number {
    if (this.#replies.length > 0) return Number.NEGATIVE_INFINITY;
    if (this.#space.knowledge.roster.size === 1) return Number.POSITIVE_INFINITY;
    const newsMs = this.#space.knowledge.hot.isEmpty ? Number.POSITIVE_INFINITY : this.#nextNewsMs;
    return Math.min(this.#firstHopMs, newsMs, this.#nextSyncMs);
  }

  /** There is news of our own: to some peers soon, with what else changes until then. */
  noteOwnNews(nowMs: number): void {
    this.#firstHopMs = Math.min(this.#firstHopMs, nowMs + this.#pace.ownDelayMs(this.#space.knowledge.hot.count));
  }

  /** There is news again after a time without: others have it from the same, and do not all pass it on at one moment. */
  noteFirstNews(nowMs: number): void {
    this.#nextNewsMs = Math.max(this.#nextNewsMs, nowMs + this.#options.rng() * QUICK_INTERVAL_MS);
  }

  isOwnNewsDue(nowMs: number): boolean {
    return nowMs >= this.#firstHopMs;
  }

  due(nowDs: number, now: Instant): GossipSend[] {
    const sends = this.#replies;
    this.#replies = [];
    const nowMs = now.steadyMs;
    const { hot } = this.#space.knowledge;
    if (this.isOwnNewsDue(nowMs)) {
      this.#firstHopMs = Number.POSITIVE_INFINITY;
      this.#firstHop(sends, nowDs, now);
      this.#nextNewsMs = nowMs + this.#pace.newsPauseMs(hot.count, nowMs);
    }
    if (!hot.isEmpty && nowMs >= this.#nextNewsMs) {
      const peer = this.#pace.budget.has(nowMs) ? this.#pickPeer(nowDs) : null;
      if (peer !== null) this.#sendNews(peer, sends, nowDs, now);
      this.#nextNewsMs = nowMs + (peer === null ? HOLD_MS : this.#pace.newsPauseMs(hot.count, nowMs));
    }
    if (nowMs >= this.#nextSyncMs) this.#startSync(sends, nowDs, now);
    return sends;
  }

  /** Answers a request, with no more than its sender may bring down on an address that may not be his. */
  reply({ sync }: GossipMessage, peer: number, maxBytes: number, nowDs: number, now: Instant): void {
    if (sync === null || this.#replies.length >= MAX_QUEUED_REPLIES || !this.#pace.replyBudget.has(now.steadyMs))
      return;
    const { answer, missed } = this.#space.sync.answer(sync, nowDs);
    const first = this.#packer(null, maxBytes, nowDs, now);
    first.setAnswer(answer);
    if (first.room < 0) return;
    const { packers, fits } = this.#packMissed(first, missed, maxBytes, nowDs, now);
    first.setAnswer({ ...answer, hasMore: !fits });
    if (fits) this.#putAges(packers.at(-1)!, nowDs, now);
    for (const packer of packers) this.#push(peer, packer, this.#replies);
  }

  /** Takes an answer to a request of ours, and sends what the other missed. */
  complete(answer: SyncAnswer, peer: number, nowDs: number, now: Instant): void {
    const missed = this.#space.sync.accept(answer, peer);
    if (missed === null) return;
    this.#nextSyncMs = Math.min(this.#nextSyncMs, now.steadyMs + this.#syncIntervalMs());
    if (missed.length === 0 || !this.#pace.replyBudget.has(now.steadyMs)) return;
    const unbounded = Number.POSITIVE_INFINITY;
    const { packers } = this.#packMissed(this.#packer(null, unbounded, nowDs, now), missed, unbounded, nowDs, now);
    for (const packer of packers) if (!packer.isEmpty) this.#push(peer, packer, this.#replies);
  }

  #firstHop(sends: GossipSend[], nowDs: number, now: Instant): void {
    const peers = new Set<number>();
    // In a small space the same one is picked again and again: a change that goes to a dead one alone is late everywhere.
    const wanted = Math.min(this.#options.limits.firstHopPeers, this.#space.knowledge.roster.size - 1);
    for (let hop = 0; hop < wanted * HOP_TRIES && peers.size < wanted; hop += 1) {
      const peer = this.#pace.budget.has(now.steadyMs) ? this.#pickPeer(nowDs) : null;
      if (peer === null || peers.has(peer)) continue;
      peers.add(peer);
      this.#sendNews(peer, sends, nowDs, now);
    }
  }

  #sendNews(peer: number, sends: GossipSend[], nowDs: number, now: Instant): void {
    const packer = this.#packer(null, Number.POSITIVE_INFINITY, nowDs, now);
    // Before the changes, which in a busy space would leave no room for them ever.
    if (now.steadyMs >= this.#nextAgesMs) this.#putAges(packer, nowDs, now, this.#agesBytes(packer.room));
    packer.putHot();
    if (!packer.isEmpty) this.#push(peer, packer, sends);
  }

  #startSync(sends: GossipSend[], nowDs: number, now: Instant): void {
    const { rng, limits, vacVersion } = this.#options;
    const jitter = 0.75 + rng() / 2;
    const peer = this.#pace.budget.has(now.steadyMs) ? this.#pickPeer(nowDs) : null;
    this.#nextSyncMs = now.steadyMs + jitter * (peer === null ? limits.syncIntervalMs : this.#syncIntervalMs());
    if (peer === null) return;
    const packer = this.#packer(vacVersion, Number.POSITIVE_INFINITY, nowDs, now);
    packer.setSync(this.#space.sync.request(peer, nowDs, packer.room));
    packer.putHot();
    this.#putAges(packer, nowDs, now);
    this.#push(peer, packer, sends);
  }

  #syncIntervalMs(): number {
    const { syncIntervalMs, busySyncIntervalMs } = this.#options.limits;
    const { sync, knowledge } = this.#space;
    if (sync.isBusy || this.#pace.isFlooded(knowledge.hot.count)) return busySyncIntervalMs;
    return sync.isInDoubt ? Math.min(syncIntervalMs, busySyncIntervalMs * 4) : syncIntervalMs;
  }

  /** Puts what somebody missed into the first datagram and as many more as the limits, and `maxBytes` in all, allow. */
  #packMissed(first: Packer, missed: readonly Missed[], maxBytes: number, nowDs: number, now: Instant) {
    const packers = [first];
    let last = first;
    let left = maxBytes;
    for (const [index, change] of this.#space.sync.changes(missed)) {
      if (last.putChange(index, change)) continue;
      left -= last.bytes;
      const next = this.#packer(null, left, nowDs, now);
      if (packers.length === this.#options.limits.maxReplyDatagrams || !next.putChange(index, change)) {
        return { packers, fits: false };
      }
      last = next;
      packers.push(last);
    }
    return { packers, fits: true };
  }

  /** As much as the changes that are to be told will leave, most likely, and some in any case. */
  #agesBytes(room: number): number {
    return Math.max(MIN_AGES_BYTES, room - this.#space.knowledge.hot.count * CHANGE_BYTES);
  }

  #putAges(packer: Packer, nowDs: number, now: Instant, maxBytes = packer.room): void {
    this.#space.knowledge.heard.note(this.#space.knowledge.own, nowDs);
    if (packer.putAges(maxBytes)) this.#nextAgesMs = now.steadyMs + this.#options.limits.agesIntervalMs;
  }

  #packer(vacVersion: string | null, maxBytes: number, nowDs: number, now: Instant): Packer {
    const { space, factory } = this.#options;
    const header = { space, factory, vacVersion, timeSent: Math.max(0, Math.floor(now.unixSeconds)) };
    if (this.#headerBytes.get(vacVersion) === undefined) this.#headerBytes.set(vacVersion, headerBytes(header));
    const bytes = this.#headerBytes.get(vacVersion)!;
    return new Packer(this.#space.knowledge, nowDs, header, bytes, Math.min(this.#maxBytes, maxBytes));
  }

  #push(peer: number, packer: Packer, sends: GossipSend[]): void {
    const { bytes } = packer;
    (sends === this.#replies ? this.#pace.replyBudget : this.#pace.budget).spend(bytes);
    sends.push({ to: this.#space.knowledge.roster.names[peer]!, message: packer.message(), bytes });
  }

  /** Anybody; those that live more often than others, so that a dead one's return is noticed, and little is lost on it. */
  #pickPeer(nowDs: number): number | null {
    const { roster, own } = this.#space.knowledge;
    const { rng, addressOf, legacy } = this.#options;
    let spare: number | null = null;
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const index = Math.floor(rng() * roster.size);
      const name = roster.names[index]!;
      if (index === own || addressOf(name) === null) continue;
      if (this.#space.knowledge.liveness(index, nowDs) === 'alive') return index;
      spare = index;
      if (rng() < (legacy.isKnown(name) ? LEGACY_PART : DEAD_PART)) return index;
    }
    return spare;
  }
}
