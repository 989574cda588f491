/** A desktop in overnight mode for tests: its configuration, and what its sensors say. */

import { returnSteps, windowSchedule } from '../../src/config/windows.js';
import type { OvernightConfig, OwnerFacts, OwnerSource } from '../../src/factory/overnight-types.js';

export const UNKNOWN = { unknown: 'no answer' };

/** Nights and weekends, while nobody is there; three steps on the owner's return. */
export function overnightConfig(changes: Partial<OvernightConfig> = {}): OvernightConfig {
  return {
    use: 'windows-and-idle',
    windows: windowSchedule.parse('mon-fri 19:00-07:30, sat,sun all')!,
    timeZone: 'UTC',
    holidaysFile: null,
    startSpreadSeconds: 0,
    idleSeconds: 900,
    resumeIdleSeconds: 300,
    otherCpuPercent: 25,
    lockedCountsAsIdle: false,
    loginCountsAsUse: false,
    remoteSessionsCount: true,
    runOnBattery: false,
    runWithLidClosed: true,
    runOnMetered: false,
    onReturn: returnSteps.parse('throttle 0s, suspend 10s, stop 10m')!,
    maxSuspensions: 20,
    maxSuspendedSeconds: 7200,
    memoryPercent: 50,
    quietCpuPercent: null,
    ownerGroup: null,
    notifyOwner: false,
    ...changes,
  };
}

export function seat(idleSeconds: number | null, changes: Partial<OwnerSource> = {}): OwnerSource {
  const idleForSeconds = idleSeconds === null ? UNKNOWN : { value: idleSeconds };
  const locked = { value: false };
  return { name: 'seat0', kind: 'local', user: 'anna', idleForSeconds, activeSinceSeconds: null, locked, ...changes };
}

/** Nobody for an hour, unless it is said. */
export function owner(changes: Partial<OwnerFacts> = {}, idleSeconds: number | null = 3600): OwnerFacts {
  return {
    sources: { value: [seat(idleSeconds)] },
    otherCpuPercent: { value: 1 },
    onMains: { value: true },
    lidClosed: { value: false },
    metered: { value: false },
    ...changes,
  };
}
