/**
 * Machines that an administrator holds in quarantine: halted and kept as they are until somebody releases them. No other
 * rule of lifecycle.ts touches them.
 */

import type { Action } from './plan.js';
import type { Machine, MachineSuspension, Quarantine, StopRequest } from './types.js';

/** Halted, with nothing removed of it: from the order until the release. */
export function isHeld(machine: Pick<Machine, 'quarantine'>): boolean {
  return machine.quarantine != null && machine.quarantine.release === null;
}

/** What a machine in quarantine is marked with while it is halted. */
export function quarantineSuspension({ sinceSeconds, reason, who }: Quarantine): MachineSuspension {
  return { by: 'quarantine', sinceSeconds, reason, who };
}

/**
 * What an order leaves in the machine's directory of quarantine, by name: another one, later, overwrites nothing of it.
 */
export function quarantineFiles({ sinceSeconds }: Pick<Quarantine, 'sinceSeconds'>): {
  memory: string;
  released: string;
} {
  const time = `${new Date(sinceSeconds * 1000).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  return { memory: `memory-${time}.elf`, released: `released-${time}.json` };
}

/**
 * What is due for a machine in quarantine, if it is neither busy nor waiting.
 *
 * @returns undefined where the ordinary rules hold: it is in none, it has not begun, it is to be cleared, it went by itself
 */
export function quarantineAction(machine: Machine, nowSeconds: number): Action | null | undefined {
  const { quarantine, phase, domain, record } = machine;
  if (quarantine == null || phase === 'starting') return undefined;
  if (phase !== 'running') return isHeld(machine) ? null : undefined;
  // How it ended is written down like that of any other; its disks stay.
  if (domain === 'gone') return undefined;
  if (domain === 'unknown') return null;
  const { release, who, reason } = quarantine;
  const why = `quarantine by ${who}: ${reason}`;
  if (release === 'destroy') {
    const stop = machine.stop !== null && !machine.stop.politely ? machine.stop : destruction(nowSeconds);
    return { kind: 'destroyMachine', machine: record.id, stop, reason: stop.reason };
  }
  const isMarked = machine.suspension?.by === 'quarantine';
  if (release === 'resume') {
    if (!isMarked) return undefined;
    return { kind: 'releaseMachine', machine: record.id, reason: `released from ${why}` };
  }
  if (domain !== 'paused' || !isMarked) return { kind: 'holdMachine', machine: record.id, reason: why };
  return quarantine.memory === null ? { kind: 'keepMemory', machine: record.id, reason: why } : null;
}

function destruction(nowSeconds: number): StopRequest {
  return {
    reason: 'it was in quarantine, and is no longer needed (vac release --destroy)',
    message: '100 Destroyed after quarantine',
    overrides: false,
    politely: false,
    requestedTimeSeconds: nowSeconds,
  };
}
