/**
 * Asking many peers for their status, as a state machine: datagrams and times go in, datagrams and the time of the next
 * step come out. No sockets, no clock, no randomness of its own.
 *
 *     silent: asked again, ever later (×1.5 up to ×3)
 *       │ part of its answer
 *       ▼
 *     partial: asked again at a steady pace           each ends at the deadline, whatever keeps arriving
 *       │ all that it says it has
 *       ▼
 *     complete: not asked any more
 *
 * A dead peer (`PeerMemory`) is asked once if a probe is due, and not waited for; when it answers, it is alive, and
 * asked like the others for what is missing. A lame peer is waited for only a part of the time.
 *
 * Whoever asks faster than it can read gets nothing but duplicates, and loses the rest: so nobody is asked again while
 * answers as old as its own are still being read, and a large space is asked at a bounded rate.
 */

import type { AuthRefusal } from './auth.js';
import { decode, encode, isStatus, type RejectReason } from './codec.js';
import { type AddOutcome, Collection, type Received } from './collection.js';
import { count } from './counts.js';
import { makeQuery, type QueryType, STATUS_TYPE_OF, type Status, type StatusOf } from './messages.js';
import type { PeerMemory } from './peer-memory.js';

export interface PollPeer {
  /** FQDN. */
  readonly factory: string;
  /**
   * Its IP addresses, in the text form of the transport. They are asked in turn, beginning with the one that answered
   * last. An answer may come from any.
   */
  readonly addresses: readonly string[];
  readonly port: number;
}

export interface PollOptions<Q extends QueryType> {
  readonly query: Q;
  readonly space: string;
  /** "Vac <version> <program>". */
  readonly vacVersion: string;
  readonly peers: readonly PollPeer[];
  /** A secret of this poll and the peer, as SHA-256 hex of (random salt + FQDN): see `saltedCookies`. */
  readonly cookieOf: (factory: string) => string;
  /** udp_timeout_seconds in milliseconds: how long the poll takes at most. */
  readonly timeoutMs: number;
  /** Uniform in [0, 1). */
  readonly rng: () => number;
  readonly memory: PeerMemory;
  /** Signs queries and checks what is signed of the answers; left out: nothing is signed. */
  readonly signer?: QuerySigner | null;
  /** Called as soon as a peer has answered in full: others may keep the poll waiting for long. */
  readonly onComplete?: (answer: PeerAnswer<StatusOf<Q>>) => void;
}

export interface QuerySigner {
  /** The query with a signature of its own: one is sent several times. */
  sign(query: Uint8Array, factory: string): Uint8Array;
  /** Null: the answer is to be looked at. */
  refusalOf(answer: Uint8Array, factory: string): AuthRefusal | null;
}

export interface Outgoing {
  readonly datagram: Uint8Array;
  readonly address: string;
  readonly port: number;
}

/** Why a datagram that came during a poll is not believed. */
export type ReplyRefusal =
  | RejectReason
  | 'not-a-status'
  | 'wrong-status'
  | 'wrong-cookie'
  /** The cookie of one factory with the name of another: it would answer for it. */
  | 'wrong-factory'
  | 'wrong-address'
  | 'other-space'
  | AuthRefusal
  | Extract<AddOutcome, 'too-many' | 'unsteady'>;

export type ReceiveOutcome = 'accepted' | 'duplicate' | ReplyRefusal;

export interface PeerAnswer<S extends Status = Status> {
  readonly factory: string;
  readonly outcome: 'complete' | 'partial' | 'none';
  readonly statuses: readonly Received<S>[];
  /** How many statuses the peer says that it has; null when it said nothing. */
  readonly expected: number | null;
  /** Queries sent to it. */
  readonly asked: number;
  /** Known to be dead when the poll began. */
  readonly wasDead: boolean;
  /** What it sent that was not believed, by reason. */
  readonly refused: ReadonlyMap<ReplyRefusal, number>;
  /** The last other name under which its host answered; null: none. */
  readonly claimedFactory: string | null;
  /** The last address that an answer in its name came from without being one of its own; null: none. */
  readonly strayAddress: string | null;
}

