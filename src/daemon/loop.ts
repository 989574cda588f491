/**
 * The loop: observe → decide → perform. A pass is synchronous and short: it takes a picture of what is known, decides,
 * and begins what was decided. Whatever takes time runs beside it and wakes it when done.
 */

import { decide } from '../factory/decide.js';
import type { DecisionLog } from '../factory/decision-log.js';
import { blackHole, blackHoleText } from '../factory/early-deaths.js';
import type { Plan, Standstill } from '../factory/plan.js';
import type { FactoryState } from '../factory/types.js';
import { MODELS } from '../machines/models/index.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import type { Performer } from './perform.js';

/** Waits that no event ends (backoff, shutdowntime, retries) are looked at this often. */
const TICK_SECONDS = 2;

/** Reasons for a standstill that come and go with the work of the host, or are there at each start of vacd. */
const ORDINARY: ReadonlySet<string> = new Set(['overloaded', 'io-pressure', 'space-unheard']);

const SUPPORTED_MODELS = new Set(MODELS.keys());

export class Loop {
  private timer: NodeJS.Timeout | null = null;
  private passWanted = false;
  private running = false;
  /** The standstill that the log tells of. */
  private told: Standstill | null = null;
  /** Machinetypes whose machines die early here, as the log tells. */
  private readonly toldBlackHoles = new Set<string>();

  constructor(
    private readonly memory: Memory,
    private readonly performer: Performer,
    private readonly decisions: DecisionLog,
    private readonly log: Logger,
    /** Told of each pass: what was decided, and how long that and the beginning of it took. */
    private readonly afterPass: (plan: Plan, milliseconds: number) => void,
  ) {}

  start(): void {
    this.running = true;
    this.timer = setInterval(() => this.wake(), TICK_SECONDS * 1000);
    this.wake();
  }

  stop(): void {
    this.running = false;
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** Asks for a pass soon; many wishes make one pass. Nothing comes of it before `start` or after `stop`. */
  readonly wake = (): void => {
    if (this.passWanted || !this.running) return;
    this.passWanted = true;
    setImmediate(() => {
      this.passWanted = false;
      if (this.running) this.pass();
    });
  };

  private pass(): void {
    const beganMs = performance.now();
    const state = this.memory.state(Math.floor(Date.now() / 1000), performance.now());
    const plan = decide(state, this.memory.config, Math.random, SUPPORTED_MODELS);
    this.decisions.add(plan.decisions);
    for (const action of plan.actions) this.performer.start(action);
    this.tellStandstill(plan.standstill);
    this.tellBlackHoles(state);
    try {
      this.afterPass(plan, performance.now() - beganMs);
    } catch (error) {
      // Views, the watchdog's socket: their trouble is not the factory's.
      this.log.warn(`after a pass: ${(error as Error).message}`);
    }
  }

  /** Once when a type becomes one, and once when it is over. */
  private tellBlackHoles(state: FactoryState): void {
    const told = this.toldBlackHoles;
    for (const type of this.memory.config.machinetypes) {
      const hole = blackHole(type, state);
      if (hole !== null && !told.has(type.name)) {
        told.add(type.name);
        this.log.warn(
          `${type.name}: ${blackHoleText(hole)}; fewer are started here until one lives (vac why ${type.name})`,
        );
      } else if (hole === null && told.delete(type.name)) {
        this.log.info(`${type.name}: machines no longer die early on this factory`);
      }
    }
  }

  /** Once when nothing starts any more, and once when starts go on. A host under load comes and goes: that is no news. */
  private tellStandstill(now: Standstill | null): void {
    this.memory.standstill = now;
    if (now?.code === this.told?.code || (now !== null && ORDINARY.has(now.code))) return;
    this.told = now;
    if (now !== null) this.log.warn(`nothing new starts: ${now.reason}`);
    else this.log.info('machines may start again');
  }
}
