/**
 * What this factory knows of the others: their news of each machinetype, how old it is and which way it came.
 *
 * A peer's times are on its clock. Its `time_sent` says what that clock showed when the news left, so "how long before"
 * is right even where the clock is wrong, and is counted back from our clock at arrival.
 */

import type { MachinetypeNews } from '../factory/types.js';
import { authRefusalText, isAuthRefusal } from './auth-words.js';
import type { Received } from './collection.js';
import type { PeerAnswer } from './exchange.js';
import type { FactoryStatus, MachinetypeStatus, Status } from './messages.js';

/** One moment on both clocks: ages are taken from the steady one, which nobody sets. */
export interface Instant {
  readonly steadyMs: number;
  readonly unixSeconds: number;
}

export type NewsWay = 'poll' | 'gossip';

export interface NewsEntry {
  readonly news: MachinetypeNews;
  readonly ageSeconds: number;
  readonly way: NewsWay;
}

export interface PeerSummary {
  readonly factory: string;
  /** How its latest news came; null: none came, or what came has expired. */
  readonly way: NewsWay | null;
  /** Of the last poll that asked it; `unasked` before the first. By gossip: `complete` while it is heard. */
  readonly outcome: PeerAnswer['outcome'] | 'unasked';
  /** Since its last answer; null: it never gave one. */
  readonly heardSecondsAgo: number | null;
  /** Peer's clock less ours at its last answer, the way included; null: never heard. */
  readonly clockAheadSeconds: number | null;
  readonly vacVersion: string | null;
  readonly site: string | null;
  /** Machinetypes with news that has not expired, and how many the peer says there are. */
  readonly machinetypes: number;
  readonly machinetypesExpected: number | null;
  readonly runningMachines: number;
  readonly runningProcessors: number;
  readonly runningHs06: number;
  /** What is wrong with it, a sentence each. */
  readonly problems: readonly string[];
}

export interface SpaceViewOptions {
  /** This factory's FQDN: what others say in its name is not believed. */
  readonly ownFactory: string;
  /** News older than this is left out of decisions. */
  readonly expirySeconds: number;
}

export interface OtherWay {
  /** Since a peer was heard by it; null: it was not. */
  heardSecondsAgo(factory: string): number | null;
  /** Its answers to polls say nothing of it any more. */
  isInForce(factory: string): boolean;
}

const NO_OTHER_WAY: OtherWay = { heardSecondsAgo: () => null, isInForce: () => false };

/** Clocks that differ by less are called right: a datagram takes time, and times are whole seconds. */
const TOLERATED_SKEW_SECONDS = 5;

/**
 * An end so far in the future of its own factory is from before that one's clock was set back. As "now" it would be a new
 * abort at each poll, and stop the type in the whole space until that time has come.
 */
const MAX_FUTURE_SECONDS = 300;

interface Entry {
  readonly news: MachinetypeNews;
  readonly receivedMs: number;
  readonly way: NewsWay;
  /** HS06 × seconds; null: it keeps no history. */
  readonly decayedUse: number | null;
}

interface Peer {
  readonly entries: Map<string, Entry>;
  /** Of the last poll; the statuses themselves are not kept, a space has tens of thousands. */
  answer: (Omit<PeerAnswer, 'statuses'> & { readonly received: number }) | null;
  lastHeardMs: number | null;
  clockAheadSeconds: number | null;
  vacVersion: string | null;
  site: string | null;
}

export class SpaceView {
  readonly #ownFactory: string;
  readonly #expirySeconds: number;
  #peers = new Map<string, Peer>();

  constructor({ ownFactory, expirySeconds }: SpaceViewOptions) {
    this.#ownFactory = ownFactory.toLowerCase();
    this.#expirySeconds = expirySeconds;
  }

