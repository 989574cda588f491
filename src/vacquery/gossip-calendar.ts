/**
 * Notices that this host's calendar was set back: what was dated by the wrong one is then in the future, and a factory
 * that began in the future is believed by nobody.
 */

import type { Instant } from './space-view.js';

/** Smaller steps are daily work of whatever keeps the clock. */
const STEP_MS = 60_000;
/** By then others have been heard, who show whether the calendar is right now, or was before. */
const LOOK_AFTER_MS = 30_000;

export class Calendar {
  /** Calendar less steady clock. */
  #offsetMs: number;
  #lookMs = Number.POSITIVE_INFINITY;

  constructor(now: Instant) {
    this.#offsetMs = offsetOf(now);
  }

  /** To be called every few seconds. True, once: some time ago it was set back. */
  wasSetBack(now: Instant): boolean {
    const offsetMs = offsetOf(now);
    if (offsetMs < this.#offsetMs - STEP_MS) this.#lookMs = now.steadyMs + LOOK_AFTER_MS;
    this.#offsetMs = offsetMs;
    if (now.steadyMs < this.#lookMs) return false;
    this.#lookMs = Number.POSITIVE_INFINITY;
    return true;
  }
}

function offsetOf({ steadyMs, unixSeconds }: Instant): number {
  return unixSeconds * 1000 - steadyMs;
}
