import { Caller, type CallOptions } from './calls.js';
import type { RawNodeInfo } from './native.js';

/** The host as libvirt sees it. `processors` counts those in use; `frequencyMHz` is 0 where unknown. */
export type NodeInfo = Readonly<RawNodeInfo>;

export interface DomainCapabilitiesOptions extends CallOptions {
  /** Path of the emulator. */
  readonly emulator?: string | undefined;
  /** Such as `x86_64`. */
  readonly arch?: string | undefined;
  /** Such as `q35`. */
  readonly machine?: string | undefined;
  /** Such as `kvm` or `qemu`. */
  readonly virtType?: string | undefined;
}

/** libvirt packs a version into major × 1,000,000 + minor × 1,000 + release. */
function versionText(packed: number): string {
  return [Math.floor(packed / 1_000_000), Math.floor(packed / 1000) % 1000, packed % 1000].join('.');
}

/** Calls about the connection and the host behind it. */
export abstract class HostCalls extends Caller {
  /** Whether the connection's socket is up (virConnectIsAlive). It does not ask the daemon; false once closed. */
  async isAlive(options?: CallOptions): Promise<boolean> {
    return this.closedReason === null && this.call('isAlive', [], options);
  }

  /** The hypervisor's host name (virConnectGetHostname). */
  hostname(options?: CallOptions): Promise<string> {
    return this.call('hostname', [], options);
  }

  /** The canonical URI of the connection (virConnectGetURI). */
  uri(options?: CallOptions): Promise<string> {
    return this.call('uri', [], options);
  }

  /** The driver's name, such as `QEMU` or `TEST` (virConnectGetType). */
  driverType(options?: CallOptions): Promise<string> {
    return this.call('driverType', [], options);
  }

  /** The daemon's libvirt version, such as `9.0.0` (virConnectGetLibVersion). */
  async libVersion(options?: CallOptions): Promise<string> {
    return versionText(await this.call('libVersion', [], options));
  }

  /** The hypervisor's version, such as `7.2.0` for QEMU (virConnectGetVersion). */
  async hypervisorVersion(options?: CallOptions): Promise<string> {
    return versionText(await this.call('hypervisorVersion', [], options));
  }

  /** What host and hypervisor can do (virConnectGetCapabilities). The first call may take long: libvirt probes QEMU. */
  capabilitiesXml(options?: CallOptions): Promise<string> {
    return this.call('capabilitiesXml', [], options);
  }

  /** What a domain of a given kind can have (virConnectGetDomainCapabilities). Fails when the host cannot run it. */
  domainCapabilitiesXml(options: DomainCapabilitiesOptions = {}): Promise<string> {
    return this.call(
      'domainCapabilitiesXml',
      [options.emulator, options.arch, options.machine, options.virtType],
      options,
    );
  }

  /** Processors and memory of the host (virNodeGetInfo). */
  nodeInfo(options?: CallOptions): Promise<NodeInfo> {
    return this.call('nodeInfo', [], options);
  }
}
