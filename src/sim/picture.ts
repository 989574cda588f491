/** What a factory of the model knows at one moment, as the decision is told it; and what a listing of domains tells it. */

import { NO_ORDERS } from '../factory/orders.js';
import type { FactoryState, MachineRecord } from '../factory/types.js';
import type { SimDaemon } from './daemon.js';
import { healthyHost } from './healthy-host.js';
import type { SimMachine } from './machine.js';
import { NO_USES } from './use.js';

const NO_IMAGES: FactoryState['images'] = new Map();
const NOT_LISTED = { sinceSeconds: 0, message: 'not asked yet' };

/**
 * @param machines with those that were cleared in the second of their creation
 * @param unexplained domains that no living machine explains; null before the first listing
 */
export function factoryState(
  daemon: SimDaemon,
  machines: readonly SimMachine[],
  unexplained: readonly MachineRecord[] | null,
): FactoryState {
  const agent = daemon.agent!;
  const nowMs = daemon.parts.world.clock.nowMs();
  for (const machine of machines) {
    if (machine.stopAskedAtMs === null) continue;
    machine.stopAskedForSeconds = Math.floor((nowMs - machine.stopAskedAtMs) / 1000);
  }
  return {
    nowSeconds: Math.floor(daemon.nowSeconds()),
    factory: daemon.name,
    slots: daemon.slots,
    totalProcessors: daemon.slots,
    host: healthyHost(daemon.slots, unexplained === null ? NOT_LISTED : null),
    machines,
    zombies: (unexplained ?? []).map(({ uuid, hostname, slot }) => ({
      uuid,
      name: hostname,
      slot,
      busy: daemon.zombiesBusy.has(uuid),
      retryInSeconds: 0,
    })),
    blockedSlots: [],
    queryProblem: null,
    // Who has no processor to give starts nothing, whatever the others do.
    peers: daemon.hasRoom ? agent.peers() : [],
    uses: daemon.hasRoom ? daemon.spaceUses() : NO_USES,
    lastEnds: daemon.lastEnds,
    creationFailures: daemon.creationFailures,
    slotFailures: daemon.slotFailures,
    images: NO_IMAGES,
    earlyDeaths: daemon.earlyDeaths,
    spaceHeard: agent.heard,
    orders: NO_ORDERS,
    overnight: null,
  };
}

/** Writes down which domains there are. As daemon/observe.ts, for a libvirt that always answers. */
export function takeListing({
  host,
  machines,
  nowSeconds,
}: Pick<SimDaemon, 'host' | 'machines'> & { nowSeconds: number }): MachineRecord[] {
  const living = new Set<string>();
  for (const machine of machines.values()) {
    if (!machine.isLiving) continue;
    living.add(machine.record.uuid);
    if (host.domains.has(machine.record.uuid)) {
      machine.domain = 'running';
      machine.seen = true;
      machine.goneTimeSeconds = null;
      continue;
    }
    if (machine.domain === 'gone' || (machine.phase === 'starting' && machine.busy)) continue;
    const { lastWords, lastTraceTimeSeconds } = machine.directory;
    machine.domain = 'gone';
    machine.shutdownMessage = lastWords;
    machine.lastTraceTimeSeconds = lastTraceTimeSeconds;
    machine.goneTimeSeconds = machine.seen ? (lastTraceTimeSeconds ?? nowSeconds) : null;
  }
  return [...host.domains.values()].map(({ record }) => record).filter(({ uuid }) => !living.has(uuid));
}
