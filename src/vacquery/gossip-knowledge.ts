/**
 * What is known of each factory of the space: its entry, when it was heard, and whether it counts. Takes in changes, from
 * us and from others, and keeps all that follows from them in step: what is being spread, what has settled, the sums.
 *
 * Everything is addressed by the factory's index in the roster. Times are tenths of a second (ds) on the steady clock.
 */

import type { MachinetypeNews } from '../factory/types.js';
import { type Change, decayUse, type Entry, mergeChange } from './entry.js';
import { Heard } from './gossip-ages.js';
import { HotChanges } from './gossip-hot.js';
import { MAX_SLICES } from './gossip-limits.js';
import type { Roster } from './gossip-roster.js';
import { Settled } from './gossip-settled.js';
import { sliceNews, Totals } from './gossip-totals.js';
import type { DecayedUse, GossipLimits, Liveness } from './gossip-types.js';
import { splitChange } from './wire02-encode.js';

export interface KnowledgeOptions {
  readonly limits: GossipLimits;
  readonly halfLifeSeconds: number;
  readonly isAbort: (message: string | null) => boolean;
  readonly intern: (factory: string, entry: Entry) => Entry;
}

export type TakeOutcome = 'news' | 'known' | 'useless';

/**
 * What fills a gap comes with the next comparison. Where nobody has it for so long, the parts beyond it were never told by
 * their owner, who could not replace them either: the entry is then learnt anew.
 */
const MAX_GAP_DS = 3_000;
/** A change is passed on so often at least, or in small spaces comparing would have to bring what loss took. */
const MIN_SENDS = 5;
/** Use is carried on between two counts from all entries. */
const RECOUNT_USE_DS = 300;
/** Sooner where a factory has become known since: nothing of its use is in what is carried on. */
const FIRST_COUNT_DS = 10;

export class Knowledge {
  readonly own: number;
  readonly heard: Heard;
  readonly hot: HotChanges;
  readonly settled: Settled;
  readonly #entries: (Entry | null)[];
  /** Our clock less that of the entry. */
  readonly #offsets: Float64Array;
  /** 1: its news are in the sums. */
  readonly #counted: Uint8Array;
  readonly #totals: Totals;
  /** Entries with parts beyond what they are known up to, and since when. */
  readonly #gaps = new Map<number, number>();
  #nowDs = 0;
  #usesCountedDs = Number.NEGATIVE_INFINITY;
  #hasUncounted = false;