/** Shortest time between two queries to one peer, as a part of the whole (200 ms of 10 s), and at least. */
const RETRY_PART = 1 / 50;
const MIN_RETRY_MS = 100;
/** A silent peer is asked ever less often. At half of all datagrams lost, one in 10^5 is taken for dead by mistake. */
const RETRY_GROWTH = 1.5;
const MAX_RETRY_FACTOR = 3;
/** All peers together are asked again at most at this rate: no peer sooner than after this for each that is waited for. */
const RETRY_MS_PER_PEER = 0.5;
/** No peer is asked again before this many times the time that answers took lately, from question to being read. */
const ANSWER_TIMES = 2;
/** Part that one peer's answer has in that time. */
const ANSWER_WEIGHT = 1 / 4;
/** When no answer was read for this part of the shortest retry, none wait to be read, however long the last ones took. */
const QUIET_PART = 1 / 2;
/** How long a lame peer is waited for, as a part of the whole. */
const LAME_PART = 1 / 10;
/** First queries are sent over this part of the time, 1 ms apart at most: thousands of answers at once would be lost. */
const SPREAD_PART = 1 / 10;
const MAX_SPACING_MS = 1;
/** Peers due within so little time are asked together, so that a poll of thousands wakes a few hundred times. */
const TICK_MS = 5;

/** How long the poll lasts for a peer that is not complete: to its deadline, a part of that, or not at all. */
type Patience = 'full' | 'short' | 'none';

interface PeerState<S extends Status> {
  readonly peer: PollPeer;
  /** In the order in which they are asked next. */
  addresses: readonly string[];
  readonly query: Uint8Array;
  readonly cookie: string;
  readonly wasDead: boolean;
  readonly collection: Collection<S>;
  readonly refused: Map<ReplyRefusal, number>;
  patience: Patience;
  nextAskMs: number;
  asked: number;
  askedMs: number;
  /** It has answered since it was asked last. */
  answered: boolean;
  retryMs: number;
  heard: boolean;
  claimedFactory: string | null;
  strayAddress: string | null;
}

export class PollExchange<Q extends QueryType> {
  readonly deadlineMs: number;
  readonly #startMs: number;
  readonly #options: PollOptions<Q>;
  readonly #statusType: string;
  readonly #peers: PeerState<StatusOf<Q>>[];
  readonly #byCookie: ReadonlyMap<string, PeerState<StatusOf<Q>>>;
  readonly #byAddress: ReadonlyMap<string, PeerState<StatusOf<Q>>>;
  readonly #firstRetryMs: number;
  readonly #strayRefusals = new Map<ReplyRefusal, number>();
  /** Peers that may yet have to be asked. */
  #open: PeerState<StatusOf<Q>>[];
  readonly #lameDeadlineMs: number;
  /** Incomplete peers, by how long they are waited for. */
  readonly #missing: Record<Patience, number> = { full: 0, short: 0, none: 0 };
  #nextAskMs: number;
  /** How long answers took lately, and when the last one was read. */
  #answerTimeMs = 0;
  #answerReadMs = Number.NEGATIVE_INFINITY;
  #over = false;

