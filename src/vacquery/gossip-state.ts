/**
 * Gossip as a state machine in messages: no bytes, addresses or keys, no clock or randomness of its own.
 *
 *     announce ──► own entry ──► hot changes ──► a random peer each `newsIntervalMs`, as long as there are any
 *                     ▲               ▲                       (the first hop at once, to several)
 *     receive ──► knowledge of all ───┘
 *                     ▲
 *                     └── push-pull with a random peer each `syncIntervalMs` (gossip-sync.ts)
 *
 * A space in which nothing happens costs the push-pull alone, and that tells who lives (gossip-ages.ts).
 */

import type { MachinetypeNews } from '../factory/types.js';
import { changeSince, freeProcessors } from './entry.js';
import { isPartOf } from './entry-compare.js';
import { OwnEntryKeeper } from './entry-own.js';
import { Calendar } from './gossip-calendar.js';
import { Knowledge, newestDs } from './gossip-knowledge.js';
import { LegacyPeers } from './gossip-legacy.js';
import { GOSSIP_LIMITS } from './gossip-limits.js';
import { type GossipSend, Outbox } from './gossip-outbox.js';
import { Problems } from './gossip-problems.js';
import { type Roster, rosterOf } from './gossip-roster.js';
import { Sync } from './gossip-sync.js';
import type {
  DecayedUse,
  FactoryView,
  GossipCounts,
  GossipLimits,
  GossipOptions,
  OwnEntry,
  Stamp,
} from './gossip-types.js';
import type { Instant } from './space-view.js';
import type { GossipMessage, SentChange } from './wire02.js';

export type { GossipSend } from './gossip-outbox.js';

export type GossipStateOptions = Omit<GossipOptions, 'factoryAtAddress' | 'port' | 'authenticator'> & {
  /** Bytes of each datagram that a signature will take. */
  readonly signatureBytes?: number;
};

/** Times on our clock begin with this, so that there is room for what was heard of before. */
const CLOCK_BEGINS_DS = 100_000;
const SWEEP_MS = 5_000;

export class GossipState {
  readonly limits: GossipLimits;
  readonly counts: GossipCounts = {
    sent: 0,
    sentBytes: 0,
    received: 0,
    changes: 0,
    duplicates: 0,
    disbelieved: 0,
    refused: {},
  };
  readonly problems = new Problems();
  readonly #options: GossipStateOptions;
  readonly #keeper: OwnEntryKeeper;
  readonly #legacy = new LegacyPeers();
  readonly #calendar: Calendar;
  readonly #outbox: Outbox;
  readonly #startMs: number;
  /** Up to this version of our own entry the others were told; null: there is nothing else. */
  #toldVersion: number | null = null;
  #knowledge: Knowledge;
  #sync: Sync;
  #nextSweepMs: number;

