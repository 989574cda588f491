/** What the parts of a simulation share: time, the scenario, and those who look on. */

import type { Config } from '../config/types.js';
import type { Plan } from '../factory/plan.js';
import type { FactoryState, MachineRecord, MachinetypeNews } from '../factory/types.js';
import type { VirtualClock } from '../vacquery/virtual-clock.js';
import type { SpacePolicy } from './policy.js';
import type { Scenario } from './scenario.js';
import type { Trace } from './trace.js';
import type { WorkQueue } from './work.js';

export interface World {
  readonly scenario: Scenario;
  readonly clock: VirtualClock;
  readonly trace: Trace;
  readonly policy: SpacePolicy;
  readonly queues: ReadonlyMap<string, WorkQueue>;
  readonly watchers: Watchers;
  /** Machines made so far in the whole run, and one more with each call. */
  nextSerial(): number;
}

/** Those who measure and check; none of them changes anything. */
export interface Watchers {
  onPass(factory: number, state: FactoryState, plan: Plan, config: Config): void;
  /** What a factory says of its own machinetypes has changed; while its vacd is dead nobody says anything. */
  onOwnNews(factory: number, news: readonly MachinetypeNews[]): void;
  onUp(factory: number, isUp: boolean): void;
  onLooked(factory: number, record: MachineRecord, found: boolean): void;
  onStart(factory: number, record: MachineRecord): void;
}
