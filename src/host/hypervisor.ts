/**
 * What the factory needs of libvirt, as an interface, so that unit tests and the simulator can stand in for it;
 * one contract suite (test/host/hypervisor-contract.ts) runs against them and the real thing.
 */

/** A domain as one listing showed it. */
export interface DomainFact {
  readonly uuid: string;
  readonly name: string;
  readonly state: 'running' | 'paused' | 'shutdown';
  /** Paused by QEMU itself because a disk could not be written. */
  readonly pausedByIoError: boolean;
  /** CPU time used since it was created, seconds. */
  readonly cpuSeconds: number;
}

/** All active domains at one moment. */
export interface DomainListing {
  /** Monotonic milliseconds when it was asked for: what began later cannot be in it. */
  readonly askedAtMs: number;
  readonly domains: readonly DomainFact[];
}

/** A virtual network that the hypervisor has. */
export interface FoundNetwork {
  /** As it runs; as it is stored where it does not run. */
  readonly xml: string;
  readonly active: boolean;
  /** Whether it is stored; one that is not is gone when it ends. */
  readonly persistent: boolean;
}

export interface HypervisorEvent {
  readonly uuid: string;
  readonly name: string;
  /** libvirt's word: started, suspended, resumed, stopped, shutdown, crashed, … */
  readonly event: string;
  /** The finer shade: shutdown, destroyed, crashed, failed, … */
  readonly detail: string;
}

export interface CreateOptions {
  /** It is there and does not run until it is resumed. */
  readonly paused?: boolean;
}

/** How libvirt describes this host to the domain builder. */
export interface HypervisorFacts {
  readonly domainType: 'kvm' | 'qemu' | 'test';
  /** One line for the log and the live view: "KVM", or why not. */
  readonly domainTypeReason: string;
  /** User that QEMU runs as; null where libvirt does not say. */
  readonly emulatorUid: number | null;
  /** Group that QEMU runs as, which must reach machines' disks; null where libvirt does not say. */
  readonly emulatorGid: number | null;
}

/**
 * All calls time out and reconnect by themselves; after a failure the next call tries anew. Errors are VacError
 * `hypervisor-unreachable` (libvirt does not answer) or `hypervisor-refused` (it answered no, with its words).
 */
export interface Hypervisor {
  /** Connects if need be and tells what kind of machines it can run. */
  facts(): Promise<HypervisorFacts>;
  listDomains(): Promise<DomainListing>;
  /** @returns when libvirt has started it; refuses a name or uuid in use */
  createDomain(xml: string, options?: CreateOptions): Promise<void>;
  /** ACPI power button; fine if the domain is gone. */
  shutdownDomain(uuid: string): Promise<void>;
  /** Ends it at once; fine if it is gone. */
  destroyDomain(uuid: string): Promise<void>;
  /** Stops its processors at once, its memory stays; fine if it is gone. */
  suspendDomain(uuid: string): Promise<void>;
  /** Sets the clock of its guest by the agent in it; refused where none is, or none answers within seconds. */
  setGuestClock(uuid: string, unixSeconds: number): Promise<void>;
  /** Writes the memory of a suspended domain to a file of this host, as ELF; refuses one that is gone. */
  dumpMemory(uuid: string, path: string): Promise<void>;
  /** Fine if it is gone. */
  resumeDomain(uuid: string): Promise<void>;
  /** Caps each of its processors to this part of one, 0.01 to 1; 1 lifts the cap. Fine if it is gone. */
  capDomain(uuid: string, part: number): Promise<void>;
  /** The device names of its network interfaces on this host (vnet3). */
  domainInterfaces(uuid: string): Promise<string[]>;
  network(name: string): Promise<FoundNetwork | null>;
  /** Defines and starts it, and makes it start with libvirtd. */
  createNetwork(xml: string): Promise<void>;
  startNetwork(name: string): Promise<void>;
  /** Stores one that runs but is not stored, as it runs, and makes it start with libvirtd. */
  storeNetwork(name: string): Promise<void>;
  /** Stops and undefines it; fine if there is none. */
  removeNetwork(name: string): Promise<void>;
  /** Adds or deletes one DHCP host element while the network runs. */
  changeDhcpHost(name: string, change: 'add' | 'delete', hostXml: string): Promise<void>;
  onEvent(listener: (event: HypervisorEvent) => void): void;
  /** Called when a connection was lost or made anew: whatever was known may be stale. */
  onConnectionChange(listener: () => void): void;
  close(): Promise<void>;
}