  constructor(options: GossipStateOptions, now: Instant) {
    this.#options = options;
    this.limits = { ...GOSSIP_LIMITS, ...options.limits };
    this.#startMs = now.steadyMs;
    this.#nextSweepMs = now.steadyMs + SWEEP_MS;
    this.#keeper = new OwnEntryKeeper(options.incarnation, options.halfLifeSeconds ?? 0, now, options.factory);
    this.#calendar = new Calendar(now);
    this.#knowledge = this.#newKnowledge(options.factories);
    this.#sync = new Sync(this.#knowledge, options.rng);
    const { limits } = this;
    const { signatureBytes = 0 } = options;
    const space = { knowledge: this.#knowledge, sync: this.#sync };
    this.#outbox = new Outbox({ ...options, limits, signatureBytes, legacy: this.#legacy }, space, now.steadyMs);
  }

  get roster(): Roster {
    return this.#knowledge.roster;
  }

  get incarnation(): number {
    return this.#keeper.entry.incarnation;
  }

  /** Whether this factory knows what the space knows: true once somebody else's digests were nearly the same. */
  get isJoined(): boolean {
    return this.#sync.isJoined || this.#knowledge.roster.size === 1;
  }

  setFactories(factories: readonly string[], now: Instant): void {
    const before = this.#knowledge;
    const roster = rosterOf(factories, this.#options.factory);
    if (roster.names.join() === before.roster.names.join()) return;
    this.#knowledge = this.#newKnowledge(factories);
    roster.names.forEach((name, index) => {
      const known = before.roster.indexOf(name);
      if (known >= 0) this.#knowledge.adopt(index, before, known, this.#nowDs(now));
    });
    const { isJoined } = this.#sync;
    this.#sync = new Sync(this.#knowledge, this.#options.rng);
    this.#sync.isJoined = isJoined;
    this.#outbox.setSpace({ knowledge: this.#knowledge, sync: this.#sync });
    this.#legacy.retain(new Set(roster.names));
    this.problems.retain(new Set(roster.names));
    this.#spreadOwn(0, now);
  }

  announce(own: OwnEntry, now: Instant): boolean {
    const { version } = this.#keeper.entry;
    if (!this.#keeper.update(own, now)) return false;
    if (this.#keeper.isCluttered) this.#beginAnew(this.incarnation + 1, now);
    else this.#spreadOwn(version, now);
    return true;
  }

  leave(now: Instant): void {
    const { version } = this.#keeper.entry;
    this.#keeper.leave(now);
    this.#spreadOwn(version, now);
  }

  /** When `due` has something to do next, on the steady clock. */
  get nextWakeMs(): number {
    return this.#outbox.nextWakeMs;
  }

  due(now: Instant): GossipSend[] {
    const nowDs = this.#nowDs(now);
    if (now.steadyMs >= this.#nextSweepMs) {
      this.#nextSweepMs = now.steadyMs + SWEEP_MS;
      this.#knowledge.sweep(nowDs);
      if (this.#calendar.wasSetBack(now)) this.#doubtIncarnations(nowDs, now);
    }
    if (this.#outbox.isOwnNewsDue(now.steadyMs)) this.#sayOwn(nowDs);
    const sends = this.#outbox.due(nowDs, now);
    this.counts.sent += sends.length;
    for (const { bytes } of sends) this.counts.sentBytes += bytes;
    return sends;
  }

  /**
   * @param from the sender's FQDN, as its address tells it
   * @param bytes its size as a datagram: bounds what is answered
   * @param isTrusted it is signed: what it asks for is not a forger's wish
   */
  receive(message: GossipMessage, from: string, bytes: number, now: Instant, isTrusted = false): void {
    const { roster, own, heard, hot } = this.#knowledge;
    const index = roster.indexOf(from);
    if (index < 0 || index === own) return;
    const name = roster.names[index]!;
    const nowDs = this.#nowDs(now);
    this.counts.received += 1;
    this.#knowledge.noteHeard(index, nowDs, nowDs);
    this.#legacy.forget(name);
    this.problems.noteBelieved(name);
    this.problems.noteClock(name, message.timeSent - Math.floor(now.unixSeconds));
    if (message.ages !== null) {
      heard.merge(message.ages, nowDs, (younger) => this.#knowledge.recount(younger, nowDs));
    }
    const wasQuiet = hot.isEmpty;
    for (const sent of message.changes) this.#take(sent, name, nowDs, now);
    if (wasQuiet && !hot.isEmpty) this.#outbox.noteFirstNews(now.steadyMs);
    const maxReplyBytes = isTrusted ? Number.POSITIVE_INFINITY : bytes * this.limits.maxReplyFactor;
    if (message.sync !== null) this.#outbox.reply(message, index, maxReplyBytes, nowDs, now);
    if (message.answer !== null) this.#outbox.complete(message.answer, index, nowDs, now);
  }

  view(now: Instant): FactoryView[] {
    const { roster, own } = this.#knowledge;
    return roster.names.flatMap((_, index) => (index === own ? [] : [this.#factoryView(index, now)]));
  }

  news(now: Instant): MachinetypeNews[] {
    return this.#knowledge.roster.names.flatMap((_, index) => this.#knowledge.news(index, this.#timeOf(now)));
  }

  newsOf(factory: string, now: Instant): MachinetypeNews[] {
    const index = this.#knowledge.roster.indexOf(factory);
    return index < 0 ? [] : this.#knowledge.news(index, this.#timeOf(now));
  }

  totals(now: Instant): MachinetypeNews[] {
    return this.#knowledge.totals(this.#timeOf(now));
  }

  decayedUses(now: Instant): DecayedUse[] {
    return this.#knowledge.decayedUses(this.#nowDs(now));
  }

  stampOf(factory: string): Stamp | null {
    const index = this.#knowledge.roster.indexOf(factory);
    const entry = index === this.#knowledge.own ? this.#keeper.entry : index < 0 ? null : this.#knowledge.entry(index);
    return entry === null ? null : { incarnation: entry.incarnation, version: entry.version };
  }

  heardSecondsAgo(factory: string, now: Instant): number | null {
    const index = this.#knowledge.roster.indexOf(factory);
    return index < 0 ? null : this.#heardSecondsAgo(index, now);
  }

  legacyPeers(now: Instant): string[] {
    const { legacyGraceMs, legacySilentSeconds } = this.limits;
    if (now.steadyMs < this.#startMs + legacyGraceMs) return [];
    const { roster, own } = this.#knowledge;
    return roster.names
      .filter((name, index) => {
        if (index === own || !this.#legacy.isDue(name, now.steadyMs)) return false;
        const silentSeconds = this.#heardSecondsAgo(index, now);
        return silentSeconds === null || silentSeconds > legacySilentSeconds;
      })
      .concat(roster.collisions.filter((name) => this.#legacy.isDue(name, now.steadyMs)));
  }

  notePolled(factory: string, answered: boolean, now: Instant): void {
    const { roster } = this.#knowledge;
    const name = factory.toLowerCase();
    if (roster.indexOf(name) >= 0 || roster.collisions.includes(name)) this.#legacy.note(name, answered, now.steadyMs);
  }

  #newKnowledge(factories: readonly string[]): Knowledge {
    const { factory, isAbort, halfLifeSeconds = 0, intern = (_name, entry) => entry } = this.#options;
    const roster = rosterOf(factories, factory);
    return new Knowledge(roster, factory, { limits: this.limits, halfLifeSeconds, isAbort, intern });
  }

  /** Now, on the clock of all that is known here. */
  #nowDs({ steadyMs }: Instant): number {
    return Math.floor((steadyMs - this.#startMs) / 100) + CLOCK_BEGINS_DS;
  }

  #timeOf(now: Instant): (ds: number) => number {
    const nowDs = this.#nowDs(now);
    // What is to come by the owner's count, a datagram's way being what it is, was now.
    return (ds) => Math.round(now.unixSeconds - Math.max(0, nowDs - ds) / 10);
  }

  /** Has what is new in our own entry since a version sent to some peers soon. */
  #spreadOwn(from: number, now: Instant): void {
    this.#toldVersion = Math.min(from, this.#toldVersion ?? from);
    this.#outbox.noteOwnNews(now.steadyMs);
  }

  #sayOwn(nowDs: number): void {
    const { entry } = this.#keeper;
    const change = changeSince(this.#knowledge.roster.ids[this.#knowledge.own]!, entry, this.#toldVersion ?? 0);
    this.#toldVersion = null;
    if (change !== null) this.#knowledge.takeOwn(entry, change, CLOCK_BEGINS_DS, nowDs);
  }

  #take({ change, ageDs }: SentChange, from: string, nowDs: number, now: Instant): void {
    const { roster, own } = this.#knowledge;
    const index = roster.indexOfId(change.id);
    const name = roster.names[index];
    const isCredible = this.problems.isCredible(change.incarnation, now);
    if (name === undefined || !isCredible) {
      if (name !== undefined) this.problems.noteFuture(name, change.incarnation, now);
      this.counts.disbelieved += 1;
      return;
    }
    if (index === own) {
      this.#defend(change, from, now);
      return;
    }
    const outcome = this.#knowledge.take(index, change, ageDs, nowDs);
    if (outcome === 'news') this.counts.changes += 1;
    else if (outcome === 'known') this.counts.duplicates += 1;
  }

  /** Somebody knows of a state of this factory that it was never in: a forger, a second factory of its name, or a lost past. */
  #defend(change: SentChange['change'], from: string, now: Instant): void {
    const { entry } = this.#keeper;
    if (change.incarnation < entry.incarnation) return;
    const isOurs = change.incarnation === entry.incarnation && change.to <= entry.version && isPartOf(change, entry);
    if (isOurs) return;
    if (!this.problems.noteOwnName(from, now)) return;
    this.#beginAnew(change.incarnation + 1, now);
  }

  #beginAnew(incarnation: number, now: Instant): void {
    this.#keeper.beginAnew(incarnation);
    this.#options.onIncarnation?.(incarnation);
    this.#spreadOwn(0, now);
  }

  /** What began in the future keeps out what its factory says now. */
  #doubtIncarnations(nowDs: number, now: Instant): void {
    const { roster, own } = this.#knowledge;
    for (let index = 0; index < roster.size; index += 1) {
      const entry = this.#knowledge.entry(index);
      if (index === own || entry === null || this.problems.isCredible(entry.incarnation, now)) continue;
      this.#knowledge.forget(index, nowDs);
    }
    if (!this.problems.isCredible(this.incarnation, now)) this.#beginAnew(Math.floor(now.unixSeconds), now);
  }

  #heardSecondsAgo(index: number, now: Instant): number | null {
    const heardDs = this.#knowledge.heard.times[index]!;
    return heardDs === 0 ? null : Math.max(0, this.#nowDs(now) - heardDs) / 10;
  }

  #factoryView(index: number, now: Instant): FactoryView {
    const knowledge = this.#knowledge;
    const nowDs = this.#nowDs(now);
    const factory = knowledge.roster.names[index]!;
    const entry = knowledge.entry(index);
    return {
      factory,
      liveness: knowledge.liveness(index, nowDs),
      heardSecondsAgo: this.#heardSecondsAgo(index, now),
      changedSecondsAgo: entry === null ? null : knowledge.ageDs(index, newestDs(entry), nowDs) / 10,
      stamp: entry === null ? null : { incarnation: entry.incarnation, version: entry.version },
      maxProcessors: entry?.head?.maxProcessors ?? null,
      freeProcessors: entry === null ? null : freeProcessors(entry),
      news: knowledge.news(index, this.#timeOf(now)),
      problems: this.problems.of(factory, now),
    };
  }
}
