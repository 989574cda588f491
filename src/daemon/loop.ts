/**
 * The loop: observe → decide → perform. A pass is synchronous and short: it takes a picture of what is known, decides,
 * and begins what was decided. Whatever takes time runs beside it and wakes it when done.
 */

import { decide } from '../factory/decide.js';
import type { DecisionLog } from '../factory/decision-log.js';
import { MODELS } from '../machines/models/index.js';
import type { Memory } from './memory.js';
import type { Performer } from './perform.js';

/** Waits that no event ends (backoff, shutdowntime, retries) are looked at this often. */
const TICK_SECONDS = 1;

const SUPPORTED_MODELS = new Set(MODELS.keys());

export class Loop {
  private timer: NodeJS.Timeout | null = null;
  private passWanted = false;
  private running = false;

  constructor(
    private readonly memory: Memory,
    private readonly performer: Performer,
    private readonly decisions: DecisionLog,
    private readonly afterPass: () => void,
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
    const state = this.memory.state(Math.floor(Date.now() / 1000), performance.now());
    const plan = decide(state, this.memory.config, Math.random, SUPPORTED_MODELS);
    this.decisions.add(plan.decisions);
    for (const action of plan.actions) this.performer.start(action);
    this.afterPass();
  }
}
