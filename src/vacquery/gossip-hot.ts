/**
 * Changes that are being spread: each is passed on some times to random peers, those passed on least first, of these the
 * newest first. A part of an entry that changes again is spread in its new state only, and what was not passed on yet
 * joins what comes of the same factory: so where there is more news than can be told, what is told is new. What others
 * pass on to us is passed on less by us, so that the spreading of a change dies out when all know it.
 */

import { type Change, changeSince, type Entry } from './entry.js';

interface Hot {
  readonly index: number;
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
  /** What is sent, in turn: one change, or more where it is too large for a datagram. Made when first needed. */
  parts: readonly Change[] | null;
  turns: number;
  timesSent: number;
}

/** What is needed of the factories to put changes together. */
export interface HotSource {
  /** Whether a change is so old that who has not heard of it finds out by comparing (gossip-sync.ts). */
  isOld(index: number, change: Change): boolean;
  entryOf(index: number): Entry;
  idOf(index: number): string;
  /** Parts that fit into a datagram each. */
  split(change: Change, index: number): readonly Change[];
}

/** So many changes that do not fit into what is left of a datagram are passed over before it is called full. */
const MAX_PASSED_OVER = 3;
/** More changes of one factory than this are spread as one: it changes faster than it is passed on. */
const MAX_PER_FACTORY = 8;

export class HotChanges {
  readonly #byFactory = new Map<number, Hot[]>();
  /** By how often they were passed on. */
  readonly #levels: readonly Set<Hot>[];
  readonly #source: HotSource;

  /** @param maxSends how often each change is passed on */
  constructor(maxSends: number, source: HotSource) {
    this.#source = source;
    this.#levels = Array.from({ length: maxSends }, () => new Set<Hot>());
  }

  /** Whether nothing is being spread. */
  get isEmpty(): boolean {
    return this.#byFactory.size === 0;
  }

  /** Changes that are being spread. */
  get count(): number {
    return this.#levels.reduce((sum, level) => sum + level.size, 0);
  }

  add(index: number, { incarnation, from, to }: Change): void {
    const known = this.#byFactory.get(index) ?? [];
    // Only where nothing between them is missing: a change says that who has all up to its beginning has all with it.
    const isWhole = this.#source.entryOf(index).version >= to;
    const joined = known.filter(
      (hot) => isWhole && hot.incarnation === incarnation && (hot.turns === 0 || known.length >= MAX_PER_FACTORY),
    );
    const first = Math.min(from, ...joined.map((hot) => hot.from));
    for (const hot of known) {
      // Its parts have changed again, or are in this one, too.
      hot.parts = null;
      if (hot.incarnation !== incarnation || (hot.from >= first && hot.to <= to)) this.#remove(hot);
    }
    const hot: Hot = { index, incarnation, from: first, to, parts: null, turns: 0, timesSent: 0 };
    this.#levels[0]!.add(hot);
    const left = this.#byFactory.get(index);
    if (left === undefined) this.#byFactory.set(index, [hot]);
    else left.push(hot);
  }

  /** Changes for which there was never room until they were old. */
  prune(): void {
    for (const level of this.#levels) {
      for (const hot of level) {
        hot.parts ??= this.#parts(hot);
        if (hot.parts.every((part) => this.#source.isOld(hot.index, part))) this.#remove(hot);
      }
    }
  }

  /** Nothing is known of the factory any more. */
  forget(index: number): void {
    for (const hot of this.#byFactory.get(index) ?? []) this.#remove(hot);
  }

  /** Somebody passed on to us what we pass on: one time less is left to us. */
  heardAgain(index: number, { incarnation, from, to }: Change): void {
    for (const hot of [...(this.#byFactory.get(index) ?? [])]) {
      if (hot.incarnation === incarnation && from <= hot.from && to >= hot.to) this.#sent(hot);
    }
  }

  /**
   * Gives changes for one datagram, those passed on least first.
   *
   * @param put whether there was room for it
   */
  take(put: (index: number, change: Change) => boolean): void {
    const taken: Hot[] = [];
    this.#offer(put, taken);
    for (const hot of taken) this.#sent(hot);
  }

  #offer(put: (index: number, change: Change) => boolean, taken: Hot[]): void {
    let passedOver = 0;
    for (const level of this.#levels) {
      for (const hot of [...level].reverse()) {
        hot.parts ??= this.#parts(hot);
        const part = hot.parts[hot.turns % hot.parts.length];
        if (part === undefined || this.#source.isOld(hot.index, part)) this.#remove(hot);
        else if (put(hot.index, part)) taken.push(hot);
        else passedOver += 1;
        if (passedOver === MAX_PASSED_OVER) return;
      }
    }
  }

  /** Nothing, where all of it has changed again: what it changed to is spread instead. */
  #parts({ index, incarnation, from, to }: Hot): readonly Change[] {
    const entry = this.#source.entryOf(index);
    const change = entry.incarnation === incarnation ? changeSince(this.#source.idOf(index), entry, from, to) : null;
    return change === null ? [] : this.#source.split(change, index);
  }

  #sent(hot: Hot): void {
    hot.turns += 1;
    if (hot.parts !== null && hot.parts.length > 0 && hot.turns % hot.parts.length > 0) return;
    this.#levels[hot.timesSent]!.delete(hot);
    hot.timesSent += 1;
    if (hot.timesSent >= this.#levels.length) this.#remove(hot);
    else this.#levels[hot.timesSent]!.add(hot);
  }

  #remove(hot: Hot): void {
    this.#levels[hot.timesSent]?.delete(hot);
    const left = (this.#byFactory.get(hot.index) ?? []).filter((other) => other !== hot);
    if (left.length === 0) this.#byFactory.delete(hot.index);
    else this.#byFactory.set(hot.index, left);
  }
}
