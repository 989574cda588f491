/**
 * What overnight mode wants of one machine that runs: suspended and resumed, held down, or stopped, as the policy's verdict
 * has it. Level-triggered like all of lifecycle.ts: what was not done, or was undone by somebody, is asked for again.
 */

import type { OvernightVerdict } from './overnight-types.js';
import type { Action } from './plan.js';
import type { FactoryState, Machine, StopRequest } from './types.js';

/**
 * So many machines at once are destroyed after the owner's return, the youngest first: what is lost is the least, and the
 * host's disks are his.
 */
export const MAX_STOPPED_AT_ONCE = 2;

/**
 * For a machine whose domain is there and that nothing else ends; one that is being stopped already may only be suspended.
 *
 * @returns null: it is as it should be
 */
export function overnightAction(machine: Machine, state: FactoryState): Action | null {
  const { suspension, domain } = machine;
  const { overnight } = state;
  if (suspension?.by === 'quarantine') return null;
  if (overnight === null) {
    return suspension === null ? null : resume(machine, 'this host has no overnight mode any more');
  }
  if (machine.stop !== null) {
    const mayRun = !machine.stop.politely || !mustBeSuspended(machine, overnight);
    return mayRun ? null : suspend(machine, overnight, state);
  }
  const stop = stopFor(machine, overnight, state);
  if (stop !== null) {
    const kind = stop.politely ? 'requestStop' : 'destroyMachine';
    return { kind, machine: machine.record.id, stop, reason: stop.reason };
  }
  if (mustBeSuspended(machine, overnight)) return suspend(machine, overnight, state);
  if (overnight.machines !== 'run' && overnight.machines !== 'throttle') return null;
  if (suspension !== null) return resume(machine, overnight.reason);
  const throttled = overnight.machines === 'throttle';
  if (domain !== 'running' || machine.throttled === throttled) return null;
  return { kind: 'throttleMachine', machine: machine.record.id, throttled, reason: overnight.reason };
}

/** Paused by anybody else it is noted as suspended too, or it might be resumed under the owner's hands. */
function mustBeSuspended({ suspension, domain }: Machine, { machines, state }: OvernightVerdict): boolean {
  if (machines !== 'suspend' && state !== 'stopping') return false;
  return domain === 'running' || (domain === 'paused' && suspension === null);
}

function suspend(machine: Machine, { reason }: OvernightVerdict, { nowSeconds }: FactoryState): Action {
  const suspension = machine.suspension ?? { by: 'overnight' as const, sinceSeconds: nowSeconds, reason };
  return { kind: 'suspendMachine', machine: machine.record.id, suspension, reason };
}

function resume({ record }: Machine, reason: string): Action {
  return { kind: 'resumeMachine', machine: record.id, reason };
}

/** Null: it need not stop, or not yet. */
function stopFor(machine: Machine, overnight: OvernightVerdict, state: FactoryState): StopRequest | null {
  const { domain } = machine;
  const stop = (reason: string): StopRequest => ({
    reason,
    message: '100 Stopped for the owner of the host',
    overrides: false,
    // Suspended it cannot answer, and to let it run for that would cost its owner the host once more.
    politely: domain !== 'paused' && overnight.machines !== 'suspend' && overnight.state !== 'stopping',
    requestedTimeSeconds: state.nowSeconds,
  });
  if (overnight.state === 'closed') return stop(overnight.reason);
  if (overnight.goneBySeconds !== null && state.nowSeconds >= overnight.goneBySeconds) {
    return stop('the overnight window ends, and machines must be gone by then');
  }
  const used = overLimits(machine, overnight, state.nowSeconds);
  if (used !== null) return stop(used);
  return overnight.machines === 'stop' && isNext(machine, state) ? stop(overnight.reason) : null;
}

/** Only of a machine that is suspended now: as long as it runs it may end well. */
function overLimits(
  { suspension, pastSuspensions }: Machine,
  { maxSuspensions, maxSuspendedSeconds }: OvernightVerdict,
  nowSeconds: number,
): string | null {
  if (suspension === null) return null;
  if (pastSuspensions.count >= maxSuspensions) return `it was suspended ${maxSuspensions} times (max_suspensions)`;
  const seconds = pastSuspensions.seconds + Math.max(0, nowSeconds - suspension.sinceSeconds);
  if (seconds <= maxSuspendedSeconds) return null;
  return `it was suspended for ${Math.floor(seconds / 60)} min in all (max_suspended_hours)`;
}

/** Whether it is among the youngest that are left; those whose stop is under way take up a place. */
function isNext(machine: Machine, { machines }: FactoryState): boolean {
  const stopping = machines.filter(({ phase, stop }) => phase === 'running' && stop !== null).length;
  const left = machines
    .filter(({ phase, stop, suspension }) => phase === 'running' && stop === null && suspension?.by !== 'quarantine')
    .sort((a, b) => b.record.createdTimeSeconds - a.record.createdTimeSeconds || b.record.slot - a.record.slot);
  const place = left.findIndex(({ record }) => record.id === machine.record.id);
  return place >= 0 && place < MAX_STOPPED_AT_ONCE - stopping;
}
