import type { CallOptions } from './calls.js';
import { type AffectOptions, affectFlags, combineFlags } from './flags.js';
import { type DomainState, domainStateName, stateReasonName } from './names.js';
import type { RawIdentity, RawInterface } from './native.js';
import { StatsCalls } from './stats.js';

/** `id` is null for a domain that does not run. */
export type DomainIdentity = Readonly<RawIdentity>;

export interface DomainInfo {
  readonly state: DomainState;
  readonly maximumMemoryKiB: number;
  readonly memoryKiB: number;
  readonly processors: number;
  /** Processor time used since its start. */
  readonly cpuTimeSeconds: number;
}

export interface CreateOptions extends CallOptions {
  /** Begin in state `paused`; `resumeDomain` lets it run. */
  readonly paused?: boolean | undefined;
  /** Destroy the domain when this connection closes, however it does. */
  readonly autodestroy?: boolean | undefined;
}

export interface ValidateOptions extends CallOptions {
  /** Check the XML against libvirt's schema first. */
  readonly validate?: boolean | undefined;
}

/** How to ask a guest: by its power button, its guest agent, its init, a signal or the paravirtual channel. */
export type ShutdownMode = 'acpi' | 'agent' | 'initctl' | 'signal' | 'paravirt';

export interface UndefineOptions extends CallOptions {
  /** Remove a managed save image with it. */
  readonly managedSave?: boolean | undefined;
  /** Remove the snapshots' metadata with it. */
  readonly snapshotsMetadata?: boolean | undefined;
  /** Remove the UEFI variables file with it; `keepNvram` leaves it. */
  readonly nvram?: boolean | undefined;
  readonly keepNvram?: boolean | undefined;
}

export interface DomainInterfaceOptions extends CallOptions {
  /** Where from: libvirt's own DHCP leases (default), the guest agent, or the host's ARP table. */
  readonly source?: 'lease' | 'agent' | 'arp' | undefined;
}

/** A domain's network interface with the addresses it is known by. */
export type DomainInterface = Readonly<RawInterface>;

const START_FLAGS = { paused: 1, autodestroy: 2, validate: 16 };
const MODE_FLAGS: Record<ShutdownMode, number> = { acpi: 1, agent: 2, initctl: 4, signal: 8, paravirt: 16 };
const XML_FLAGS = { secure: 1, inactive: 2 };
const UNDEFINE_FLAGS = { managedSave: 1, snapshotsMetadata: 2, nvram: 4, keepNvram: 8 };
const ADDRESS_SOURCES = { lease: 0, agent: 1, arp: 2 };

const modeFlag = (mode: ShutdownMode | undefined): number => (mode === undefined ? 0 : MODE_FLAGS[mode]);

/**
 * Calls about one domain, addressed by its UUID. All fail with VIR_ERR_NO_DOMAIN when there is no such domain, and with
 * VIR_ERR_OPERATION_INVALID when its state does not allow the call.
 */
export abstract class DomainCalls extends StatsCalls {
  /** Creates and starts a transient domain: it is gone once it stops (virDomainCreateXML). */
  createDomain(xml: string, options: CreateOptions & ValidateOptions = {}): Promise<DomainIdentity> {
    return this.call('createDomain', [xml, combineFlags(START_FLAGS, options)], options);
  }

  /** Stores a persistent domain without starting it, or replaces its stored form (virDomainDefineXMLFlags). */
  defineDomain(xml: string, options: ValidateOptions = {}): Promise<DomainIdentity> {
    return this.call('defineDomain', [xml, combineFlags({ validate: 1 }, options)], options);
  }

  /** Starts a persistent domain (virDomainCreateWithFlags). */
  async startDomain(uuid: string, options: CreateOptions = {}): Promise<void> {
    const { paused, autodestroy } = options;
    await this.call('startDomain', [uuid, combineFlags(START_FLAGS, { paused, autodestroy })], options);
  }

  /** Forgets a persistent domain; one that runs goes on as transient (virDomainUndefineFlags). */
  async undefineDomain(uuid: string, options: UndefineOptions = {}): Promise<void> {
    await this.call('undefineDomain', [uuid, combineFlags(UNDEFINE_FLAGS, options)], options);
  }

