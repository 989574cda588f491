/** The clock that nobody sets: seconds since the host's boot, its sleep included (CLOCK_BOOTTIME), and which boot. */

import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';

let bootId: string | null = null;

/** This moment on the calendar's clock and the host's own. */
export function readClocks(): { readonly unixSeconds: number; readonly bootId: string; readonly bootSeconds: number } {
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return { unixSeconds: Date.now() / 1000, bootId, bootSeconds: uptime() };
}
