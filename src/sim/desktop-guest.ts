/** Machines of a desktop of the model, and what their guests do. */

import { NO_SUSPENSIONS } from '../factory/suspension.js';
import type { Machine, MachineSuspension } from '../factory/types.js';

/** A machine, and what its guest does. */
export interface Guest {
  machine: Machine;
  /** Null: it boots, or takes no more jobs. */
  jobLeft: number | null;
  jobDone: number;
  bootLeft: number;
}

export function suspendedBy(suspension: MachineSuspension): Partial<Machine> {
  return { domain: 'paused', suspension };
}

export function resumedFrom({ suspension, pastSuspensions }: Machine, nowSeconds: number): Partial<Machine> {
  if (suspension === null) return {};
  const seconds = pastSuspensions.seconds + Math.max(0, nowSeconds - suspension.sinceSeconds);
  return { suspension: null, pastSuspensions: { count: pastSuspensions.count + 1, seconds } };
}

export function startingMachine(record: Machine['record'], shutdownTimeSeconds: number): Machine {
  return {
    record,
    phase: 'starting',
    startedTimeSeconds: null,
    heartbeatTimeSeconds: null,
    cpuSeconds: 0,
    cpuPercent: 0,
    shutdownTimeSeconds,
    end: null,
    domain: 'unknown',
    pausedForSeconds: 0,
    resumedForSeconds: null,
    pausedByIoError: false,
    goneTimeSeconds: null,
    goneDetail: null,
    lastTraceTimeSeconds: null,
    stop: null,
    suspension: null,
    pastSuspensions: NO_SUSPENSIONS,
    throttled: false,
    stopAskedForSeconds: null,
    heartbeatFileAgeSeconds: null,
    shutdownMessage: null,
    creationProblem: null,
    busy: true,
    retryInSeconds: 0,
    exported: true,
  };
}
