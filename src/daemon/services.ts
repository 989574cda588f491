/** The services without which no machine may start, each brought up and checked in one uniform way. */

import type { ServiceName } from '../factory/types.js';
import type { Hypervisor } from '../host/hypervisor.js';
import { checkNetwork, ensureNetwork, type NetworkWish } from '../host/network.js';
import type { NfsServer } from '../host/nfs.js';
import type { SyslogRelay } from '../host/syslog.js';
import type { MachineLogs } from '../machines/tools.js';
import type { MetadataServer } from '../metadata/server.js';

export interface Service {
  readonly name: ServiceName;
  /** Brings it up or repairs it; idempotent; throws one clear line. */
  ensure(): Promise<void>;
  /** Throws one clear line when it does not work. */
  check(): Promise<void>;
}

export function networkService(hypervisor: Hypervisor, wish: () => NetworkWish): Service {
  return {
    name: 'network',
    ensure: () => ensureNetwork(hypervisor, wish()),
    check: () => checkNetwork(hypervisor, wish()),
  };
}

export function metadataService(server: MetadataServer): Service {
  return {
    name: 'metadata',
    ensure: () => server.listen(),
    // A bound socket stays bound, even while its address is away with its bridge.
    check: async () => {},
  };
}

export function nfsService(nfs: NfsServer): Service {
  return {
    name: 'nfs',
    ensure: () => nfs.ensureRunning(),
    check: async () => {
      await nfs.list();
    },
  };
}

/** @param relay null where the site has no receiver of its own (`syslog` empty or elsewhere) */
export function syslogService(relay: SyslogRelay | null): Service {
  const ensure = async () => {
    await relay?.ensureRunning();
  };
  return { name: 'syslog', ensure, check: ensure };
}

/** Keeps the relay's table of whose address is whose; one write at a time, the last state wins. */
export function machineLogs(relay: SyslogRelay | null): MachineLogs {
  const holders = new Map<string, string>();
  const push = async () => {
    await relay?.setMachines(holders);
  };
  return {
    async assign(clientIp, machineId) {
      holders.set(clientIp, machineId);
      await push();
    },
    async release(clientIp, machineId) {
      if (holders.get(clientIp) !== machineId) return;
      holders.delete(clientIp);
      await push();
    },
    async restore(restored) {
      for (const [clientIp, machineId] of restored) holders.set(clientIp, machineId);
      await push();
    },
  };
}
