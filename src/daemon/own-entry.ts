/** What this factory tells the space of itself by gossip: its own news of each machinetype, and whether it takes more. */

import { refuseAllStarts } from '../factory/limits.js';
import { holdsProcessors, ownNews } from '../factory/news.js';
import type { DecisionCode } from '../factory/plan.js';
import type { FactoryState } from '../factory/types.js';
import type { OwnEntry } from '../vacquery/index.js';
import type { Memory } from './memory.js';

/** These come and go with the work of the host: told only when they last, or each host's ups and downs would be news. */
const PASSING: ReadonlySet<DecisionCode> = new Set(['overloaded', 'io-pressure']);
const PASSING_MS = 10_000;

export class OwnEntryMaker {
  private refusingSinceMs: number | null = null;

  constructor(private readonly memory: Memory) {}

  /**
   * Machines count from the moment that they are in the Memory, which is before anything of them is made.
   *
   * @param nowMs on the clock of the Memory
   */
  entry(nowSeconds: number, nowMs: number): OwnEntry {
    const { memory } = this;
    const state = memory.state(nowSeconds, nowMs);
    const held = state.machines.filter(holdsProcessors);
    const uses = memory.ownUses(nowSeconds);
    // Types that the configuration no longer has may still run or have run, and others may still have them.
    const names = new Set([
      ...memory.config.machinetypes.map(({ name }) => name),
      ...held.map(({ record }) => record.machinetype),
      ...(uses?.keys() ?? []),
    ]);
    return {
      maxProcessors: state.totalProcessors,
      takesMachines: this.takesMachines(state, nowMs),
      machinetypes: [...names].map((name) => {
        const { factory: _, ...news } = ownNews(state.factory, name, state.machines, state.lastEnds, nowSeconds);
        return uses === null ? news : { ...news, decayedUse: uses.get(name) ?? 0 };
      }),
    };
  }

  private takesMachines(state: FactoryState, nowMs: number): boolean {
    const refusal = refuseAllStarts(state, this.memory.config.settings);
    if (refusal === null) {
      this.refusingSinceMs = null;
      return true;
    }
    this.refusingSinceMs ??= nowMs;
    return PASSING.has(refusal.code) && nowMs < this.refusingSinceMs + PASSING_MS;
  }
}
