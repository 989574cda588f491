/**
 * Which states of entries two factories may be expected to agree on. A change spreads for some seconds; until then half of
 * the space knows it and half does not, and comparing would find nothing else. So digests are of settled states: the
 * latest of each entry that is older than `settleMs` by its owner's count, which is the same for all who know it. The
 * younger ones are compared one by one, by short hashes.
 */

import type { Change, Entry } from './entry.js';
import { hashStamp } from './gossip-hash.js';
import type { Roster } from './gossip-roster.js';
import { DIGEST_MASK, KNOWN_MASK } from './wire02.js';

/** Mean number of factories in a bucket: a difference found means looking at so many. */
const BUCKET_SIZE = 16;
/** Settled changes are remembered so much longer: ages differ a little from one factory to the next. */
const LINGER_DS = 50;

interface Unsettled extends Spreading {
  hash: number;
  settledVersion: number;
  isSettled: boolean;
  /** Younger versions, the oldest first, and when each will have settled, on our clock. */
  readonly waiting: { readonly version: number; readonly settlesDs: number }[];
  /** When the last of them has. */
  lastSettlesDs: number;
}

export interface Spreading {
  readonly index: number;
  /** Of the state of the entry that is known here. */
  readonly hash: number;
  /** Up to this version all others know it, most likely; 0: none of the entry's incarnation has settled. */
  readonly settledVersion: number;
  readonly isSettled: boolean;
}

export class Settled {
  readonly bits: number;
  readonly #roster: Roster;
  readonly #settleDs: number;
  /** Hash of each entry's settled state; 0: none. */
  readonly #hashes: Uint32Array;
  readonly #digests: Uint32Array;
  readonly #unsettled = new Map<number, Unsettled>();
  /** Factories that have something to settle, or to be forgotten here, by the second in which they do. */
  readonly #due = new Map<number, number[]>();
  #nextSecond = 0;

  constructor(roster: Roster, settleMs: number) {
    this.#roster = roster;
    this.#settleDs = settleMs / 100;
    this.bits = roster.bucketBits(BUCKET_SIZE);
    this.#hashes = new Uint32Array(roster.size);
    this.#digests = new Uint32Array(2 ** this.bits);
  }

  /**
   * An entry was changed.
   *
   * @param before null: it was not known, or of another incarnation
   * @param offsetDs our clock less that of the entry
   */
  changed(index: number, before: Entry | null, entry: Entry, change: Change, offsetDs: number, nowDs: number): void {
    if (before !== null && before.version === entry.version) return;
    const from = before?.version ?? 0;
    const known = before === null ? undefined : this.#unsettled.get(index);
    const state = known ?? newState(index, from);
    state.hash = hashStamp(this.#roster.hashes[index]!, entry.incarnation, entry.version) & KNOWN_MASK;
    const parts = change.head === null ? change.slices : [...change.slices, change.head];
    const versions = parts
      .filter(({ version }) => version > from)
      .map(({ version, changedDs }) => ({ version, settlesDs: changedDs + offsetDs + this.#settleDs }));
    versions.push({ version: entry.version, settlesDs: change.changedDs + offsetDs + this.#settleDs });
    versions.sort((a, b) => a.version - b.version);
    for (const version of versions) {
      if (version.version <= (state.waiting.at(-1)?.version ?? from)) continue;
      state.waiting.push(version);
      state.lastSettlesDs = Math.max(state.lastSettlesDs, version.settlesDs);
      if (version.settlesDs > nowDs) this.#wait(index, version.settlesDs);
    }
    this.#wait(index, Math.max(nowDs, state.lastSettlesDs + LINGER_DS));
    this.#unsettled.set(index, state);
    this.#settle(index, entry, state, nowDs);
  }

  /** Nothing is known of the factory any more. */
  forget(index: number): void {
    this.#unsettled.delete(index);
    this.#setHash(index, 0);
  }

  /** Moves on to now; to be called before digests are looked at. */
  advance(entryOf: (index: number) => Entry, nowDs: number): void {
    const second = Math.floor(nowDs / 10);
    for (; this.#nextSecond < second; this.#nextSecond += 1) {
      for (const index of this.#due.get(this.#nextSecond) ?? []) {
        const state = this.#unsettled.get(index);
        if (state !== undefined) this.#settle(index, entryOf(index), state, nowDs);
      }
      this.#due.delete(this.#nextSecond);
    }
  }

  /** Settled states of `count` buckets from `first` on. */
  digests(bits: number, first: number, count: number): number[] {
    if (bits === this.bits) return Array.from(this.#digests.subarray(first, first + count));
    // Somebody with many more or fewer factories in his list.
    const digests = new Array<number>(count).fill(0);
    const end = this.#roster.bucketStart(bits, first + count);
    for (let index = this.#roster.bucketStart(bits, first); index < end; index += 1) {
      const bucket = this.#roster.bucketOf(bits, index) - first;
      digests[bucket] = (digests[bucket]! ^ this.#hashes[index]!) & DIGEST_MASK;
    }
    return digests;
  }

  /** Entries between two indexes with changes that are spreading, or were a moment ago: see `Spreading`. */
  eachSpreading(start: number, end: number, visit: (entry: Spreading) => void): void {
    for (const state of this.#unsettled.values()) if (state.index >= start && state.index < end) visit(state);
  }

  #wait(index: number, untilDs: number): void {
    const second = Math.max(this.#nextSecond, Math.floor(untilDs / 10));
    const waiting = this.#due.get(second);
    if (waiting === undefined) this.#due.set(second, [index]);
    else waiting.push(index);
  }

  #settle(index: number, entry: Entry, state: Unsettled, nowDs: number): void {
    let settled = false;
    while (state.waiting.length > 0 && state.waiting[0]!.settlesDs <= nowDs) {
      state.settledVersion = state.waiting.shift()!.version;
      settled = true;
    }
    state.isSettled = state.waiting.length === 0;
    if (settled) this.#setHash(index, hashStamp(this.#roster.hashes[index]!, entry.incarnation, state.settledVersion));
    if (state.isSettled && state.lastSettlesDs + LINGER_DS <= nowDs) this.#unsettled.delete(index);
  }

  #setHash(index: number, hash: number): void {
    const bucket = this.#roster.bucketOf(this.bits, index);
    this.#digests[bucket] = (this.#digests[bucket]! ^ this.#hashes[index]! ^ hash) & DIGEST_MASK;
    this.#hashes[index] = hash;
  }
}

function newState(index: number, settledVersion: number): Unsettled {
  return { index, hash: 0, settledVersion, isSettled: true, waiting: [], lastSettlesDs: 0 };
}
