/** Readiness and the watchdog, told to systemd (sd_notify(3)); nothing happens where vacd was not started by it. */

import { sdNotify } from 'libvirt';
import type { Daemon } from './daemon.js';
import type { Logger } from './log.js';

/**
 * Says READY, then feeds the watchdog from the loop's passes: a loop that no longer passes is restarted by systemd,
 * a factory that merely waits for libvirt is not.
 */
export function notifySystemd(daemon: Daemon, log: Logger): void {
  const tell = (state: string) => {
    try {
      sdNotify(state);
    } catch (error) {
      log.warn(`systemd could not be told ${state.split('\n')[0]}: ${(error as Error).message}`);
    }
  };
  tell('READY=1');
  const watchdogMicroseconds = Number(process.env.WATCHDOG_USEC ?? 0);
  if (!(watchdogMicroseconds > 0)) return;
  const everyMs = watchdogMicroseconds / 1000 / 3;
  let lastMs = 0;
  daemon.onPass(() => {
    const nowMs = performance.now();
    if (nowMs - lastMs < everyMs) return;
    lastMs = nowMs;
    const { machines, slots } = daemon.memory.state(Math.floor(Date.now() / 1000), nowMs);
    const running = machines.filter((machine) => machine.phase === 'running').length;
    tell(`WATCHDOG=1\nSTATUS=${running} machines run in ${slots} slots`);
  });
}
