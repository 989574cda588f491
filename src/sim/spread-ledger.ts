/**
 * All changes of all factories' entries, and what one factory knows of them at a time: everything but the changes that
 * have not reached it yet. When one reaches it is not an event but drawn, by a hash of both, when it is asked for: so a
 * change costs the same in a space of ten as of ten thousand.
 */

import { isAbort } from '../factory/outcome.js';
import type { MachinetypeNews } from '../factory/types.js';
import { delayAt } from './spread-delays.js';

interface Change {
  readonly atMs: number;
  readonly factory: number;
  readonly type: number;
  /** Decides with the viewer's number when it arrives there. */
  readonly serial: number;
  readonly power: number;
  readonly machines: number;
  readonly processors: number;
  readonly young: number;
}

/** A type's last end at a factory that tells of no work, and from when to when it tells so. */
interface Abort {
  readonly factory: number;
  readonly serial: number;
  readonly atMs: number;
  /** On the simulation's clock. */
  readonly endSeconds: number;
  readonly message: string | null;
  readonly hostname: string;
  untilMs: number;
  untilSerial: number;
}

interface Total {
  power: number;
  machines: number;
  processors: number;
  young: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** Aborts of a type that are kept in order, the newest first. */
const MAX_ABORTS = 64;

export class SpreadLedger {
  readonly #totals: Total[];
  readonly #aborts: Abort[][];
  #recent: Change[] = [];
  #serial = 0;
  readonly #longestMs: number;

  /** @param delays quantiles, seconds */
  constructor(
    private readonly names: readonly string[],
    private readonly delays: readonly number[],
  ) {
    this.#totals = names.map(() => ({ power: 0, machines: 0, processors: 0, young: 0 }));
    this.#aborts = names.map(() => []);
    this.#longestMs = (delays.at(-1) ?? 0) * 1000;
  }

  /** @param clockAheadSeconds of the factory, to be taken off the times that it tells */
  change(
    factory: number,
    before: readonly MachinetypeNews[] | null,
    after: readonly MachinetypeNews[] | null,
    nowMs: number,
    clockAheadSeconds: number,
  ): void {
    // What changed together arrives together: a machine that has ended, and how it did.
    this.#serial += 1;
    for (let type = 0; type < this.names.length; type += 1) {
      const old = before?.[type];
      const now = after?.[type];
      this.#changeSums(factory, type, old, now, nowMs);
      if (!isSameEnd(old?.lastEnd, now?.lastEnd)) this.#changeAbort(factory, type, now, nowMs, clockAheadSeconds);
    }
  }

  /** What everybody knows from the beginning. */
  seed(factory: number, news: readonly MachinetypeNews[], clockAheadSeconds: number): void {
    this.change(factory, null, news, Number.NEGATIVE_INFINITY, clockAheadSeconds);
    this.#recent = [];
  }

  /** What one factory knows of all others. */
  view(viewer: number, own: readonly MachinetypeNews[], nowMs: number, clockAheadSeconds: number): MachinetypeNews[] {
    this.#forget(nowMs);
    const sums = this.#totals.map((total) => ({ ...total }));
    const settled = new Set<number>();
    for (let at = this.#recent.length - 1; at >= 0; at -= 1) {
      const change = this.#recent[at]!;
      if (change.factory === viewer) continue;
      const part = change.factory * this.names.length + change.type;
      if (settled.has(part)) continue;
      // Who knows a later state of a part knows, or no longer needs, the earlier ones.
      if (this.#reached(viewer, change.serial, change.atMs, nowMs)) settled.add(part);
      else subtract(sums[change.type]!, change);
    }
    return sums.map((sum, type) => {
      const mine = own[type]!;
      const abort = this.#newestAbort(viewer, type, nowMs);
      return {
        factory: 'others',
        machinetype: this.names[type]!,
        runningHs06: Math.max(0, sum.power - mine.runningHs06),
        runningMachines: sum.machines - mine.runningMachines,
        runningProcessors: sum.processors - mine.runningProcessors,
        beforeFizzle: sum.young - mine.beforeFizzle,
        lastEnd:
          abort === null
            ? null
            : {
                timeSeconds: Math.round(abort.endSeconds + clockAheadSeconds),
                message: abort.message,
                hostname: abort.hostname,
              },
      };
    });
  }

  #changeSums(
    factory: number,
    type: number,
    old: MachinetypeNews | undefined,
    now: MachinetypeNews | undefined,
    nowMs: number,
  ) {
    const difference = (of: (news: MachinetypeNews) => number) => (now ? of(now) : 0) - (old ? of(old) : 0);
    const change: Change = {
      atMs: nowMs,
      factory,
      type,
      serial: this.#serial,
      power: difference(({ runningHs06 }) => runningHs06),
      machines: difference(({ runningMachines }) => runningMachines),
      processors: difference(({ runningProcessors }) => runningProcessors),
      young: difference(({ beforeFizzle }) => beforeFizzle),
    };
    if (change.power === 0 && change.machines === 0 && change.processors === 0 && change.young === 0) return;
    const total = this.#totals[type]!;
    total.power += change.power;
    total.machines += change.machines;
    total.processors += change.processors;
    total.young += change.young;
    this.#recent.push(change);
  }

