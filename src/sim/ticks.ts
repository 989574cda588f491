/**
 * When a daemon's loop runs although nothing has happened. A real one ticks every two seconds (daemon/loop.ts); here only
 * those ticks come at which something may be due, unless all are asked for.
 */

import type { VirtualClock } from '../vacquery/virtual-clock.js';

const TICK_MS = 2_000;

export class Ticks {
  #next: { atMs: number; cancel: () => void } | null = null;
  #isOver = false;

  /** @param startedMs the first tick is one interval later */
  constructor(
    private readonly clock: VirtualClock,
    private readonly startedMs: number,
    private readonly wake: () => void,
  ) {}

  /** Ticks at the first tick at which `dueMs` has come, and which is still to come. */
  at(dueMs: number): void {
    if (dueMs === Number.POSITIVE_INFINITY || this.#isOver) return;
    const soonest = Math.floor((this.clock.nowMs() - this.startedMs) / TICK_MS) + 1;
    const ticks = Math.max(soonest, Math.ceil((dueMs - this.startedMs) / TICK_MS));
    const atMs = this.startedMs + ticks * TICK_MS;
    if (this.#next !== null && this.#next.atMs <= atMs) return;
    this.#next?.cancel();
    const cancel = this.clock.at(atMs, () => {
      this.#next = null;
      this.wake();
    });
    this.#next = { atMs, cancel };
  }

  /** Ticks at every tick. */
  always(): void {
    this.clock.at(this.clock.nowMs() + TICK_MS, () => {
      if (this.#isOver) return;
      this.wake();
      this.always();
    });
  }

  stop(): void {
    this.#isOver = true;
    this.#next?.cancel();
  }
}