  /** Fails with VIR_ERR_NO_DOMAIN when there is none of that name (virDomainLookupByName). */
  lookupDomainByName(name: string, options?: CallOptions): Promise<DomainIdentity> {
    return this.call('lookupDomainByName', [name], options);
  }

  /** virDomainGetState. `reason` is the finer shade, such as `booted`, `ioerror`, `destroyed`. */
  async domainState(uuid: string, options?: CallOptions): Promise<{ state: DomainState; reason: string }> {
    const { state, reason } = await this.call('domainState', [uuid], options);
    return { state: domainStateName(state), reason: stateReasonName(state, reason) };
  }

  /** State, memory, processors and processor time (virDomainGetInfo). */
  async domainInfo(uuid: string, options?: CallOptions): Promise<DomainInfo> {
    const info = await this.call('domainInfo', [uuid], options);
    return { ...info, state: domainStateName(info.state) };
  }

  /**
   * virDomainGetXMLDesc. `secure` includes passwords (not on a read-only connection); `inactive` gives the stored form
   * instead of the running one.
   */
  domainXml(
    uuid: string,
    options: { secure?: boolean | undefined; inactive?: boolean | undefined } & CallOptions = {},
  ): Promise<string> {
    return this.call('domainXml', [uuid, combineFlags(XML_FLAGS, options)], options);
  }

  /**
   * Asks the guest to shut down, and returns when it is asked: it may take its time, or ignore it
   * (virDomainShutdownFlags). Without `mode` the hypervisor chooses.
   */
  async shutdownDomain(uuid: string, options: { mode?: ShutdownMode | undefined } & CallOptions = {}): Promise<void> {
    await this.call('shutdownDomain', [uuid, modeFlag(options.mode)], options);
  }

  /** Asks the guest to reboot, as `shutdownDomain` does (virDomainReboot). */
  async rebootDomain(uuid: string, options: { mode?: ShutdownMode | undefined } & CallOptions = {}): Promise<void> {
    await this.call('rebootDomain', [uuid, modeFlag(options.mode)], options);
  }

  /** Resets the domain as its reset button would, without a word to the guest (virDomainReset). */
  async resetDomain(uuid: string, options?: CallOptions): Promise<void> {
    await this.call('resetDomain', [uuid, 0], options);
  }

  /**
   * Stops the domain at once (virDomainDestroyFlags). With `graceful` the emulator gets SIGTERM only, so that it can
   * write what it holds; fails with VIR_ERR_OPERATION_FAILED when it does not end.
   */
  async destroyDomain(uuid: string, options: { graceful?: boolean | undefined } & CallOptions = {}): Promise<void> {
    await this.call('destroyDomain', [uuid, combineFlags({ graceful: 1 }, options)], options);
  }

  /** Freezes the domain; it keeps its memory (virDomainSuspend). */
  async suspendDomain(uuid: string, options?: CallOptions): Promise<void> {
    await this.call('suspendDomain', [uuid], options);
  }

  /** Lets a suspended domain run on (virDomainResume). */
  async resumeDomain(uuid: string, options?: CallOptions): Promise<void> {
    await this.call('resumeDomain', [uuid], options);
  }

  /** Adds a device (virDomainAttachDeviceFlags). */
  async attachDomainDevice(uuid: string, xml: string, options: AffectOptions & CallOptions = {}): Promise<void> {
    await this.call('attachDomainDevice', [uuid, xml, affectFlags(options)], options);
  }

  /** Takes a device away; a guest must agree, so it may go later (virDomainDetachDeviceFlags). */
  async detachDomainDevice(uuid: string, xml: string, options: AffectOptions & CallOptions = {}): Promise<void> {
    await this.call('detachDomainDevice', [uuid, xml, affectFlags(options)], options);
  }

  /** Changes a device, such as the medium of a CD drive or a port's link state (virDomainUpdateDeviceFlags). */
  async updateDomainDevice(uuid: string, xml: string, options: AffectOptions & CallOptions = {}): Promise<void> {
    await this.call('updateDomainDevice', [uuid, xml, affectFlags(options)], options);
  }

  /** Addresses of the domain's interfaces (virDomainInterfaceAddresses). */
  domainInterfaceAddresses(uuid: string, options: DomainInterfaceOptions = {}): Promise<DomainInterface[]> {
    return this.call('domainInterfaceAddresses', [uuid, ADDRESS_SOURCES[options.source ?? 'lease']], options);
  }
}
