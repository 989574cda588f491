/**
 * Tells when the host has slept: somebody woke it, mostly, and machines that ran when it fell asleep are to stand still
 * before he touches a key. CLOCK_BOOTTIME runs on in a sleep, the monotonic clock of performance.now() does not.
 */

import { uptime } from 'node:os';
import type { Sensor } from './sensor.js';

const LOOK_MS = 250;
/** uptime() is in whole seconds, and a process may be held up between reading one clock and the other. */
const MIN_SLEEP_SECONDS = 3;
/** Held up for longer between the two, what they differ by tells of that. */
const MAX_APART_MS = 500;

export class WakeSensor implements Sensor<number> {
  /** What the two clocks differed by at the last look, seconds; null: not looked yet. */
  private apart: number | null = null;
  private wokeMs = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | null = null;

  start(changed: () => void): void {
    this.timer = setInterval(() => {
      const nowMs = performance.now();
      const bootSeconds = uptime();
      if (performance.now() - nowMs <= MAX_APART_MS && this.look(nowMs, bootSeconds)) changed();
    }, LOOK_MS);
  }

  /** @returns whether the host has slept since the last look */
  look(nowMs: number, bootSeconds: number): boolean {
    const apart = bootSeconds - nowMs / 1000;
    const slept = this.apart !== null && apart - this.apart >= MIN_SLEEP_SECONDS;
    // The least of all looks without a sleep: a look that was held up does not hide a part of the next sleep.
    this.apart = this.apart === null || slept ? apart : Math.min(this.apart, apart);
    if (slept) this.wokeMs = nowMs;
    return slept;
  }

  /** Seconds for which the host has been awake, as input devices have their idle time; infinite: it has not slept. */
  read(nowMs: number): number {
    return (nowMs - this.wokeMs) / 1000;
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}