  /** @param nowMs when the poll begins, on the steady clock of all further calls */
  constructor(options: PollOptions<Q>, nowMs: number) {
    this.#options = options;
    this.#statusType = STATUS_TYPE_OF[options.query];
    this.#startMs = nowMs;
    this.deadlineMs = nowMs + options.timeoutMs;
    this.#lameDeadlineMs = nowMs + options.timeoutMs * LAME_PART;
    this.#firstRetryMs = Math.max(MIN_RETRY_MS, options.timeoutMs * RETRY_PART);
    const spacingMs = Math.min(MAX_SPACING_MS, (options.timeoutMs * SPREAD_PART) / Math.max(1, options.peers.length));
    this.#peers = shuffled(options.peers, options.rng).map((peer, index) =>
      this.#begin(peer, nowMs, nowMs + index * spacingMs),
    );
    this.#byCookie = new Map(this.#peers.map((state) => [state.cookie, state]));
    this.#byAddress = new Map(
      this.#peers.flatMap((state) => state.peer.addresses.map((address) => [address, state] as const)),
    );
    this.#open = this.#peers.filter(({ nextAskMs }) => nextAskMs < this.deadlineMs);
    for (const { patience } of this.#peers) this.#missing[patience] += 1;
    this.#nextAskMs = nowMs;
  }

  /** The queries to send now, to be asked for at `nextWakeMs` and after. Each is returned once. */
  due(nowMs: number): Outgoing[] {
    // A poll that waits for nobody is over at once, and still has its probes of dead peers to send.
    if (this.#settle(nowMs) && nowMs >= this.deadlineMs) {
      this.#open = [];
      return [];
    }
    const outgoing: Outgoing[] = [];
    this.#nextAskMs = this.deadlineMs;
    const paceMs = this.#paceMs(nowMs);
    // By then the pace may be another.
    const quietMs = Math.max(nowMs, this.#quietFromMs());
    this.#open = this.#open.filter((state) => {
      if (state.collection.isComplete || (state.patience === 'short' && nowMs >= this.#lameDeadlineMs)) return false;
      const heldMs = state.asked > 0 ? state.askedMs + paceMs : nowMs;
      if (state.nextAskMs <= nowMs && heldMs <= nowMs) outgoing.push(this.#ask(state, nowMs));
      if (state.nextAskMs >= this.deadlineMs) return false;
      const nextMs = state.nextAskMs <= nowMs ? Math.min(heldMs, quietMs) : state.nextAskMs;
      this.#nextAskMs = Math.min(this.#nextAskMs, nextMs);
      return true;
    });
    this.#nextAskMs = Math.min(this.deadlineMs, Math.max(this.#nextAskMs, nowMs + TICK_MS));
    if (nowMs < this.#lameDeadlineMs) this.#nextAskMs = Math.min(this.#nextAskMs, this.#lameDeadlineMs);
    return outgoing;
  }

  /** When `due` has something to do next; null when nothing is left to do. */
  get nextWakeMs(): number | null {
    if (this.#over && this.#open.every(({ collection }) => collection.isComplete)) return null;
    return this.#nextAskMs;
  }

  /** Whether waiting any longer brings nothing more: all that live have answered in full, or the time is up. */
  isOver(nowMs: number): boolean {
    return this.#settle(nowMs);
  }

  /**
   * Takes any datagram that arrived. Answers that are late still count for `answers` and bring a dead peer back, until
   * the exchange is thrown away; they do not make the poll last longer.
   */
  receive(datagram: Uint8Array, address: string, nowMs: number): ReceiveOutcome {
    const decoded = decode(datagram);
    // Its cookie is not known, so the peer is guessed by the address: this is for people to read, and nothing else.
    if (!decoded.ok) return this.#refuse(this.#byAddress.get(address) ?? null, decoded.reason);
    const status = decoded.message;
    if (!isStatus(status)) return this.#refuse(null, 'not-a-status');
    const state = this.#byCookie.get(status.cookie);
    if (state === undefined || state.asked === 0) return this.#refuse(null, 'wrong-cookie');
    if (status.factory.toLowerCase() !== state.peer.factory.toLowerCase()) {
      state.claimedFactory = status.factory;
      return this.#refuse(state, 'wrong-factory');
    }
    if (!state.peer.addresses.includes(address)) {
      state.strayAddress = address;
      return this.#refuse(state, 'wrong-address');
    }
    if (status.space !== this.#options.space) return this.#refuse(state, 'other-space');
    const refusal = this.#options.signer?.refusalOf(datagram, state.peer.factory) ?? null;
    if (refusal !== null) return this.#refuse(state, refusal);
    if (status.message_type !== this.#statusType) return this.#refuse(state, 'wrong-status');
    return this.#accept(state, status as StatusOf<Q>, address, nowMs);
  }

  /** Whether what comes from this address can be an answer to this poll. */
  asks(address: string): boolean {
    return this.#byAddress.has(address);
  }

  /** What each peer has said so far, in the order of `PollOptions.peers`. */
  answers(): PeerAnswer<StatusOf<Q>>[] {
    const byFactory = new Map(this.#peers.map((state) => [state.peer.factory, state]));
    return this.#options.peers.map(({ factory }) => answerOf(byFactory.get(factory)!));
  }

  /** Datagrams that could be put down to no peer, by why they were refused. */
  get strayRefusals(): ReadonlyMap<ReplyRefusal, number> {
    return this.#strayRefusals;
  }

  #begin(peer: PollPeer, nowMs: number, firstAskMs: number): PeerState<StatusOf<Q>> {
    const { query, space, vacVersion, cookieOf, memory } = this.#options;
    const cookie = cookieOf(peer.factory);
    const encoded = encode(makeQuery(query, space, cookie, vacVersion));
    // Space and names were checked with the configuration, and a cookie is a digest: only a programmer gets here.
    if (!encoded.ok) throw new Error(`query to ${peer.factory} cannot be encoded: ${encoded.reason}`);
    const wasDead = memory.isDead(peer.factory);
    const isAsked = peer.addresses.length > 0 && (!wasDead || memory.isProbeDue(peer.factory, nowMs));
    return {
      peer,
      addresses: firstOf(memory.lastAddress(peer.factory), peer.addresses),
      query: encoded.datagram,
      cookie,
      wasDead,
      collection: new Collection(),
      refused: new Map(),
      patience: wasDead || !isAsked ? 'none' : this.#patienceWith(peer.factory),
      nextAskMs: isAsked ? firstAskMs : Number.POSITIVE_INFINITY,
      asked: 0,
      askedMs: nowMs,
      answered: false,
      retryMs: this.#firstRetryMs,
      heard: false,
      claimedFactory: null,
      strayAddress: null,
    };
  }

  #ask(state: PeerState<StatusOf<Q>>, nowMs: number): Outgoing {
    if (state.asked === 0 || state.heard) state.retryMs = this.#firstRetryMs;
    else state.retryMs = Math.min(state.retryMs * RETRY_GROWTH, this.#firstRetryMs * MAX_RETRY_FACTOR);
    const jitter = 0.75 + this.#options.rng() / 2;
    state.nextAskMs = state.patience === 'none' ? Number.POSITIVE_INFINITY : nowMs + state.retryMs * jitter;
    const [address, ...others] = state.addresses;
    state.addresses = [...others, address!];
    state.asked += 1;
    state.askedMs = nowMs;
    state.answered = false;
    this.#options.memory.asked(state.peer.factory, this.#startMs);
    const { query, peer } = state;
    const datagram = this.#options.signer?.sign(query, peer.factory) ?? query;
    return { datagram, address: address!, port: peer.port };
  }

  #accept(state: PeerState<StatusOf<Q>>, status: StatusOf<Q>, address: string, nowMs: number): ReceiveOutcome {
    const wasMissing: Patience | null = state.collection.isComplete ? null : state.patience;
    const outcome = state.collection.add(status, nowMs);
    if (!state.heard) state.addresses = firstOf(address, state.addresses);
    state.heard = true;
    this.#options.memory.heardFrom(state.peer.factory, address, nowMs);
    if (!this.#over) {
      if (state.patience === 'none') state.patience = this.#patienceWith(state.peer.factory);
      const isMissing: Patience | null = state.collection.isComplete ? null : state.patience;
      if (wasMissing !== null) this.#missing[wasMissing] -= 1;
      if (isMissing !== null) this.#missing[isMissing] += 1;
      // It came back from the dead, or its number changed: what is missing must be asked for.
      if (isMissing !== null && isMissing !== wasMissing) this.#reopen(state, nowMs);
    }
    if (outcome === 'new' && !state.answered) {
      // One sample for each question: nobody makes the others wait by answering without end.
      state.answered = true;
      this.#answerReadMs = nowMs;
      this.#answerTimeMs += (nowMs - state.askedMs - this.#answerTimeMs) * ANSWER_WEIGHT;
    }
    if (outcome === 'too-many' || outcome === 'unsteady') return this.#refuse(state, outcome);
    if (outcome === 'new' && state.collection.isComplete) this.#options.onComplete?.(answerOf(state));
    return outcome === 'new' ? 'accepted' : 'duplicate';
  }

  /** How long a peer must have been silent to be asked again, whatever its own pace. */
  #paceMs(nowMs: number): number {
    const waitedFor = this.#missing.full + this.#missing.short;
    const isQuiet = nowMs >= this.#quietFromMs();
    return Math.max(waitedFor * RETRY_MS_PER_PEER, isQuiet ? 0 : this.#answerTimeMs * ANSWER_TIMES);
  }

  #quietFromMs(): number {
    return this.#answerReadMs + this.#firstRetryMs * QUIET_PART;
  }

  /** Has a peer asked again that was thought to be done with. */
  #reopen(state: PeerState<StatusOf<Q>>, nowMs: number): void {
    state.nextAskMs = nowMs + state.retryMs;
    this.#nextAskMs = Math.min(this.#nextAskMs, state.nextAskMs);
    if (!this.#open.includes(state)) this.#open.push(state);
  }

  #settle(nowMs: number): boolean {
    if (this.#over) return true;
    if (this.#missing.full > 0 && nowMs < this.deadlineMs) return false;
    if (this.#missing.short > 0 && nowMs < Math.min(this.#lameDeadlineMs, this.deadlineMs)) return false;
    this.#over = true;
    const { memory } = this.#options;
    for (const { patience, heard, peer, collection } of this.#peers) {
      if (heard) memory.answered(peer.factory, collection.isComplete);
      else if (patience !== 'none') memory.silent(peer.factory, nowMs);
    }
    return true;
  }

  #patienceWith(factory: string): Patience {
    return this.#options.memory.isLame(factory) ? 'short' : 'full';
  }

  #refuse(state: PeerState<StatusOf<Q>> | null, reason: ReplyRefusal): ReplyRefusal {
    count(state?.refused ?? this.#strayRefusals, reason);
    return reason;
  }
}

function answerOf<S extends Status>(state: PeerState<S>): PeerAnswer<S> {
  const { peer, collection, asked, wasDead, refused, claimedFactory, strayAddress, heard } = state;
  return {
    factory: peer.factory,
    outcome: collection.isComplete ? 'complete' : heard ? 'partial' : 'none',
    statuses: collection.received,
    expected: collection.expected,
    asked,
    wasDead,
    refused: new Map(refused),
    claimedFactory,
    strayAddress,
  };
}

/** The addresses with one of them, if it is one, in front. */
function firstOf(preferred: string | null, addresses: readonly string[]): readonly string[] {
  if (preferred === null || addresses[0] === preferred || !addresses.includes(preferred)) return addresses;
  return [preferred, ...addresses.filter((address) => address !== preferred)];
}

/** Fisher and Yates' shuffle: factories that poll at one time ask in different orders. */
function shuffled<T>(items: readonly T[], rng: () => number): T[] {
  const mixed = [...items];
  for (let last = mixed.length - 1; last > 0; last -= 1) {
    const other = Math.floor(rng() * (last + 1));
    [mixed[last], mixed[other]] = [mixed[other]!, mixed[last]!];
  }
  return mixed;
}
