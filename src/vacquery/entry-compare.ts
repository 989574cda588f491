/** Whether what others say of an entry is what its owner said. */

import type { Change, Entry } from './entry.js';

/** Whether a change tells nothing of an entry that its owner did not say. */
export function isPartOf(change: Change, entry: Entry): boolean {
  const sameHead =
    change.head === null ||
    (entry.head !== null && change.head.version < entry.head.version) ||
    isDeepEqual(change.head, entry.head);
  return (
    sameHead &&
    change.slices.every((slice) => {
      const ours = entry.slices.find(({ machinetype }) => machinetype === slice.machinetype);
      if (ours === undefined || slice.version > ours.version) return false;
      // Use is rounded on its way.
      return slice.version < ours.version || isDeepEqual({ ...slice, decayedUse: 0 }, { ...ours, decayedUse: 0 });
    })
  );
}

function isDeepEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
