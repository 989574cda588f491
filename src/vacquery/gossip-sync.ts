/**
 * Push-pull: what two factories do to find out what one of them missed, however long ago.
 *
 *     A ── sync: digests of settled states, hashes of spreading ones, A's states in some buckets ──► B
 *     A ◄── answer: what A missed; which buckets differ; what B missed ────────────────────────────── B
 *     A ── what B missed ──────────────────────────────────────────────────────────────────────────► B
 *
 * In a space at rest all digests are equal and the three are short. Buckets that differ are put into A's next request,
 * whoever that goes to, and requests follow each other quickly while many do: after a partition, or for a newcomer.
 */

import { type Change, changeSince, compareStamps, type Entry } from './entry.js';
import type { Knowledge } from './gossip-knowledge.js';
import type { Spreading } from './gossip-settled.js';
import {
  type BucketStamps,
  DIGEST_LETTERS,
  type IdStamp,
  KNOWN_LETTERS,
  type SyncAnswer,
  type SyncRequest,
} from './wire02.js';
import { splitChange, stampsBytes } from './wire02-encode.js';

/** Buckets, hashes and states in one request or answer. */
const MAX_DIGESTS = 256;
const MAX_KNOWN = 160;
const MAX_DIFFERING = 64;
const MAX_LACKING = 100;
const MAX_WANTED = 30;
/** Part of a request that states of differing buckets may fill: what has changed just now wants room, too. */
const STAMPS_BYTES = 400;
const BUSY_STAMPS_BYTES = 900;
/** Differences in fewer buckets than this are looked into at the usual pace: there are always some for a moment. */
const MIN_BUSY_BUCKETS = 3;
const BUSY_PART = 1 / 16;
/** Of a request without its lists. */
const REQUEST_BYTES = 60;
/** Requests whose answers are waited for. */
const MAX_OUTSTANDING = 16;

/** All that somebody does not have of a factory's entry: what is later than version `from`. */
export interface Missed {
  readonly index: number;
  readonly from: number;
}

export class Sync {
  readonly #knowledge: Knowledge;
  readonly #rng: () => number;
  /** Buckets that differed from what somebody else has, by the last answers. */
  readonly #differing = new Set<number>();
  /** Those of them that had differed before: not just because something settled a moment earlier there than here. */
  readonly #persistent = new Set<number>();
  readonly #outstanding = new Map<number, { readonly peer: number; readonly request: SyncRequest }>();
  /** Buckets that no answer has told of yet. */
  readonly #uncompared = new Set<number>();
  #nextFirst = 0;
  #wasCut = false;
  /** An answer has shown that not much is missing: what is known here is what the space knows. */
  isJoined = false;

  constructor(knowledge: Knowledge, rng: () => number) {
    this.#knowledge = knowledge;
    this.#rng = rng;
    for (let bucket = 0; bucket < this.#buckets; bucket += 1) {
      this.#differing.add(bucket);
      this.#uncompared.add(bucket);
    }
  }

  /** Much is missing: the next request should not wait. */
  get isBusy(): boolean {
    return this.#wasCut || this.#differing.size > this.#busyBuckets;
  }

  /** Something is: a look at it is worth more than another look at all. */
  get isInDoubt(): boolean {
    return this.#persistent.size > 0;
  }