  /** Takes in what one peer answered to a machinetypes query. */
  accept(answer: PeerAnswer<MachinetypeStatus>, now: Instant, way: NewsWay = 'poll'): void {
    if (answer.factory.toLowerCase() === this.#ownFactory) return;
    const peer = this.#peer(answer.factory);
    const { statuses, ...rest } = answer;
    // A poll that did not ask a dead peer tells nothing new of it.
    if (answer.asked > 0) peer.answer = { ...rest, received: statuses.length };
    for (const received of statuses) this.#acceptStatus(peer, answer.factory, received, now, way);
    if (answer.outcome === 'complete') {
      // What a full answer does not name is no machinetype of that factory any more.
      const named = new Set(statuses.map(({ status }) => status.machinetype));
      for (const machinetype of peer.entries.keys()) if (!named.has(machinetype)) peer.entries.delete(machinetype);
    }
  }

  /**
   * Takes in that a peer lives that has no machinetypes: it leaves a machinetypes query unanswered, since there is nothing
   * to say, but not a factory query.
   */
  acceptTypeless(answer: PeerAnswer<FactoryStatus>, now: Instant): void {
    const { statuses, ...rest } = answer;
    this.accept({ ...rest, statuses: [], expected: 0 }, now);
    const peer = this.#peers.get(answer.factory);
    for (const { status, receivedMs } of statuses) if (peer !== undefined) this.#heard(peer, status, receivedMs, now);
  }

  /** For decisions: all peers' news that has not expired. */
  news(now: Instant): MachinetypeNews[] {
    return this.entries(now).map(({ news }) => news);
  }

  /** What machines of some peers have used, HS06 × seconds by machinetype, as last told: of those expired, too. */
  decayedUses(isWanted: (factory: string) => boolean): Map<string, number> {
    const uses = new Map<string, number>();
    for (const [factory, { entries }] of this.#peers) {
      if (!isWanted(factory)) continue;
      for (const [machinetype, { decayedUse }] of entries) {
        if (decayedUse !== null) uses.set(machinetype, (uses.get(machinetype) ?? 0) + decayedUse);
      }
    }
    return uses;
  }

  entries(now: Instant): NewsEntry[] {
    return [...this.#peers.values()].flatMap((peer) =>
      this.#freshEntries(peer, now).map(({ news, receivedMs, way }) => ({
        news,
        ageSeconds: secondsSince(receivedMs, now),
        way,
      })),
    );
  }

  /**
   * For `vac factories`: one for each peer that was asked or heard.
   *
   * @param otherWay what came by another way than what is in this view
   */
  summaries(now: Instant, otherWay: OtherWay = NO_OTHER_WAY): PeerSummary[] {
    const claims = this.#claims();
    return [...this.#peers].map(([factory, peer]) => {
      const byPollSeconds = peer.lastHeardMs === null ? null : secondsSince(peer.lastHeardMs, now);
      const heardSecondsAgo = lower(byPollSeconds, otherWay.heardSecondsAgo(factory));
      const fresh = this.#freshEntries(peer, now);
      const sum = (of: (news: MachinetypeNews) => number) => fresh.reduce((total, { news }) => total + of(news), 0);
      return {
        factory,
        way: byPollSeconds !== null && byPollSeconds <= this.#expirySeconds ? 'poll' : null,
        outcome: peer.answer?.outcome ?? 'unasked',
        heardSecondsAgo,
        clockAheadSeconds: peer.clockAheadSeconds,
        vacVersion: peer.vacVersion,
        site: peer.site,
        machinetypes: fresh.length,
        machinetypesExpected: peer.answer?.expected ?? null,
        runningMachines: sum((news) => news.runningMachines),
        runningProcessors: sum((news) => news.runningProcessors),
        runningHs06: sum((news) => news.runningHs06),
        problems: [
          ...(otherWay.isInForce(factory) ? [] : problemsOf(factory, peer, heardSecondsAgo)),
          ...(claims.get(factory) ?? []),
        ],
      };
    });
  }

  /** Who the peers are, in the order of the summaries; what is known of others is forgotten. */
  setPeers(factories: readonly string[]): void {
    const others = factories.filter((factory) => factory.toLowerCase() !== this.#ownFactory);
    this.#peers = new Map(others.map((factory) => [factory, this.#peers.get(factory) ?? newPeer()]));
  }

  #acceptStatus(
    peer: Peer,
    factory: string,
    { status, receivedMs }: Received<MachinetypeStatus>,
    now: Instant,
    way: NewsWay,
  ): void {
    const known = peer.entries.get(status.machinetype);
    if (known !== undefined && known.receivedMs >= receivedMs) return;
    const receivedSeconds = now.unixSeconds - secondsSince(receivedMs, now);
    peer.entries.set(status.machinetype, {
      news: toNews(factory, status, receivedSeconds),
      decayedUse: status.decayed_use,
      receivedMs,
      way,
    });
    this.#heard(peer, status, receivedMs, now);
  }

  #heard(peer: Peer, status: Status, receivedMs: number, now: Instant): void {
    if (peer.lastHeardMs !== null && receivedMs < peer.lastHeardMs) return;
    const receivedSeconds = now.unixSeconds - secondsSince(receivedMs, now);
    peer.lastHeardMs = receivedMs;
    peer.clockAheadSeconds = Math.round(status.time_sent - receivedSeconds);
    peer.vacVersion = status.vac_version;
    peer.site = status.site;
  }

  #freshEntries(peer: Peer, now: Instant): Entry[] {
    return [...peer.entries.values()].filter(({ receivedMs }) => secondsSince(receivedMs, now) <= this.#expirySeconds);
  }

  /** Names that hosts answer by although they are others', for each factory that is concerned. */
  #claims(): Map<string, string[]> {
    const claims = new Map<string, string[]>();
    const add = (factory: string, sentence: string) => claims.set(factory, [...(claims.get(factory) ?? []), sentence]);
    for (const [factory, { answer }] of this.#peers) {
      const claimed = answer?.claimedFactory?.toLowerCase();
      if (claimed === undefined) continue;
      const whose = claimed === this.#ownFactory ? 'the name of this factory' : 'the name of another factory';
      const known = claimed === this.#ownFactory || this.#peers.has(claimed);
      add(factory, `its host calls itself ${claimed}${known ? `, ${whose}` : ''}: its answers are not believed`);
      if (this.#peers.has(claimed)) add(claimed, `the host at ${factory} uses this factory's name, too`);
    }
    return claims;
  }

  #peer(factory: string): Peer {
    let peer = this.#peers.get(factory);
    if (peer === undefined) {
      peer = newPeer();
      this.#peers.set(factory, peer);
    }
    return peer;
  }
}

