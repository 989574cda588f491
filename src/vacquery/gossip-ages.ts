/**
 * When each factory was last heard, by us or by anybody who told us: how the space knows who lives, without probing.
 *
 * Every datagram proves that its sender lives, and every datagram may carry, for many factories, how long ago the sender
 * knows each to have been heard. The youngest age wins, so evidence spreads like news does, at one letter for a factory.
 * Ages are rounded up at each hop: evidence never gets younger on its way, and a dead factory stays dead. No clock is
 * compared with another.
 */

import { MAX_LETTER_VALUE, scramble } from './gossip-hash.js';
import type { Roster } from './gossip-roster.js';
import { type AgeBucket, type AgeWindow, DIGEST_MASK } from './wire02.js';
import { ageBucketBytes, ageFrameBytes } from './wire02-encode.js';

/** Never heard, or too long ago to be told. */
export const CODE_UNKNOWN = MAX_LETTER_VALUE;
/** Full seconds up to this, then each code is 7 % more than the one before; the last is six minutes and a half. */
const FINE_CODES = 16;
const CODE_GROWTH = 1.07;
/** Buckets of the age windows: small ones, so that a difference between lists spoils little. */
const BUCKET_SIZE = 64;

/** Age that each code stands for. */
export const AGE_OF_CODE_DS: readonly number[] = Array.from({ length: CODE_UNKNOWN }, (_, code) =>
  Math.round(code < FINE_CODES ? code * 10 : FINE_CODES * 10 * CODE_GROWTH ** (code - FINE_CODES)),
);
const MAX_AGE_DS = AGE_OF_CODE_DS[CODE_UNKNOWN - 1]!;
/** The smallest code that is no younger than an age in ds. */
const CODE_OF_AGE = new Uint8Array(MAX_AGE_DS + 1);
for (let age = 0, code = 0; age <= MAX_AGE_DS; age += 1) {
  if (age > AGE_OF_CODE_DS[code]!) code += 1;
  CODE_OF_AGE[age] = code;
}

export class Heard {
  /** When each factory was heard, on our clock in ds; 0: never. */
  readonly times: Uint32Array;
  readonly #roster: Roster;
  readonly #bits: number;
  readonly #checks = new Map<number, number>();
  #nextBucket = 0;

  constructor(roster: Roster) {
    this.#roster = roster;
    this.times = new Uint32Array(roster.size);
    this.#bits = roster.bucketBits(BUCKET_SIZE);
  }

  /** Evidence of a time in the past; false when younger evidence is there. */
  note(index: number, atDs: number): boolean {
    if (atDs <= this.times[index]!) return false;
    this.times[index] = atDs;
    return true;
  }

  /** As many buckets as fit into `maxBytes`, another part of the space each time; null when there is no room. */
  window(nowDs: number, maxBytes: number): AgeWindow | null {
    const buckets: AgeBucket[] = [];
    const count = 2 ** this.#bits;
    const first = this.#nextBucket;
    let bytes = ageFrameBytes(this.#bits, first);
    for (let bucket = first; bucket < count; bucket += 1) {
      const start = this.#roster.bucketStart(this.#bits, bucket);
      const end = this.#roster.bucketStart(this.#bits, bucket + 1);
      bytes += ageBucketBytes(end - start);
      if (bytes > maxBytes) break;
      const codes = new Uint8Array(end - start);
      for (let index = start; index < end; index += 1) codes[index - start] = this.#code(index, nowDs);
      buckets.push({ check: this.#check(this.#bits, bucket, start, end), codes });
    }
    if (buckets.length === 0) {
      // A bucket that never fits must not keep the others from being sent.
      if (maxBytes > LARGE_WINDOW_BYTES) this.#nextBucket = (first + 1) % count;
      return null;
    }
    this.#nextBucket = (first + buckets.length) % count;
    return { bits: this.#bits, first, buckets };
  }

  /** Takes in what somebody else knows; calls `onYounger` for each factory of which that is younger evidence. */
  merge(window: AgeWindow, nowDs: number, onYounger: (index: number) => void): void {
    window.buckets.forEach(({ check, codes }, offset) => {
      const bucket = window.first + offset;
      const start = this.#roster.bucketStart(window.bits, bucket);
      const end = this.#roster.bucketStart(window.bits, bucket + 1);
      if (end - start !== codes.length || check !== this.#check(window.bits, bucket, start, end)) return;
      const { times } = this;
      for (let at = 0; at < codes.length; at += 1) {
        const code = codes[at]!;
        if (code >= CODE_UNKNOWN) continue;
        const heardDs = nowDs - AGE_OF_CODE_DS[code]!;
        if (heardDs <= times[start + at]!) continue;
        times[start + at] = heardDs;
        onYounger(start + at);
      }
    });
  }

  #code(index: number, nowDs: number): number {
    const heardDs = this.times[index]!;
    if (heardDs === 0) return CODE_UNKNOWN;
    const age = Math.max(0, nowDs - heardDs);
    return age > MAX_AGE_DS ? CODE_UNKNOWN : CODE_OF_AGE[age]!;
  }

  #check(bits: number, bucket: number, start: number, end: number): number {
    const key = bits * 2 ** 21 + bucket;
    const known = this.#checks.get(key);
    if (known !== undefined) return known;
    let check = 0;
    for (let index = start; index < end; index += 1) check = scramble(check ^ this.#roster.hashes[index]!);
    check &= DIGEST_MASK;
    // Others' buckets may be cut differently; of strange cuts nothing is kept.
    if (bits === this.#bits) this.#checks.set(key, check);
    return check;
  }
}

const LARGE_WINDOW_BYTES = 600;