  #changeAbort(
    factory: number,
    type: number,
    now: MachinetypeNews | undefined,
    nowMs: number,
    clockAheadSeconds: number,
  ): void {
    const aborts = this.#aborts[type]!;
    const serial = this.#serial;
    for (const abort of aborts) {
      if (abort.factory !== factory || abort.untilMs !== NEVER) continue;
      abort.untilMs = nowMs;
      abort.untilSerial = serial;
    }
    const end = now?.lastEnd ?? null;
    if (end === null || !isAbort(end.message)) return;
    const endSeconds = end.timeSeconds - clockAheadSeconds;
    aborts.push({
      factory,
      serial,
      atMs: nowMs,
      endSeconds,
      message: end.message,
      hostname: end.hostname,
      untilMs: NEVER,
      untilSerial: 0,
    });
    aborts.sort((a, b) => b.endSeconds - a.endSeconds || a.serial - b.serial);
    if (aborts.length > MAX_ABORTS) aborts.length = MAX_ABORTS;
  }

  #newestAbort(viewer: number, type: number, nowMs: number): Abort | null {
    for (const abort of this.#aborts[type]!) {
      if (abort.factory === viewer || !this.#reached(viewer, abort.serial, abort.atMs, nowMs)) continue;
      const isOver = abort.untilMs !== NEVER && this.#reached(viewer, abort.untilSerial, abort.untilMs, nowMs);
      if (!isOver) return abort;
    }
    return null;
  }

  #reached(viewer: number, serial: number, atMs: number, nowMs: number): boolean {
    const ageMs = nowMs - atMs;
    return ageMs >= this.#longestMs || ageMs >= delayAt(this.delays, uniform(viewer, serial)) * 1000;
  }

  /** Drops what has reached everybody. */
  #forget(nowMs: number): void {
    const oldestMs = nowMs - this.#longestMs;
    if (this.#recent.length > 0 && this.#recent[0]!.atMs <= oldestMs) {
      let known = 0;
      while (known < this.#recent.length && this.#recent[known]!.atMs <= oldestMs) known += 1;
      // Now and then, and not one by one.
      if (known > 64 || known === this.#recent.length) this.#recent = this.#recent.slice(known);
    }
    this.#aborts.forEach((aborts, type) => {
      if (aborts.some(({ untilMs }) => untilMs <= oldestMs)) {
        this.#aborts[type] = aborts.filter(({ untilMs }) => untilMs > oldestMs);
      }
    });
  }
}

type End = MachinetypeNews['lastEnd'] | undefined;

function isSameEnd(one: End, other: End): boolean {
  return (
    one?.timeSeconds === other?.timeSeconds && one?.message === other?.message && one?.hostname === other?.hostname
  );
}

function subtract(sum: Total, { power, machines, processors, young }: Change): void {
  sum.power -= power;
  sum.machines -= machines;
  sum.processors -= processors;
  sum.young -= young;
}

/** In [0, 1), the same for the same viewer and change. */
function uniform(viewer: number, serial: number): number {
  let mixed = Math.imul(viewer + 1, 0x9e3779b1) ^ Math.imul(serial, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0x27d4eb2f);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}
