/**
 * Who is believed: the `factories` of the configuration and this one, in an order that does not depend on the list's.
 *
 * Factories are ordered by a hash of their names. Those whose hashes begin with the same bits form a bucket, so that two
 * factories with different lists still agree on all buckets in which their lists do not differ.
 */

import { hashText, toLetters } from './gossip-hash.js';

const ID_LETTERS = 8;
const SECOND_BASIS = 0x2f0b4c47;

export class Roster {
  /** FQDNs in lower case, ordered by hash. */
  readonly names: readonly string[];
  /** 48 bits of each name's hashes, as they are sent. */
  readonly ids: readonly string[];
  readonly hashes: Uint32Array;
  readonly #byName: ReadonlyMap<string, number>;
  readonly #byId: ReadonlyMap<string, number>;
  /** Names left out because another has the same id: once in millions of lists of a thousand. */
  readonly collisions: readonly string[];

  constructor(factories: readonly string[]) {
    const collisions: string[] = [];
    const byId = new Map<string, { name: string; id: string; hash: number }>();
    for (const name of new Set(factories.map((factory) => factory.toLowerCase()))) {
      const hash = hashText(name);
      const id = toLetters(hash * 2 ** 16 + (hashText(name, SECOND_BASIS) >>> 16), ID_LETTERS);
      if (byId.has(id)) collisions.push(name);
      else byId.set(id, { name, id, hash });
    }
    const sorted = [...byId.values()].sort((a, b) => a.hash - b.hash || (a.id < b.id ? -1 : 1));
    this.names = sorted.map(({ name }) => name);
    this.ids = sorted.map(({ id }) => id);
    this.hashes = Uint32Array.from(sorted, ({ hash }) => hash);
    this.#byName = new Map(this.names.map((name, index) => [name, index]));
    this.#byId = new Map(this.ids.map((id, index) => [id, index]));
    this.collisions = collisions;
  }

  get size(): number {
    return this.names.length;
  }

  /** -1: not in the list. */
  indexOf(factory: string): number {
    return this.#byName.get(factory) ?? this.#byName.get(factory.toLowerCase()) ?? -1;
  }

  /** -1: not in the list. */
  indexOfId(id: string): number {
    return this.#byId.get(id) ?? -1;
  }

  /** How many bits give buckets of at most `mean` factories on average. */
  bucketBits(mean: number): number {
    return Math.max(0, Math.ceil(Math.log2(this.size / mean)));
  }

  /** Index of the first factory of a bucket; of the bucket after the last: the size. */
  bucketStart(bits: number, bucket: number): number {
    const from = bucket * 2 ** (32 - bits);
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hashes[middle]! < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  bucketOf(bits: number, index: number): number {
    return Math.floor(this.hashes[index]! / 2 ** (32 - bits));
  }
}

const made = new WeakMap<readonly string[], Roster>();

/** One roster for one list: a simulation has thousands of factories with the same list of thousands. */
export function rosterOf(factories: readonly string[], own: string): Roster {
  const known = made.get(factories);
  if (known !== undefined && known.indexOf(own) >= 0) return known;
  const roster = new Roster([own, ...factories]);
  made.set(factories, roster);
  return roster;
}
