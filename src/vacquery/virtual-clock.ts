/** Time that passes only when told to, for tests and the simulator: an hour of a space takes a second. */

import type { Clock } from './clock.js';

interface Timer {
  readonly atMs: number;
  /** Timers of one moment run in the order in which they were set. */
  readonly order: number;
  run: (() => void) | null;
}

export class VirtualClock implements Clock {
  /** A binary heap, the earliest timer first. */
  readonly #heap: Timer[] = [];
  #nowMs: number;
  #order = 0;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  at(atMs: number, run: () => void): () => void {
    const timer: Timer = { atMs: Math.max(atMs, this.#nowMs), order: this.#order, run };
    this.#order += 1;
    this.#push(timer);
    return () => {
      timer.run = null;
    };
  }

  /** Runs the next timer at its time; false when there is none. */
  step(): boolean {
    for (let timer = this.#pop(); timer !== null; timer = this.#pop()) {
      if (timer.run === null) continue;
      this.#nowMs = timer.atMs;
      timer.run();
      return true;
    }
    return false;
  }

  /** Runs all timers up to `untilMs`, those that are set meanwhile too, and stands at `untilMs` then. */
  runUntil(untilMs: number): void {
    for (let next = this.#heap[0]; next !== undefined && next.atMs <= untilMs; next = this.#heap[0]) {
      if (next.run === null) this.#pop();
      else this.step();
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  #push(timer: Timer): void {
    const heap = this.#heap;
    let index = heap.push(timer) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (isBefore(heap[parent]!, timer)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = timer;
  }

  #pop(): Timer | null {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return null;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1;
      if (isBefore(last, heap[child]!)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
