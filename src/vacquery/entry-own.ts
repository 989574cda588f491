/** This factory's own entry: compares what it is told with what it last said, and gives what differs a new version. */

import type { Entry, Head, Slice, SliceEnd } from './entry.js';
import { decayUse } from './entry.js';
import { hashText } from './gossip-hash.js';
import { MAX_SLICES } from './gossip-limits.js';
import type { OwnEntry, OwnMachinetype } from './gossip-types.js';
import { text } from './kinds.js';
import type { Instant } from './space-view.js';

/** Decisions need the code; people a few words more. */
export const MAX_MESSAGE_CHARACTERS = 64;
/** Where the predicted use is wrong by more than this part, it is sent anew; otherwise only with other changes. */
const TOLERATED_USE_ERROR = 0.02;
/** A part that has not changed for so long, and as much again at the most, is told again: what others have of it may be false. */
const REFRESH_DS = 36_000;
/** So many machinetypes that are no more are carried along before all is told anew without them. */
const MAX_EMPTY_SLICES = 64;
/** Power is rounded to this, so that sums are exact. */
const HS06_STEPS = 1000;

export class OwnEntryKeeper {
  #entry: Entry;
  readonly #startMs: number;
  readonly #halfLifeSeconds: number;
  /** Factories that all began at one moment do not all tell all again at one moment. */
  readonly #refreshDs: number;
  /** By machinetype, as told to us and as told on. */
  readonly #ends = new Map<string, { lastEnd: NonNullable<OwnMachinetype['lastEnd']>; end: SliceEnd }>();

  constructor(incarnation: number, halfLifeSeconds: number, now: Instant, factory = '') {
    this.#entry = { incarnation, version: 0, head: null, slices: [] };
    this.#halfLifeSeconds = halfLifeSeconds;
    this.#startMs = now.steadyMs;
    this.#refreshDs = REFRESH_DS + (hashText(factory) % REFRESH_DS);
  }

  get entry(): Entry {
    return this.#entry;
  }

  /** Machinetypes come and go, and an entry only grows: it is time to begin a new one. */
  get isCluttered(): boolean {
    const { slices } = this.#entry;
    return slices.length > MAX_EMPTY_SLICES && slices.filter(isEmpty).length > MAX_EMPTY_SLICES;
  }

