/** What stops this factory from starting anything at all: its orders, its host's health and its load (SPEC 4). */

import type { Settings } from '../config/types.js';
import { isCredibleTime } from './credible-time.js';
import { holdsProcessors } from './news.js';
import { drainInForce, shutdownLimit, utcTime } from './orders.js';
import type { Standstill } from './plan.js';
import type { FactoryState, ServiceName } from './types.js';

/** No new machine with less than this free in the state directory (SPEC 4: 1 GB). */
export const MIN_STATE_FREE_BYTES = 1_000_000_000;

/** A machine's load shows in the one-minute average with this time constant (the kernel's). */
const LOAD_AVERAGE_SECONDS = 60;

/** Load rules by running processors apply from this many on (SPEC 2, overload_per_processor). */
const MIN_RUNNING_PROCESSORS_FOR_LOAD_RULE = 5;

/** The first thing, most telling first, that forbids any start now; null when starts are allowed. */
export function refuseAllStarts(state: FactoryState, settings: Settings): Standstill | null {
  const { host, orders } = state;
  if (orders.stopAll) return { code: 'draining', reason: 'this factory is being stopped' };
  const drain = drainInForce(state);
  if (drain !== null) {
    const until = drain.untilSeconds === null ? '' : ` (until ${utcTime(drain.untilSeconds)})`;
    return { code: 'draining', reason: `${drain.reason}${until}` };
  }
  if (settings.draining) return { code: 'draining', reason: 'draining = yes in the configuration' };
  const { overnight } = state;
  if (overnight !== null && !overnight.mayStart) return { code: 'overnight', reason: overnight.reason };
  const limit = shutdownLimit(state, settings);
  if (limit !== null && state.nowSeconds >= limit.timeSeconds) {
    return { code: 'shutdown-time', reason: `${limit.by} has passed` };
  }
  if (host.hypervisorProblem !== null) {
    const { sinceSeconds, message } = host.hypervisorProblem;
    const forSeconds = Math.max(0, state.nowSeconds - sinceSeconds);
    return {
      code: 'hypervisor-down',
      reason: sinceSeconds === 0 ? `libvirt: ${message}` : `libvirt has not answered for ${forSeconds} s: ${message}`,
    };
  }
  for (const service of Object.keys(host.services) as ServiceName[]) {
    const { ready, problem } = host.services[service];
    if (!ready) return { code: 'service-down', reason: `no working ${service}: ${problem || 'not brought up yet'}` };
  }
  if (host.stateFreeBytes < MIN_STATE_FREE_BYTES) {
    return {
      code: 'disk-full',
      reason: `only ${Math.floor(host.stateFreeBytes / 1e6)} MB are free in the state directory; 1000 MB are needed`,
    };
  }
  if (state.queryProblem !== null) {
    // To them it would be dead: they would start what runs here, and not know of its aborts.
    return { code: 'query-port', reason: unheardReason(state.queryProblem) };
  }
  if (!state.spaceHeard) {
    // Without their news it would start what they may have in plenty, and not know of their aborts.
    const reason = `the other factories have not answered yet since this one began to ask them (at most ${settings.udpTimeoutSeconds} s)`;
    return { code: 'space-unheard', reason };
  }
  return overload(state, settings) ?? ioPressure(state, settings);
}

/** @param problem of `FactoryState.queryProblem` */
export function unheardReason(problem: string): string {
  return `the other factories cannot ask this one: ${problem}`;
}

/**
 * The load to expect: the load averages lag, so a machine started t seconds ago still has a part exp(-t/60) of its
 * processors to add to them. Without this a host would be over-filled before its load shows.
 */
export function expectedLoad(state: FactoryState): number {
  const seen = Math.max(...state.host.loadAverages);
  return state.machines.filter(holdsProcessors).reduce((load, { record, startedTimeSeconds }) => {
    // From before our clock was set back: how long ago is not known, and it must not count as booting until then.
    if (startedTimeSeconds !== null && !isCredibleTime(startedTimeSeconds, state.nowSeconds)) return load;
    const ageSeconds = startedTimeSeconds === null ? 0 : Math.max(0, state.nowSeconds - startedTimeSeconds);
    return load + record.processors * Math.exp(-ageSeconds / LOAD_AVERAGE_SECONDS);
  }, seen);
}

/**
 * The two rules of overload_per_processor (SPEC 2). Machines still booting count as load against what the host has; not
 * against the processors given to machines, where each of them already counts on the other side.
 */
function overload(state: FactoryState, settings: Settings): Standstill | null {
  const perProcessor = settings.overloadPerProcessor;
  const given = state.machines.filter(holdsProcessors).reduce((sum, { record }) => sum + record.processors, 0);
  const load = Math.max(...state.host.loadAverages);
  if (given >= MIN_RUNNING_PROCESSORS_FOR_LOAD_RULE && load > perProcessor * given) {
    const reason = `load ${load.toFixed(1)} is over ${perProcessor} × ${given} processors given to machines`;
    return { code: 'overloaded', reason };
  }
  const expected = expectedLoad(state);
  if (expected > perProcessor * state.host.processors) {
    const reason = `load ${expected.toFixed(1)} (machines still booting counted) is over ${perProcessor} × ${state.host.processors} processors of this host`;
    return { code: 'overloaded', reason };
  }
  return null;
}

function ioPressure(state: FactoryState, settings: Settings): Standstill | null {
  const percent = state.host.ioPressurePercent;
  if (settings.ioPressurePercent <= 0 || percent === null || percent <= settings.ioPressurePercent) return null;
  return {
    code: 'io-pressure',
    reason: `tasks wait for disks ${percent.toFixed(0)} % of the time, over io_pressure_percent = ${settings.ioPressurePercent}`,
  };
}
