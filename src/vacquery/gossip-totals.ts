/** Sums over all factories that count, kept up to date with each change: deciding costs the same in a space of any size. */

import type { MachinetypeNews } from '../factory/types.js';
import { decayUse, type Entry, type Slice, type SliceEnd } from './entry.js';
import type { DecayedUse } from './gossip-types.js';

/**
 * Ends are in whole seconds of their factories' calendars. How long ago they were is told in tenths, of which the way takes
 * some: those that are nearer to each other than this were in one second.
 */
const SAME_SECOND_DS = 5;

interface Total {
  /** Factories' slices in it; without any it is forgotten, for names come from others. */
  slices: number;
  /** In thousandths, so that sums do not drift. */
  milliHs06: number;
  machines: number;
  processors: number;
  beforeFizzle: number;
  /** Newest abort; `isAbortStale`: it has to be looked for. */
  abort: { readonly index: number; readonly end: SliceEnd } | null;
  isAbortStale: boolean;
  /** Of all factories, at `useDs`. */
  use: number;
  useDs: number;
}

/** What the sums are of. */
export interface TotalsSource {
  readonly isAbort: (message: string | null) => boolean;
  readonly halfLifeSeconds: number;
  /** All entries that count now. */
  counted(): Iterable<readonly [index: number, entry: Entry]>;
  /** Our clock less that of the entry. */
  offsetDs(index: number): number;
}

export class Totals {
  readonly #totals = new Map<string, Total>();
  readonly #source: TotalsSource;

  constructor(source: TotalsSource) {
    this.#source = source;
  }

  /** An entry that counts begins to do so (before: null), changes, or ceases to (after: null). */
  replace(index: number, before: Entry | null, after: Entry | null, nowDs: number): void {
    const old = before?.slices ?? [];
    const now = after?.slices ?? [];
    // A slice keeps its place as long as an incarnation lasts.
    for (let at = 0; at < old.length; at += 1) if (old[at] !== now[at]) this.#add(index, old[at]!, -1, nowDs);
    for (let at = 0; at < now.length; at += 1) if (old[at] !== now[at]) this.#add(index, now[at]!, 1, nowDs);
  }

  /** @param timeOf Unix seconds of a moment on our clock */
  all(timeOf: (ds: number) => number): MachinetypeNews[] {
    const news: MachinetypeNews[] = [];
    for (const [machinetype, total] of this.#totals) {
      if (total.isAbortStale) this.#findAbort(machinetype, total);
      const { milliHs06, machines, processors, beforeFizzle, abort } = total;
      news.push({
        factory: 'others',
        machinetype,
        runningHs06: milliHs06 / 1000,
        runningMachines: machines,
        runningProcessors: processors,
        beforeFizzle,
        lastEnd:
          abort === null ? null : endNews(abort.end, timeOf(abort.end.atDs + this.#source.offsetDs(abort.index))),
      });
    }
    return news;
  }

  uses(nowDs: number): DecayedUse[] {
    return [...this.#totals].map(([machinetype, total]) => {
      this.#decay(total, nowDs);
      return { machinetype, decayedUse: total.use };
    });
  }

  /** Counts use anew from all entries; between two such counts it is only carried on. */
  setUses(uses: ReadonlyMap<string, number>, nowDs: number): void {
    for (const [machinetype, total] of this.#totals) {
      total.use = uses.get(machinetype) ?? 0;
      total.useDs = nowDs;
      if (total.slices === 0 && total.use === 0) this.#totals.delete(machinetype);
    }
    for (const [machinetype, use] of uses) {
      if (!this.#totals.has(machinetype)) Object.assign(this.#total(machinetype, nowDs), { use });
    }
  }

  #add(index: number, slice: Slice, sign: 1 | -1, nowDs: number): void {
    const total = this.#total(slice.machinetype, nowDs);
    this.#decay(total, nowDs);
    total.slices += sign;
    total.milliHs06 += sign * Math.round(slice.runningHs06 * 1000);
    total.machines += sign * slice.runningMachines;
    total.processors += sign * slice.runningProcessors;
    total.beforeFizzle += sign * slice.beforeFizzle;
    const { end } = slice;
    if (total.slices === 0 && total.use === 0) this.#totals.delete(slice.machinetype);
    if (end === null) return;
    if (sign < 0) {
      if (total.abort?.index === index) total.isAbortStale = true;
    } else if (!total.isAbortStale && this.#source.isAbort(end.message)) {
      total.abort = this.#newer(total.abort, { index, end });
    }
  }

  /** As `isLater` of factory/news.ts, since all factories must take the same abort for the last. */
  #newer(known: Total['abort'], other: NonNullable<Total['abort']>): Total['abort'] {
    if (known === null) return other;
    const laterDs = this.#timeDs(other) - this.#timeDs(known);
    const isLater = Math.abs(laterDs) < SAME_SECOND_DS ? other.end.hostname > known.end.hostname : laterDs > 0;
    return isLater ? other : known;
  }

  #timeDs({ index, end }: NonNullable<Total['abort']>): number {
    return end.atDs + this.#source.offsetDs(index);
  }

  #findAbort(machinetype: string, total: Total): void {
    total.abort = null;
    total.isAbortStale = false;
    for (const [index, entry] of this.#source.counted()) {
      const end = entry.slices.find((slice) => slice.machinetype === machinetype)?.end ?? null;
      if (end !== null && this.#source.isAbort(end.message)) total.abort = this.#newer(total.abort, { index, end });
    }
  }

  #decay(total: Total, nowDs: number): void {
    const { halfLifeSeconds } = this.#source;
    if (halfLifeSeconds <= 0 || nowDs <= total.useDs) return;
    total.use = decayUse(total.use, total.milliHs06 / 1000, (nowDs - total.useDs) / 10, halfLifeSeconds);
    total.useDs = nowDs;
  }

  #total(machinetype: string, nowDs: number): Total {
    let total = this.#totals.get(machinetype);
    if (total === undefined) {
      const zero = { slices: 0, milliHs06: 0, machines: 0, processors: 0, beforeFizzle: 0, use: 0 };
      total = { ...zero, abort: null, isAbortStale: false, useDs: nowDs };
      this.#totals.set(machinetype, total);
    }
    return total;
  }
}

export function sliceNews(factory: string, slice: Slice, endSeconds: number | null): MachinetypeNews {
  return {
    factory,
    machinetype: slice.machinetype,
    runningHs06: slice.runningHs06,
    runningMachines: slice.runningMachines,
    runningProcessors: slice.runningProcessors,
    beforeFizzle: slice.beforeFizzle,
    lastEnd: slice.end === null || endSeconds === null ? null : endNews(slice.end, endSeconds),
  };
}

function endNews({ message, hostname }: SliceEnd, timeSeconds: number): MachinetypeNews['lastEnd'] {
  return { timeSeconds, message, hostname };
}
