/**
 * The services without which no machine may start (services.ts), put together from the parts of this host: the rules that
 * contain machines, their network, HTTP with the child without root that serves it, NFS and syslog.
 */

import { isVacError } from '../errors.js';
import type { ServiceName } from '../factory/types.js';
import type { Identity } from '../guard/confine.js';
import { type ChildFacts, Guard } from '../guard/guard.js';
import type { Bridge } from '../host/bridge.js';
import type { Firewall } from '../host/firewall.js';
import type { GuestOwner } from '../host/guest-owner.js';
import type { Hypervisor } from '../host/hypervisor.js';
import type { NetworkWish } from '../host/network.js';
import type { NfsServer } from '../host/nfs.js';
import type { SyslogRelay } from '../host/syslog.js';
import { GATEWAY_IP, METADATA_IP, type StateLayout } from '../machines/layout.js';
import { MetadataParent } from '../metadata/parent.js';
import { MetadataSockets } from '../metadata/sockets.js';
import { Containment, syslogContainment } from './containment.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { machineByIp } from './metadata-source.js';
import { metadataService, networkService, nfsService, type Service, syslogService } from './services.js';

export interface HostServicesParts {
  readonly factory: string;
  readonly memory: Memory;
  readonly layout: StateLayout;
  readonly hypervisor: Hypervisor;
  readonly nfs: NfsServer;
  /** Null on libvirt's test driver. */
  readonly firewall: Firewall | null;
  readonly bridge: Bridge | null;
  /** Null: no receiver of our own. */
  readonly syslog: SyslogRelay | null;
  readonly guestOwner: GuestOwner;
  /** Whom the processes become that serve machines and the network. */
  readonly guardIdentity: Identity;
  readonly log: Logger;
  readonly rootPublicKey: () => string | null;
}

/** What each needs comes before it: machines that run are contained before their network is touched. */
const ORDER = ['firewall', 'network', 'metadata', 'nfs', 'syslog'] as const satisfies readonly ServiceName[];

export class HostServices {
  readonly byName: Readonly<Record<ServiceName, Service>>;
  readonly containment: Containment;
  private readonly sockets = new MetadataSockets([
    { address: METADATA_IP, port: 80 },
    { address: GATEWAY_IP, port: 80 },
  ]);
  /** Serves machines by HTTP, without root. */
  private readonly guard: Guard;

  constructor(private readonly parts: HostServicesParts) {
    const { memory, hypervisor, nfs, firewall, bridge, syslog } = parts;
    const { syslog: receiver } = memory.config.settings;
    this.guard = this.makeGuard();
    this.containment = new Containment({
      memory,
      hypervisor,
      firewall,
      slots: () => this.slots(),
      hasNfs: nfs.name !== 'none',
      syslog: syslog === null || receiver === null ? null : syslogContainment(receiver.port),
    });
    this.byName = {
      firewall: this.containment,
      network: networkService(hypervisor, () => this.networkWish(), bridge),
      metadata: metadataService(this.sockets, this.guard),
      nfs: nfsService(nfs),
      syslog: syslogService(syslog),
    };
  }

  /**
   * Brings all up; what does not come up is logged, noted in the Memory, and tried again.
   *
   * @throws VacError `address-in-use`
   */
  async bringUp(): Promise<void> {
    const { memory, log } = this.parts;
    for (const name of ORDER) {
      try {
        await this.byName[name].ensure();
        memory.serviceReady(name, performance.now());
      } catch (error) {
        if (isVacError(error, 'address-in-use')) throw error;
        log.error(`${name} is not ready: ${(error as Error).message}`);
        memory.serviceFailed(name, (error as Error).message, performance.now());
      }
    }
  }

  /** How it goes with the child that serves machines. */
  child(): ChildFacts {
    return this.guard.facts();
  }

  /** Ends that child; its ports are free when it is gone. All else goes on without vacd. */
  close(): Promise<void> {
    const ended = this.guard.close();
    this.sockets.close();
    return ended;
  }

  private makeGuard(): Guard {
    const { memory, nfs, layout, guestOwner, guardIdentity, rootPublicKey, log } = this.parts;
    const onProblem = (line: string) => log.warn(line);
    return new Guard({
      parts: [
        new MetadataParent({
          guestOwner,
          machineByIp: machineByIp({ memory, nfs, layout, rootPublicKey }),
          sockets: () => this.sockets.descriptors(),
          onProblem,
        }),
      ],
      // Not the directory itself: that is an argument of vacd, which would be taken for its child.
      what: 'the process that serves machines by HTTP',
      mark: `${layout.root}/metadata`,
      identity: guardIdentity,
      onProblem,
    });
  }

  /** Machines of slots that the configuration has since taken away keep their leases and ports. */
  private slots(): number {
    const { memory } = this.parts;
    return Math.max(
      memory.totalProcessors(),
      ...[...memory.machines.values()].map(({ entry }) => entry.record.slot + 1),
    );
  }

  private networkWish(): NetworkWish {
    const { factory, memory } = this.parts;
    const { forwardDev, fixNetworking } = memory.config.settings;
    return {
      factory,
      slots: this.slots(),
      forwardDev,
      mayRepair: fixNetworking,
      machineUuids: [...memory.machines.values()]
        .filter(({ entry, domain }) => entry.phase === 'running' && domain !== null)
        .map(({ entry }) => entry.record.uuid),
    };
  }
}