  /**
   * @param peer who will be asked
   * @param room bytes that are left in the datagram
   */
  request(peer: number, nowDs: number, room: number): SyncRequest {
    const { settled } = this.#knowledge;
    settled.advance(this.#entryOf, nowDs);
    const { bits } = settled;
    const first = this.#nextFirst < this.#buckets ? this.#nextFirst : 0;
    const { count, known } = this.#knownIn(first, Math.min(this.#buckets - first, MAX_DIGESTS));
    this.#nextFirst = (first + count) % this.#buckets;
    const nonce = Math.floor(this.#rng() * 2 ** 32);
    const digests = settled.digests(bits, first, count);
    const left = room - REQUEST_BYTES - digests.length * DIGEST_LETTERS - known.length * KNOWN_LETTERS;
    const stamps = this.#stamps(this.isBusy ? BUSY_STAMPS_BYTES : STAMPS_BYTES, left);
    const request = { nonce, bits, first, digests, known, stamps };
    this.#outstanding.set(nonce, { peer, request });
    if (this.#outstanding.size > MAX_OUTSTANDING) this.#outstanding.delete(this.#outstanding.keys().next().value!);
    return request;
  }

  /** The answer to a request, and what the asker missed. `hasMore` is for the caller to set. */
  answer(request: SyncRequest, nowDs: number): { answer: SyncAnswer; missed: Missed[] } {
    const { settled, roster } = this.#knowledge;
    settled.advance(this.#entryOf, nowDs);
    const { nonce, bits, first, digests } = request;
    const ours = settled.digests(bits, first, digests.length);
    const differing: number[] = [];
    digests.forEach((digest, at) => {
      if (digest !== ours[at] && differing.length < MAX_DIFFERING) differing.push(first + at);
    });
    const missed = new Map<number, number>();
    const lacking = new Set(request.known);
    const known = new Set(request.known);
    const start = roster.bucketStart(bits, first);
    const end = roster.bucketStart(bits, first + digests.length);
    settled.eachSpreading(start, end, ({ index, hash, settledVersion, isSettled }) => {
      lacking.delete(hash);
      if (!isSettled && !known.has(hash)) missed.set(index, settledVersion);
    });
    const wanted: IdStamp[] = [];
    for (const bucket of request.stamps) this.#compare(bucket, bits, missed, wanted);
    const answer = { nonce, differing, lacking: [...lacking].slice(0, MAX_LACKING), wanted, hasMore: false };
    return { answer, missed: listed(missed) };
  }

  /** What the answerer missed; null when nothing was asked of him that this answers. */
  accept(answer: SyncAnswer, peer: number): Missed[] | null {
    const asked = this.#outstanding.get(answer.nonce);
    if (asked === undefined || asked.peer !== peer) return null;
    const { first, digests } = asked.request;
    this.#outstanding.delete(answer.nonce);
    const differing = new Set(answer.differing);
    for (let bucket = first; bucket < first + digests.length; bucket += 1) {
      this.#uncompared.delete(bucket);
      this.#persistent.delete(bucket);
      if (!differing.has(bucket)) this.#differing.delete(bucket);
      else if (this.#differing.has(bucket)) this.#persistent.add(bucket);
      else this.#differing.add(bucket);
    }
    const { roster, settled } = this.#knowledge;
    this.#wasCut = answer.hasMore;
    this.isJoined ||= !this.isBusy && this.#uncompared.size === 0;
    const missed = new Map<number, number>();
    const lacking = new Set(answer.lacking);
    if (lacking.size > 0) {
      settled.eachSpreading(0, roster.size, ({ index, hash, settledVersion }) => {
        if (lacking.has(hash)) missed.set(index, settledVersion);
      });
    }
    for (const { id, incarnation, version } of answer.wanted) {
      const index = roster.indexOfId(id);
      const entry = index < 0 ? null : this.#knowledge.entry(index);
      if (entry === null || compareStamps(entry, { incarnation, version }) <= 0) continue;
      missed.set(index, entry.incarnation === incarnation ? version : 0);
    }
    return listed(missed);
  }

  /** What is missed as changes, made one after the other as they are needed. */
  *changes(missed: readonly Missed[]): Generator<readonly [index: number, change: Change]> {
    const { roster } = this.#knowledge;
    for (const { index, from } of missed) {
      const change = changeSince(roster.ids[index]!, this.#knowledge.entry(index)!, from);
      if (change === null) continue;
      for (const part of splitChange(change, roster.names[index]!)) yield [index, part];
    }
  }

  get #buckets(): number {
    return 2 ** this.#knowledge.settled.bits;
  }

  get #busyBuckets(): number {
    return Math.max(Math.min(MIN_BUSY_BUCKETS, this.#buckets - 1), this.#buckets * BUSY_PART);
  }

  readonly #entryOf = (index: number): Entry => this.#knowledge.entry(index)!;

  /** Hashes of what is spreading in as many buckets from `first` on as they fit for. */
  #knownIn(first: number, maxBuckets: number): { count: number; known: number[] } {
    const { settled, roster } = this.#knowledge;
    const start = roster.bucketStart(settled.bits, first);
    const end = roster.bucketStart(settled.bits, first + maxBuckets);
    const spreading: Spreading[] = [];
    settled.eachSpreading(start, end, (item) => {
      if (!item.isSettled) spreading.push(item);
    });
    let count = maxBuckets;
    if (spreading.length > MAX_KNOWN) {
      spreading.sort((a, b) => a.index - b.index);
      // Up to the bucket of the first that has no room, or that bucket alone with a part of it.
      count = Math.max(1, roster.bucketOf(settled.bits, spreading[MAX_KNOWN]!.index) - first);
    }
    const last = roster.bucketStart(settled.bits, first + count);
    const known = spreading.filter(({ index }) => index < last).map(({ hash }) => hash);
    return { count, known: known.slice(0, MAX_KNOWN) };
  }

  /** Our states in some of the buckets that differ: as many as `wantedBytes` are enough for, and one at least if it fits at all. */
  #stamps(wantedBytes: number, maxBytes: number): BucketStamps[] {
    const { roster, settled } = this.#knowledge;
    const chosen: BucketStamps[] = [];
    const buckets = [...this.#differing];
    let bytes = 0;
    while (buckets.length > 0) {
      const at = Math.floor(this.#rng() * buckets.length);
      const bucket = buckets[at]!;
      buckets[at] = buckets[buckets.length - 1]!;
      buckets.pop();
      const stamps: IdStamp[] = [];
      const end = roster.bucketStart(settled.bits, bucket + 1);
      for (let index = roster.bucketStart(settled.bits, bucket); index < end; index += 1) {
        const entry = this.#knowledge.entry(index);
        if (entry === null) continue;
        stamps.push({ id: roster.ids[index]!, incarnation: entry.incarnation, version: entry.version });
      }
      bytes += stampsBytes(stamps.length, bucket);
      if (bytes > (chosen.length === 0 ? maxBytes : Math.min(wantedBytes, maxBytes))) break;
      chosen.push({ bucket, stamps });
    }
    return chosen;
  }

  /** Finds factories of a bucket of which one of us knows a later state than the other. */
  #compare({ bucket, stamps }: BucketStamps, bits: number, missed: Map<number, number>, wanted: IdStamp[]): void {
    const { roster } = this.#knowledge;
    const theirs = new Map(stamps.map((stamp) => [stamp.id, stamp]));
    const end = roster.bucketStart(bits, bucket + 1);
    for (let index = roster.bucketStart(bits, bucket); index < end; index += 1) {
      const id = roster.ids[index]!;
      const ours = this.#knowledge.entry(index) ?? NOTHING;
      const their = theirs.get(id) ?? NOTHING;
      const newer = compareStamps(ours, their);
      if (newer > 0) missed.set(index, their.incarnation === ours.incarnation ? their.version : 0);
      else if (newer < 0 && wanted.length < MAX_WANTED) {
        wanted.push({ id, incarnation: ours.incarnation, version: ours.version });
      }
    }
  }
}

function listed(missed: ReadonlyMap<number, number>): Missed[] {
  return [...missed].map(([index, from]) => ({ index, from }));
}

const NOTHING = { incarnation: 0, version: 0 };
