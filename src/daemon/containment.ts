/**
 * What the rules that contain machines must be now, from what this process knows of its machines; and the service that keeps
 * them so. They stand before the network does, and are looked at whether libvirt answers or not.
 */

import { readTextIfThere } from '../host/files.js';
import type { Firewall } from '../host/firewall.js';
import { Serial } from '../host/helper-daemon.js';
import type { Hypervisor } from '../host/hypervisor.js';
import {
  SYSLOG_BYTES_BURST,
  SYSLOG_BYTES_PER_SECOND,
  SYSLOG_CONNECTIONS,
  SYSLOG_DATAGRAMS_BURST,
  SYSLOG_DATAGRAMS_PER_SECOND,
  SYSLOG_RELP_PORT,
} from '../host/syslog-limits.js';
import type { ContainmentWish, SyslogContainment } from '../machines/containment-wish.js';
import { egressOf } from '../machines/egress.js';
import { slotDevice } from '../machines/layout.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';
import type { Service } from './services.js';

export interface ContainmentParts {
  readonly memory: Memory;
  readonly hypervisor: Pick<Hypervisor, 'domainInterfaces'>;
  /** null on libvirt's test driver, where no machine really is. */
  readonly firewall: Pick<Firewall, 'ensure' | 'check'> | null;
  readonly slots: () => number;
  readonly hasNfs: boolean;
  readonly syslog: SyslogContainment | null;
}

/** What Linux has where nothing is said: of hosts with little memory. */
const DEFAULT_TABLE_SIZE = 65_536;
/** What one machine may have of the host's table of connections at least and at most. */
const MIN_CONNECTIONS = 256;
const MAX_CONNECTIONS = 16_384;

export class Containment implements Service {
  readonly name = 'firewall';
  /** Devices of machines by uuid, as libvirt told of those that this process did not start itself. */
  private readonly devices = new Map<string, readonly string[]>();
  /** What is wanted is made up only when it is its turn: rules of a moment ago must not replace those of now. */
  private readonly serial = new Serial();

  constructor(private readonly parts: ContainmentParts) {}

  ensure(): Promise<void> {
    return this.serial.run(async () => {
      await this.parts.firewall?.ensure(await this.wish());
    });
  }

  /** What a machine that is gone leaves is no trouble: it is put right in passing. */
  check(): Promise<void> {
    return this.serial.run(async () => {
      const wish = await this.wish();
      await this.parts.firewall?.ensure(wish);
      await this.parts.firewall?.check(wish);
    });
  }

  private async wish(): Promise<ContainmentWish> {
    const { memory, slots, hasNfs, syslog } = this.parts;
    const slotCount = slots();
    const living = [...memory.machines.values()].filter(
      ({ entry }) => entry.phase === 'starting' || entry.phase === 'running',
    );
    return {
      slots: slotCount,
      formerPorts: await this.formerPorts(living),
      isolatedSlots: living
        .filter(({ entry }) => entry.suspension?.by === 'quarantine')
        .map(({ entry }) => entry.record.slot),
      egress: new Map(
        living.flatMap(({ entry: { record } }) => {
          const rules = egressOf(record);
          return rules === null ? [] : [[record.slot, rules] as const];
        }),
      ),
      hasNfs,
      syslog,
      maxConnections: connectionsShare(await tableSize(), slotCount),
    };
  }

  /**
   * Machines that a version before these rules started have devices of libvirt's naming, which are contained like the
   * others. libvirt is asked once for each; while it does not answer they are left as that version had them.
   */
  private async formerPorts(living: readonly MachineMemory[]): Promise<ContainmentWish['formerPorts']> {
    const ports: { device: string; slot: number }[] = [];
    const uuids = new Set(living.map(({ entry }) => entry.record.uuid));
    for (const uuid of this.devices.keys()) if (!uuids.has(uuid)) this.devices.delete(uuid);
    for (const { entry, domain } of living) {
      const { uuid, slot } = entry.record;
      if (domain !== null && !this.devices.has(uuid)) {
        const devices = await this.parts.hypervisor.domainInterfaces(uuid).catch(() => null);
        if (devices !== null) this.devices.set(uuid, devices);
      }
      for (const device of this.devices.get(uuid) ?? []) {
        if (device !== slotDevice(slot)) ports.push({ device, slot });
      }
    }
    return ports;
  }
}

/** @param port by UDP and TCP */
export function syslogContainment(port: number): SyslogContainment {
  return {
    udpPort: port,
    tcpPorts: [port, SYSLOG_RELP_PORT],
    datagrams: { perSecond: SYSLOG_DATAGRAMS_PER_SECOND, burst: SYSLOG_DATAGRAMS_BURST },
    bytes: { perSecond: SYSLOG_BYTES_PER_SECOND, burst: SYSLOG_BYTES_BURST },
    maxConnections: SYSLOG_CONNECTIONS,
  };
}

/** All machines together must leave half of the host's table of connections to the host. */
export function connectionsShare(size: number, slots: number): number {
  const share = Math.floor(size / 2 / Math.max(1, slots));
  return Math.min(MAX_CONNECTIONS, Math.max(MIN_CONNECTIONS, share));
}

async function tableSize(): Promise<number> {
  const size = Number(await readTextIfThere('/proc/sys/net/netfilter/nf_conntrack_max').catch(() => null));
  return size > 0 ? size : DEFAULT_TABLE_SIZE;
}
