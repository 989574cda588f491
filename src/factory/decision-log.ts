/**
 * The latest decisions, for `vac why`: a ring where a verdict that stays the same is one entry with a first and a
 * last time, so that an hour of "all processors are taken" does not push the interesting ones out.
 */

import type { Decision } from './plan.js';

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
      if (decision.slot !== null) push(listOf(this.bySlot, decision.slot), decision);
      if (decision.machinetype !== null) push(listOf(this.byType, decision.machinetype), decision);
      // What was done, rather than what is still not done, is what the general list is for.
      if (isDeed(decision)) push(this.latest, decision);
    }
  }

  /** Oldest first. */
  ofSlot(slot: number): readonly LoggedDecision[] {
    return this.bySlot.get(slot) ?? [];
  }

  ofMachinetype(machinetype: string): readonly LoggedDecision[] {
    return this.byType.get(machinetype) ?? [];
  }

  /** Those that a question is about; none, when it is about nothing. */
  about({ slot, machinetype }: { readonly slot?: number; readonly machinetype?: string }): readonly LoggedDecision[] {
    if (slot !== undefined) return this.ofSlot(slot);
    return machinetype === undefined ? [] : this.ofMachinetype(machinetype);
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

function listOf<Key>(lists: Map<Key, LoggedDecision[]>, key: Key): LoggedDecision[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}

function push(list: LoggedDecision[], decision: Decision): void {
  const last = list.at(-1);
  if (last !== undefined && isSame(last, decision)) {
    list[list.length - 1] = { ...decision, sinceSeconds: last.sinceSeconds, times: last.times + 1 };
    return;
  }
  list.push({ ...decision, sinceSeconds: decision.timeSeconds, times: 1 });
  if (list.length > MAX_DECISIONS_PER_SUBJECT) list.shift();
}

/** Something done, as opposed to a verdict on what is not. */
function isDeed(decision: Decision): boolean {
  return decision.code === 'started' || decision.code === 'machine';
}

/** A verdict stays the same while its code does; a deed is the same only when it is done to the same thing again. */
function isSame(last: LoggedDecision, decision: Decision): boolean {
  if (last.code !== decision.code) return false;
  if (!isDeed(decision)) return true;
  return last.machine === decision.machine && last.slot === decision.slot && last.reason === decision.reason;
}