function newPeer(): Peer {
  return {
    entries: new Map(),
    answer: null,
    lastHeardMs: null,
    clockAheadSeconds: null,
    vacVersion: null,
    site: null,
  };
}

/** What is wrong with a peer by its own answers, a sentence each. */
function problemsOf(factory: string, { answer, clockAheadSeconds }: Peer, heardSecondsAgo: number | null): string[] {
  const problems: string[] = [];
  if (clockAheadSeconds !== null && Math.abs(clockAheadSeconds) > TOLERATED_SKEW_SECONDS) {
    const ahead = clockAheadSeconds > 0 ? 'ahead of' : 'behind';
    problems.push(`its clock is ${Math.abs(clockAheadSeconds)} s ${ahead} this host's`);
  }
  if (answer === null) return problems;
  const { outcome, asked, received, expected, strayAddress, claimedFactory } = answer;
  if (outcome === 'none') {
    const heard = heardSecondsAgo === null ? 'never heard' : `last heard ${Math.round(heardSecondsAgo)} s ago`;
    problems.push(`no answer to ${asked} ${asked === 1 ? 'query' : 'queries'}, ${heard}`);
  }
  if (outcome === 'partial') problems.push(`only ${received} of ${expected} machinetypes arrived`);
  for (const [reason, count] of answer.refused) {
    if (reason === 'wrong-address' && strayAddress !== null) {
      problems.push(
        `answers in its name come from ${strayAddress}, which is none of its addresses: they are not believed`,
      );
    } else if (isAuthRefusal(reason)) {
      problems.push(authRefusalText(reason, null));
    } else if (reason !== 'wrong-factory' || claimedFactory === null) {
      problems.push(`${count} ${count === 1 ? 'answer' : 'answers'} of ${factory} refused: ${reason}`);
    }
  }
  return problems;
}

/** @param receivedSeconds Unix time of its arrival, on our clock */
export function toNews(factory: string, status: MachinetypeStatus, receivedSeconds: number): MachinetypeNews {
  const { shutdown_time: endedTime, shutdown_message: message, shutdown_machine: hostname } = status;
  return {
    factory,
    machinetype: status.machinetype,
    runningHs06: status.running_hs06,
    runningMachines: status.running_machines,
    runningProcessors: status.running_processors,
    beforeFizzle: status.num_before_fizzle,
    lastEnd:
      endedTime === null || endedTime > status.time_sent + MAX_FUTURE_SECONDS
        ? null
        : {
            // An end that is still to come by the peer's own clock happened now at the latest.
            timeSeconds: Math.floor(receivedSeconds - Math.max(0, status.time_sent - endedTime)),
            message,
            hostname: hostname ?? factory,
          },
  };
}

function lower(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function secondsSince(steadyMs: number, now: Instant): number {
  return Math.max(0, (now.steadyMs - steadyMs) / 1000);
}
