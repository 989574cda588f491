/** The services without which no machine may start, each brought up and checked in one uniform way. */

import type { ServiceName } from '../factory/types.js';
import type { Guard } from '../guard/guard.js';
import type { Bridge } from '../host/bridge.js';
import type { Hypervisor } from '../host/hypervisor.js';
import { checkNetwork, ensureNetwork, type NetworkWish } from '../host/network.js';
import type { NfsServer } from '../host/nfs.js';
import type { SyslogRelay } from '../host/syslog.js';
import type { LoggedRecord, MachineLogs } from '../machines/tools.js';
import type { MetadataSockets } from '../metadata/sockets.js';

export interface Service {
  readonly name: ServiceName;
  /** Brings it up or repairs it; idempotent; throws one clear line. */
  ensure(): Promise<void>;
  /** Throws one clear line when it does not work. */
  check(): Promise<void>;
  /** Whether a process that it needs has ended by itself; true once for each end. Cheap. */
  hasEnded?(): Promise<boolean>;
}

/** @param bridge null on libvirt's test driver, whose networks have none */
export function networkService(hypervisor: Hypervisor, wish: () => NetworkWish, bridge: Bridge | null): Service {
  return {
    name: 'network',
    async ensure() {
      await ensureNetwork(hypervisor, wish());
      await bridge?.ensure();
    },
    async check() {
      await checkNetwork(hypervisor, wish());
      await bridge?.check();
    },
  };
}

/** Served by the child without root, which is therefore brought up and looked after here. */
export function metadataService(sockets: MetadataSockets, guard: Guard): Service {
  return {
    name: 'metadata',
    async ensure() {
      await guard.prepare();
      const before = sockets.bound().length;
      let failure: unknown = null;
      try {
        sockets.bind();
      } catch (error) {
        failure = error;
      }
      // At the one address that it has, it serves; what is wrong with the other is told all the same.
      if (sockets.bound().length > before) await guard.renew();
      else if (failure === null) await guard.ensureRunning();
      if (failure !== null) throw failure;
    },
    // A bound socket stays bound, even while its address is away with its bridge.
    check: () => guard.check(),
  };
}

export function nfsService(nfs: NfsServer): Service {
  return {
    name: 'nfs',
    ensure: () => nfs.ensureRunning(),
    check: async () => {
      await nfs.list();
    },
    hasEnded: async () => (await nfs.hasEnded?.()) ?? false,
  };
}

/** @param relay null where the site has no receiver of its own (`syslog` empty or elsewhere) */
export function syslogService(relay: SyslogRelay | null): Service {
  return {
    name: 'syslog',
    ensure: async () => {
      await relay?.ensureRunning();
    },
    check: async () => {
      await relay?.ensureRunning();
      await relay?.keep();
    },
    hasEnded: async () => (await relay?.hasEnded()) ?? false,
  };
}

/** Keeps the relay's table of whose address is whose; one write at a time, the last state wins. */
export function machineLogs(relay: SyslogRelay | null): MachineLogs {
  const holders = new Map<string, LoggedRecord>();
  // A receiver that hangs takes its 10 s for each table: whoever waits for one shares the next.
  let current: Promise<void> | null = null;
  let next: Promise<void> | null = null;
  const begin = (): Promise<void> => {
    const done = (relay?.setMachines(holders) ?? Promise.resolve()).finally(() => {
      current = null;
    });
    current = done;
    return done;
  };
  const push = (): Promise<void> => {
    if (current === null) return begin();
    next ??= current
      .catch(() => {})
      .then(() => {
        next = null;
        return begin();
      });
    return next;
  };
  // The check of the service says it, every few seconds; a machine that is over must not wait for a full disk to be
  // emptied, which its own disks may fill.
  const pushLater = () => push().catch(() => {});
  return {
    async assign(record) {
      holders.set(record.ip, record);
      await push();
    },
    async release(clientIp, machineId) {
      if (holders.get(clientIp)?.id !== machineId) return;
      holders.delete(clientIp);
      await pushLater();
    },
    async restore(records) {
      for (const record of records) holders.set(record.ip, record);
      await pushLater();
    },
  };
}
