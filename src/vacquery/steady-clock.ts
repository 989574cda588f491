/** The host's own steady clock and timers. */

import type { Clock } from './clock.js';

export const steadyClock: Clock = {
  nowMs: () => performance.now(),
  at: (atMs, run) => {
    const timer = setTimeout(run, Math.max(0, Math.ceil(atMs - performance.now())));
    return () => clearTimeout(timer);
  },
};
