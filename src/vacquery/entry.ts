/**
 * What a factory tells the space of itself: its entry, made of parts that are sent one by one when they change.
 *
 * Only its owner changes an entry. Each part (a head, and one slice for each machinetype) has the version at which it
 * last changed, and no two parts have the same; the entry's version is that of its newest part. All times in an entry are
 * tenths of a second (ds) on a clock of the owner's that begins with the incarnation and is never set, so an owner whose
 * calendar is wrong is understood all the same: whoever passes the entry on says how long ago a change was made.
 *
 * Everything here is immutable, and shared freely.
 */

/** `left`: the factory said good-bye, none of its slices counts any more. */
export interface Head {
  readonly version: number;
  readonly changedDs: number;
  readonly maxProcessors: number;
  readonly takesMachines: boolean;
  readonly left: boolean;
}

export interface Slice {
  readonly version: number;
  readonly changedDs: number;
  readonly machinetype: string;
  readonly runningHs06: number;
  readonly runningMachines: number;
  readonly runningProcessors: number;
  readonly beforeFizzle: number;
  readonly end: SliceEnd | null;
  /** At `changedDs`; null: no history is kept. */
  readonly decayedUse: number | null;
}

/** How the type's most recently created machine that has finished ended. */
export interface SliceEnd {
  readonly atDs: number;
  readonly message: string | null;
  readonly hostname: string;
}

/**
 * An entry as it is known somewhere: all its parts up to `version` in their latest state. Parts with higher versions may
 * be there as well, where something between was lost.
 */
export interface Entry {
  readonly incarnation: number;
  readonly version: number;
  readonly head: Head | null;
  readonly slices: readonly Slice[];
}

/** Which state of an entry is meant. */
export interface Stamped {
  readonly incarnation: number;
  readonly version: number;
}

/** All parts of an entry that last changed after version `from` and up to `to`. */
export interface Change {
  /** The factory's, see `Roster`. */
  readonly id: string;
  readonly incarnation: number;
  readonly from: number;
  readonly to: number;
  /** When the newest of its parts changed. */
  readonly changedDs: number;
  readonly head: Head | null;
  readonly slices: readonly Slice[];
}

export interface Merged {
  readonly entry: Entry;
  /** Some part was newer than what was known, or something that was missing is there now. */
  readonly isNews: boolean;
}

/**
 * An entry with a change taken in; the same entry where the change brings nothing. Never goes back to an older state,
 * whatever the order in which changes arrive. The beginning of a later incarnation replaces all of an earlier one; its
 * later parts are of no use without it, and null is given.
 */
export function mergeChange(known: Entry | null, change: Change): Merged | null {
  if (known === null || change.incarnation > known.incarnation) {
    if (change.from !== 0) return null;
    const { incarnation, to: version, head, slices } = change;
    return { entry: { incarnation, version, head, slices }, isNews: true };
  }
  if (change.incarnation < known.incarnation) return { entry: known, isNews: false };
  let slices: Slice[] | null = null;
  for (const slice of change.slices) {
    const at = known.slices.findIndex(({ machinetype }) => machinetype === slice.machinetype);
    if (at >= 0 && known.slices[at]!.version >= slice.version) continue;
    slices ??= [...known.slices];
    if (at >= 0) slices[at] = slice;
    else slices.push(slice);
  }
  const newHead = change.head !== null && (known.head === null || change.head.version > known.head.version);
  const closes = change.from <= known.version && change.to > known.version;
  if (slices === null && !newHead && !closes) return { entry: known, isNews: false };
  const entry: Entry = {
    incarnation: known.incarnation,
    version: closes ? change.to : known.version,
    head: newHead ? change.head : known.head,
    slices: slices ?? known.slices,
  };
  return { entry, isNews: true };
}

/**
 * What to send of an entry to one who has all up to `from`; null when there is nothing. The change says of itself that it
 * serves those as well who have less, as far as nothing is left of the versions between.
 */
export function changeSince(id: string, entry: Entry, from: number, to: number = entry.version): Change | null {
  const slices: Slice[] = [];
  let changedDs = 0;
  let lastBefore = 0;
  const isWanted = (part: Head | Slice): boolean => {
    if (part.version <= from) lastBefore = Math.max(lastBefore, part.version);
    if (part.version <= from || part.version > to) return false;
    changedDs = Math.max(changedDs, part.changedDs);
    return true;
  };
  for (const slice of entry.slices) if (isWanted(slice)) slices.push(slice);
  const head = entry.head !== null && isWanted(entry.head) ? entry.head : null;
  if (slices.length === 0 && head === null) return null;
  const isComplete = to <= entry.version;
  return { id, incarnation: entry.incarnation, from: isComplete ? lastBefore : from, to, changedDs, head, slices };
}

/** Positive: the first is the later state. */
export function compareStamps(one: Stamped, other: Stamped): number {
  return one.incarnation - other.incarnation || one.version - other.version;
}

/** Processors of an entry that are free for machines; 0 while it starts none. */
export function freeProcessors({ head, slices }: Entry): number | null {
  if (head === null) return null;
  if (!head.takesMachines) return 0;
  return Math.max(0, head.maxProcessors - slices.reduce((sum, slice) => sum + slice.runningProcessors, 0));
}

/**
 * Use after more time: what there was halves every `halfLifeSeconds`, and what runs adds to it.
 *
 * @param use HS06 × seconds
 */
export function decayUse(use: number, runningHs06: number, seconds: number, halfLifeSeconds: number): number {
  const kept = 2 ** (-seconds / halfLifeSeconds);
  return use * kept + ((runningHs06 * halfLifeSeconds) / Math.LN2) * (1 - kept);
}