  /** Now, on the clock of the entry. */
  clockDs(nowMs: number): number {
    return Math.floor((nowMs - this.#startMs) / 100);
  }

  /** Takes in what holds now; false when nothing of it is new. */
  update(own: OwnEntry, now: Instant): boolean {
    const nowDs = this.clockDs(now.steadyMs);
    const before = this.#entry;
    let { version, head } = before;
    const slices = [...before.slices];
    const { maxProcessors, takesMachines } = own;
    const isOld = (part: Head | Slice) => nowDs > part.changedDs + this.#refreshDs;
    const sameHead =
      head !== null && !head.left && head.maxProcessors === maxProcessors && head.takesMachines === takesMachines;
    if (head === null || !sameHead || isOld(head)) {
      version += 1;
      head = { version, changedDs: nowDs, maxProcessors, takesMachines, left: false };
    }
    const told = new Set<string>();
    for (const type of own.machinetypes) {
      told.add(type.machinetype);
      const at = slices.findIndex(({ machinetype }) => machinetype === type.machinetype);
      const known = at < 0 ? null : slices[at]!;
      const slice = this.#slice(type, nowDs, now.unixSeconds);
      if (
        known === null ? isEmpty(slice) || slices.length >= MAX_SLICES : !this.#differs(known, slice) && !isOld(known)
      ) {
        continue;
      }
      version += 1;
      slices[at < 0 ? slices.length : at] = { ...slice, version };
    }
    slices.forEach((slice, at) => {
      if (told.has(slice.machinetype) || isEmpty(slice)) return;
      version += 1;
      slices[at] = { ...emptySlice(slice.machinetype, nowDs), version };
    });
    if (version === before.version) return false;
    this.#entry = { incarnation: before.incarnation, version, head, slices };
    return true;
  }

  /** Says good-bye. */
  leave(now: Instant): void {
    const { incarnation, version, slices } = this.#entry;
    const changedDs = this.clockDs(now.steadyMs);
    const head: Head = { version: version + 1, changedDs, maxProcessors: 0, takesMachines: false, left: true };
    this.#entry = { incarnation, version: version + 1, head, slices };
  }

  /** Says all again under another incarnation: somebody else spoke in this name, say. */
  beginAnew(incarnation: number): void {
    let version = 0;
    const next = <P extends { readonly version: number }>(part: P): P => {
      version += 1;
      return { ...part, version };
    };
    const head = this.#entry.head === null ? null : next(this.#entry.head);
    const slices = this.#entry.slices.filter((slice) => !isEmpty(slice)).map(next);
    this.#entry = { incarnation, version, head, slices };
  }

  #slice(type: OwnMachinetype, nowDs: number, unixSeconds: number): Slice {
    const { machinetype, runningMachines, runningProcessors, beforeFizzle, lastEnd } = type;
    return {
      version: 0,
      changedDs: nowDs,
      machinetype,
      runningHs06: roundHs06(type.runningHs06),
      runningMachines,
      runningProcessors,
      beforeFizzle,
      end: lastEnd === null ? null : this.#end(lastEnd, machinetype, nowDs, unixSeconds),
      decayedUse: this.#halfLifeSeconds > 0 ? (type.decayedUse ?? null) : null,
    };
  }

  /** An end keeps the time that it got when it was first told: the calendar may have been set since. */
  #end(lastEnd: NonNullable<OwnMachinetype['lastEnd']>, machinetype: string, nowDs: number, unixSeconds: number) {
    const told = this.#ends.get(machinetype);
    const { timeSeconds, message, hostname } = lastEnd;
    if (
      told !== undefined &&
      told.lastEnd.timeSeconds === timeSeconds &&
      told.lastEnd.message === message &&
      told.lastEnd.hostname === hostname
    ) {
      return told.end;
    }
    const read = message === null ? null : text.read(message.slice(0, MAX_MESSAGE_CHARACTERS));
    const end: SliceEnd = {
      atDs: nowDs - Math.round(Math.max(0, unixSeconds - timeSeconds) * 10),
      message: typeof read === 'string' ? read : null,
      hostname,
    };
    this.#ends.set(machinetype, { lastEnd, end });
    return end;
  }

  #differs(known: Slice, now: Slice): boolean {
    if (
      known.runningHs06 !== now.runningHs06 ||
      known.runningMachines !== now.runningMachines ||
      known.runningProcessors !== now.runningProcessors ||
      known.beforeFizzle !== now.beforeFizzle ||
      known.end !== now.end
    ) {
      return true;
    }
    if (known.decayedUse === null || now.decayedUse === null) return known.decayedUse !== now.decayedUse;
    const seconds = (now.changedDs - known.changedDs) / 10;
    const predicted = decayUse(known.decayedUse, known.runningHs06, seconds, this.#halfLifeSeconds);
    const error = Math.abs(predicted - now.decayedUse);
    return error > 1 && error > TOLERATED_USE_ERROR * Math.max(predicted, now.decayedUse);
  }
}

export function roundHs06(hs06: number): number {
  return Math.round(hs06 * HS06_STEPS) / HS06_STEPS;
}

function isEmpty({ runningMachines, runningHs06, runningProcessors, beforeFizzle, end, decayedUse }: Slice): boolean {
  return (
    runningMachines === 0 &&
    runningHs06 === 0 &&
    runningProcessors === 0 &&
    beforeFizzle === 0 &&
    end === null &&
    (decayedUse ?? 0) === 0
  );
}

function emptySlice(machinetype: string, changedDs: number): Slice {
  return {
    version: 0,
    changedDs,
    machinetype,
    runningHs06: 0,
    runningMachines: 0,
    runningProcessors: 0,
    beforeFizzle: 0,
    end: null,
    decayedUse: null,
  };
}
