/**
 * Superslots (SPEC 4): processors are kept together in groups of S that end at one time, so that machines with several
 * processors find them free at once. A group is the machines with one end time; it is incomplete while its processors
 * are no multiple of S.
 */

import { holdsProcessors } from './news.js';
import type { Machine } from './types.js';

/** A group that lacks processors, and until when whoever joins it may live. */
export interface IncompleteGroup {
  readonly endTimeSeconds: number;
  readonly missingProcessors: number;
}

/** What of a machine, or of a start intended in this very pass, makes a group. */
export interface GroupMember {
  readonly endTimeSeconds: number;
  readonly processors: number;
}

export function groupMembers(machines: readonly Machine[]): GroupMember[] {
  return machines
    .filter(holdsProcessors)
    .map(({ record, shutdownTimeSeconds }) => ({ endTimeSeconds: shutdownTimeSeconds, processors: record.processors }));
}

/**
 * Incomplete groups that are to be completed, the earliest end first.
 *
 * Where the processors are no multiple of S, the remainder can be part of no superslot. Groups that fit into it are
 * left as they are: were they completed, each superslot that comes free would go to them, piece by piece, and a machine
 * that needs a whole one would never find it.
 *
 * @param size processors_per_superslot; 1 = superslots are off, and no group is incomplete
 * @param remainder processors of the factory that can be part of no superslot
 */
export function incompleteGroups(members: readonly GroupMember[], size: number, remainder = 0): IncompleteGroup[] {
  const processors = new Map<number, number>();
  for (const member of members) {
    processors.set(member.endTimeSeconds, (processors.get(member.endTimeSeconds) ?? 0) + member.processors);
  }
  let left = remainder;
  return [...processors]
    .filter(([, held]) => held % size !== 0)
    .sort(([endA, heldA], [endB, heldB]) => heldB - heldA || endA - endB)
    .filter(([, held]) => {
      if (held > left) return true;
      left -= held;
      return false;
    })
    .map(([endTimeSeconds, held]) => ({ endTimeSeconds, missingProcessors: size - (held % size) }))
    .sort((a, b) => a.endTimeSeconds - b.endTimeSeconds);
}
