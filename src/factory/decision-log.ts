/**
 * The latest decisions, for `vac why`: a ring where a verdict that stays the same is one entry with a first and a
 * last time, so that an hour of "all processors are taken" does not push the interesting ones out.
 */

import type { Decision } from './types.js';

export interface LoggedDecision extends Decision {
  /** When this verdict was first given; `timeSeconds` is the last time. */
  readonly sinceSeconds: number;
  readonly times: number;
}

const MAX_DECISIONS_PER_SUBJECT = 20;

export class DecisionLog {
  private readonly bySlot = new Map<number, LoggedDecision[]>();
  private readonly byType = new Map<string, LoggedDecision[]>();
  private readonly latest: LoggedDecision[] = [];

  add(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      let entry: LoggedDecision | null = null;
      if (decision.slot !== null) entry = push(this.bySlot, decision.slot, decision);
      if (decision.machinetype !== null) entry = push(this.byType, decision.machinetype, decision);
      // What was done, rather than what is still not done, is what the general list is for.
      if (entry !== null && (decision.code === 'started' || decision.code === 'machine')) {
        this.latest.push(entry);
        if (this.latest.length > MAX_DECISIONS_PER_SUBJECT) this.latest.shift();
      }
    }
  }

  /** Oldest first. */
  ofSlot(slot: number): readonly LoggedDecision[] {
    return this.bySlot.get(slot) ?? [];
  }

  ofMachinetype(machinetype: string): readonly LoggedDecision[] {
    return this.byType.get(machinetype) ?? [];
  }

  /** The last verdict on each slot and machinetype, and the last things done. */
  summary(): { slots: LoggedDecision[]; machinetypes: LoggedDecision[]; done: readonly LoggedDecision[] } {
    const last = (lists: Iterable<LoggedDecision[]>) => [...lists].map((list) => list.at(-1)!);
    return {
      slots: last([...this.bySlot].sort(([a], [b]) => a - b).map(([, list]) => list)),
      machinetypes: last(this.byType.values()),
      done: this.latest,
    };
  }
}

function push<Key>(lists: Map<Key, LoggedDecision[]>, key: Key, decision: Decision): LoggedDecision {
  let list = lists.get(key);
  if (list === undefined) {
    list = [];
    lists.set(key, list);
  }
  const last = list.at(-1);
  const same =
    last !== undefined &&
    last.code === decision.code &&
    last.machine === decision.machine &&
    decision.code !== 'machine';
  const entry: LoggedDecision = same
    ? { ...decision, sinceSeconds: last.sinceSeconds, times: last.times + 1 }
    : { ...decision, sinceSeconds: decision.timeSeconds, times: 1 };
  if (same) list[list.length - 1] = entry;
  else list.push(entry);
  if (list.length > MAX_DECISIONS_PER_SUBJECT) list.shift();
  return entry;
}