  constructor(
    readonly roster: Roster,
    ownFactory: string,
    readonly options: KnowledgeOptions,
  ) {
    const { limits, halfLifeSeconds, isAbort } = options;
    this.own = roster.indexOf(ownFactory);
    this.heard = new Heard(roster);
    this.settled = new Settled(roster, limits.settleMs);
    this.hot = new HotChanges(Math.max(MIN_SENDS, Math.ceil(limits.transmitFactor * Math.log(roster.size))), {
      entryOf: (index) => this.#entries[index]!,
      idOf: (index) => roster.ids[index]!,
      isOld: (index, { changedDs }) => this.#nowDs - changedDs - this.#offsets[index]! > limits.settleMs / 100,
      split: (change, index) => splitChange(change, roster.names[index]!),
    });
    this.#entries = new Array<Entry | null>(roster.size).fill(null);
    this.#offsets = new Float64Array(roster.size);
    this.#counted = new Uint8Array(roster.size);
    this.#totals = new Totals({
      isAbort,
      halfLifeSeconds,
      counted: () => this.#countedEntries(),
      offsetDs: (index) => this.#offsets[index]!,
    });
  }

  /** Changes to pass on in one datagram; `put` says whether there was room. */
  takeHot(nowDs: number, put: (index: number, change: Change) => boolean): void {
    this.#nowDs = nowDs;
    this.hot.take(put);
  }

  entry(index: number): Entry | null {
    return this.#entries[index]!;
  }

  offsetDs(index: number): number {
    return this.#offsets[index]!;
  }

  /** How long ago a change was made, if it was made by this clock of the entry. */
  ageDs(index: number, changedDs: number, nowDs: number): number {
    return Math.max(0, nowDs - changedDs - this.#offsets[index]!);
  }

  /** Our own entry, which is nobody's to change but ours. */
  takeOwn(entry: Entry, change: Change, offsetDs: number, nowDs: number): void {
    const before = this.#entries[this.own]!;
    // Here as well, because a factory that is alone has nothing else to do.
    this.settled.advance((index) => this.#entries[index]!, nowDs);
    this.#offsets[this.own] = offsetDs;
    this.#replace(this.own, before, this.options.intern(this.roster.names[this.own]!, entry), change, nowDs);
    this.heard.note(this.own, nowDs);
  }

  /** Another's change, made `ageDs` ago. `useless`: it belongs to an incarnation whose beginning has not been heard yet. */
  take(index: number, change: Change, ageDs: number, nowDs: number): TakeOutcome {
    const before = this.#entries[index]!;
    // Most of what comes is known: others spread it, too.
    if (before !== null && before.incarnation === change.incarnation && before.version >= change.to) {
      this.hot.heardAgain(index, change);
      return 'known';
    }
    const merged = mergeChange(before, change);
    if (merged === null || merged.entry.slices.length > MAX_SLICES) return 'useless';
    // However it got here, the owner lived when it was made.
    this.noteHeard(index, Math.max(0, nowDs - ageDs), nowDs);
    if (!merged.isNews) {
      this.hot.heardAgain(index, change);
      return 'known';
    }
    this.#offsets[index] = nowDs - ageDs - change.changedDs;
    this.#replace(index, before, this.options.intern(this.roster.names[index]!, merged.entry), change, nowDs);
    return 'news';
  }

  /** Takes over what another roster's knowledge has of a factory. */
  adopt(index: number, other: Knowledge, otherIndex: number, nowDs: number): void {
    const entry = other.#entries[otherIndex]!;
    this.heard.note(index, other.heard.times[otherIndex]!);
    if (entry === null) return;
    const { incarnation, version: to, head, slices } = entry;
    const changedDs = newestDs(entry);
    const change: Change = { id: this.roster.ids[index]!, incarnation, from: 0, to, changedDs, head, slices };
    this.#offsets[index] = other.#offsets[otherIndex]!;
    this.#entries[index] = entry;
    this.#noteGap(index, entry, true, nowDs);
    this.settled.changed(index, null, entry, change, this.#offsets[index]!, nowDs);
    this.#count(index, nowDs);
  }

  noteHeard(index: number, atDs: number, nowDs: number): void {
    if (this.heard.note(index, Math.min(atDs, nowDs))) this.recount(index, nowDs);
  }

  /** Younger evidence of a factory's life has come. */
  recount(index: number, nowDs: number): void {
    if (this.#counted[index] === 0) this.#count(index, nowDs);
  }

  liveness(index: number, nowDs: number): Liveness {
    if (this.#entries[index]?.head?.left) return 'left';
    const heardDs = this.heard.times[index]!;
    if (heardDs === 0) return 'unheard';
    const { suspectSeconds, expirySeconds } = this.options.limits;
    const age = nowDs - heardDs;
    if (age > expirySeconds * 10) return 'expired';
    return age > suspectSeconds * 10 ? 'suspect' : 'alive';
  }

  /** All that is known of a factory but when it was heard; others will tell it again. */
  forget(index: number, nowDs: number): void {
    this.#gaps.delete(index);
    this.hot.forget(index);
    this.settled.forget(index);
    if (this.#counted[index] === 1) this.#totals.replace(index, this.#entries[index]!, null, nowDs);
    this.#counted[index] = 0;
    this.#entries[index] = null;
  }

  /** Looks for factories that have expired, and for changes that have settled; to be called every few seconds. */
  sweep(nowDs: number): void {
    this.#nowDs = nowDs;
    this.hot.prune();
    for (const [index, sinceDs] of this.#gaps) if (nowDs > sinceDs + MAX_GAP_DS) this.forget(index, nowDs);
    this.settled.advance((index) => this.#entries[index]!, nowDs);
    const oldestDs = nowDs - this.options.limits.expirySeconds * 10;
    const { times } = this.heard;
    for (let index = 0; index < times.length; index += 1) {
      if (this.#counted[index] === 1 && times[index]! < oldestDs) this.#count(index, nowDs);
    }
  }

  /** @param timeOf Unix seconds of a moment on our clock */
  totals(timeOf: (ds: number) => number): MachinetypeNews[] {
    return this.#totals.all(timeOf);
  }

  decayedUses(nowDs: number): DecayedUse[] {
    const { halfLifeSeconds } = this.options;
    if (halfLifeSeconds <= 0) return [];
    if (nowDs >= this.#usesCountedDs + (this.#hasUncounted ? FIRST_COUNT_DS : RECOUNT_USE_DS)) {
      this.#hasUncounted = false;
      this.#usesCountedDs = nowDs;
      this.#totals.setUses(this.#countUses(nowDs, halfLifeSeconds), nowDs);
    }
    return this.#totals.uses(nowDs);
  }

  /** A factory's news, if it counts now. */
  news(index: number, timeOf: (ds: number) => number): MachinetypeNews[] {
    const entry = this.#entries[index]!;
    if (entry === null || this.#counted[index] === 0) return [];
    return entry.slices.map((slice) =>
      sliceNews(
        this.roster.names[index]!,
        slice,
        slice.end === null ? null : timeOf(slice.end.atDs + this.#offsets[index]!),
      ),
    );
  }

  #replace(index: number, before: Entry | null, entry: Entry, change: Change, nowDs: number): void {
    this.#entries[index] = entry;
    if (before === null) this.#hasUncounted = true;
    const sameLife = before !== null && before.incarnation === entry.incarnation ? before : null;
    this.settled.changed(index, sameLife, entry, change, this.#offsets[index]!, nowDs);
    this.#noteGap(index, entry, change.from > (sameLife?.version ?? 0), nowDs);
    // What was known before is not spread again.
    this.hot.add(index, { ...change, from: Math.max(change.from, Math.min(sameLife?.version ?? 0, change.to - 1)) });
    if (this.#counted[index] === 1) this.#totals.replace(index, before, entry, nowDs);
    this.#count(index, nowDs);
  }

  #noteGap(index: number, { version, head, slices }: Entry, mayBeNew: boolean, nowDs: number): void {
    if (!mayBeNew && !this.#gaps.has(index)) return;
    const hasGap = (head?.version ?? 0) > version || slices.some((slice) => slice.version > version);
    if (!hasGap) this.#gaps.delete(index);
    else if (!this.#gaps.has(index)) this.#gaps.set(index, nowDs);
  }

  /** Has a factory's news in the sums if, and only if, it is to count. */
  #count(index: number, nowDs: number): void {
    if (index === this.own) return;
    const entry = this.#entries[index]!;
    const liveness = this.liveness(index, nowDs);
    const counts = entry !== null && (liveness === 'alive' || liveness === 'suspect');
    if (counts === (this.#counted[index] === 1)) return;
    this.#counted[index] = counts ? 1 : 0;
    if (counts) this.#totals.replace(index, null, entry, nowDs);
    else this.#totals.replace(index, entry, null, nowDs);
  }

  *#countedEntries(): Generator<readonly [number, Entry]> {
    for (let index = 0; index < this.#entries.length; index += 1) {
      if (this.#counted[index] === 1) yield [index, this.#entries[index]!];
    }
  }

  /** What ran has run until it was last heard, where a factory has expired. */
  #countUses(nowDs: number, halfLifeSeconds: number): Map<string, number> {
    const uses = new Map<string, number>();
    this.#entries.forEach((entry, index) => {
      if (entry === null || index === this.own) return;
      for (const { machinetype, decayedUse, runningHs06, changedDs } of entry.slices) {
        if (decayedUse === null) continue;
        const changed = changedDs + this.#offsets[index]!;
        const ranUntil = this.#counted[index] === 1 ? nowDs : Math.max(changed, this.heard.times[index]!);
        const use = decayUse(decayedUse, runningHs06, (ranUntil - changed) / 10, halfLifeSeconds);
        const now = decayUse(use, 0, (nowDs - ranUntil) / 10, halfLifeSeconds);
        uses.set(machinetype, (uses.get(machinetype) ?? 0) + now);
      }
    });
    return uses;
  }
}

export function newestDs({ head, slices }: Entry): number {
  let newest = head?.changedDs ?? 0;
  for (const { changedDs } of slices) newest = Math.max(newest, changedDs);
  return newest;
}
