/**
 * Answers queries about this factory, and gives nobody else anything: a query from a stranger, for another space, or
 * beyond the limits gets no byte back, so that forged queries turn this factory against nobody.
 */

import { decode, isQuery, type RejectReason } from './codec.js';
import { count, type DatagramCounts } from './counts.js';
import {
  BoundedMap,
  REFUSAL_LIMITS,
  type RefusalLimits,
  RefusalLog,
  type RefusalReport,
  TokenBucket,
} from './limits.js';
import { type FactorySnapshot, STATUS_TYPE_OF } from './messages.js';
import { Replies, type SnapshotProblem } from './replies.js';

export type QueryRefusal =
  | RejectReason
  /** The address is none of the space's factories' and in no allowed network. */
  | 'stranger'
  /** A reply, not a query. */
  | 'not-a-query'
  | 'other-space'
  /** This source was sent too much already. */
  | 'source-limit'
  /** All sources together were. */
  | 'total-limit'
  /** Nothing is known of this factory yet: the daemon has just begun. */
  | 'no-snapshot';

/** Bytes of answers, without headers. */
export interface ResponderLimits {
  readonly sourceBytesPerSecond: number;
  readonly sourceBurstBytes: number;
  /** Sources whose budgets are remembered at one time. */
  readonly maxSources: number;
  readonly totalBytesPerSecond: number;
  readonly totalBurstBytes: number;
}

/**
 * A 64-slot factory's answer to a machines query is 49 kB, 10 machinetypes are 7 kB: one source can be told all there
 * is five times a second, a thousand factories can ask for machinetypes within two seconds.
 */
export const RESPONDER_LIMITS: ResponderLimits = {
  sourceBytesPerSecond: 250_000,
  sourceBurstBytes: 1_000_000,
  maxSources: 4_096,
  totalBytesPerSecond: 4_000_000,
  totalBurstBytes: 8_000_000,
};

export interface ResponderOptions {
  /** Whether this address is one of the space's factories', or in a network that may ask. */
  readonly mayAsk: (address: string) => boolean;
  /** At most once per source, reason and period. */
  readonly onRefusal: (refusal: RefusalReport<QueryRefusal>) => void;
  /** A status of the snapshot that cannot be sent. */
  readonly onProblem: (problem: SnapshotProblem) => void;
  /**
   * Gives the snapshot of this moment, called only when a query is about to be answered. The same object as the last
   * time means that nothing has changed. Without it, `setSnapshot` says what is told.
   */
  readonly snapshot?: () => FactorySnapshot;
  readonly limits?: ResponderLimits;
  readonly refusalLimits?: RefusalLimits;
}

export class Responder {
  readonly #options: ResponderOptions;
  readonly #limits: ResponderLimits;
  readonly #refusals: RefusalLog<QueryRefusal>;
  readonly #sources: BoundedMap<TokenBucket>;
  readonly #received = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  #total: TokenBucket | null = null;
  #replies: Replies | null = null;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#limits = options.limits ?? RESPONDER_LIMITS;
    this.#refusals = new RefusalLog(options.onRefusal, options.refusalLimits ?? REFUSAL_LIMITS);
    this.#sources = new BoundedMap(this.#limits.maxSources);
  }

  /** What is told from now on. */
  setSnapshot(snapshot: FactorySnapshot): void {
    this.#replies = new Replies(snapshot, this.#options.onProblem, this.#replies);
  }

  /** Refused queries so far, by reason. */
  get refusalCounts(): ReadonlyMap<QueryRefusal, number> {
    return this.#refusals.counts;
  }

  get counts(): DatagramCounts {
    return { received: this.#received, sent: this.#sent, refused: this.#refusals.counts };
  }

  /**
   * The datagrams to send back to where `datagram` came from; none if it is refused.
   *
   * @param nowMs any steady clock
   * @param timeSeconds Unix time, what the answers say as `time_sent`
   */
  answer(datagram: Uint8Array, address: string, nowMs: number, timeSeconds: number): Uint8Array[] {
    const refuse = (reason: QueryRefusal, field?: string): [] => {
      this.#refusals.add(address, reason, nowMs, field ?? null);
      return [];
    };
    // First, so that strangers cost next to nothing.
    if (!this.#options.mayAsk(address)) return refuse('stranger');
    const decoded = decode(datagram);
    if (!decoded.ok) return refuse(decoded.reason, decoded.field);
    const { message } = decoded;
    if (!isQuery(message)) return refuse('not-a-query');
    const replies = this.#currentReplies();
    if (replies === null) return refuse('no-snapshot');
    if (message.space !== replies.snapshot.space) return refuse('other-space');

    const { totalBytesPerSecond, totalBurstBytes, sourceBytesPerSecond, sourceBurstBytes } = this.#limits;
    this.#total ??= new TokenBucket(totalBytesPerSecond, totalBurstBytes, nowMs);
    const source = this.#sources.getOrCreate(
      address,
      () => new TokenBucket(sourceBytesPerSecond, sourceBurstBytes, nowMs),
    );
    if (!source.has(nowMs)) return refuse('source-limit');
    if (!this.#total.has(nowMs)) return refuse('total-limit');
    const datagrams = replies.datagrams(message.message_type, message.cookie, timeSeconds);
    if (datagrams === null) return refuse('too-long', 'cookie');
    const bytes = datagrams.reduce((sum, { length }) => sum + length, 0);
    source.spend(bytes);
    this.#total.spend(bytes);
    count(this.#received, message.message_type);
    count(this.#sent, STATUS_TYPE_OF[message.message_type], datagrams.length);
    return datagrams;
  }

  #currentReplies(): Replies | null {
    const { snapshot } = this.#options;
    if (snapshot !== undefined) {
      const current = snapshot();
      if (current !== this.#replies?.snapshot) this.setSnapshot(current);
    }
    return this.#replies;
  }
}
