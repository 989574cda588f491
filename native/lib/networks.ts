import type { CallOptions } from './calls.js';
import { type AffectOptions, affectFlags, combineFlags } from './flags.js';
import type { RawLease, RawNetwork } from './native.js';
import { TuningCalls } from './tuning.js';

/** `bridge` is null for a network without one. */
export type Network = Readonly<RawNetwork>;

/** A lease that libvirt's dnsmasq gave. `expiresAtSeconds` is Unix time, 0 for one without end. */
export type DhcpLease = Readonly<RawLease>;

const commands = { modify: 1, delete: 2, addLast: 3, addFirst: 4 } as const;

const sections = {
  bridge: 1,
  domain: 2,
  ip: 3,
  dhcpHost: 4,
  dhcpRange: 5,
  forward: 6,
  forwardInterface: 7,
  forwardPf: 8,
  portgroup: 9,
  dnsHost: 10,
  dnsTxt: 11,
  dnsSrv: 12,
} as const;

export interface NetworkUpdate extends AffectOptions {
  readonly command: keyof typeof commands;
  readonly section: keyof typeof sections;
  /** The element itself, such as `<host mac='…' ip='…'/>` for section `dhcpHost`. */
  readonly xml: string;
  /** Which parent element where there are several, such as `<ip>`. Default -1: libvirt finds it. */
  readonly parentIndex?: number | undefined;
}

/**
 * Calls about virtual networks, addressed by name or UUID. They fail with VIR_ERR_NO_NETWORK when there is no such
 * network, with VIR_ERR_OPERATION_INVALID when it is (not) active already.
 */
export abstract class NetworkCalls extends TuningCalls {
  /** All networks (virConnectListAllNetworks). */
  listNetworks(options?: CallOptions): Promise<Network[]> {
    return this.call('listNetworks', [], options);
  }

  /** virNetworkLookupByName or …ByUUIDString. */
  lookupNetwork(network: string, options?: CallOptions): Promise<Network> {
    return this.call('lookupNetwork', [network], options);
  }

  /** virNetworkGetXMLDesc; `inactive` gives the stored form instead of the running one. */
  networkXml(network: string, options: { inactive?: boolean | undefined } & CallOptions = {}): Promise<string> {
    return this.call('networkXml', [network, combineFlags({ inactive: 1 }, options)], options);
  }

  /** Stores a network without starting it, or replaces its stored form (virNetworkDefineXML). */
  defineNetwork(xml: string, options?: CallOptions): Promise<Network> {
    return this.call('defineNetwork', [xml], options);
  }

  /** Starts a transient network: it is gone once destroyed (virNetworkCreateXML). */
  createNetwork(xml: string, options?: CallOptions): Promise<Network> {
    return this.call('createNetwork', [xml], options);
  }

  /** Starts a stored network (virNetworkCreate). */
  async startNetwork(network: string, options?: CallOptions): Promise<void> {
    await this.call('startNetwork', [network], options);
  }

  /** Takes a running network down, its bridge included (virNetworkDestroy). */
  async destroyNetwork(network: string, options?: CallOptions): Promise<void> {
    await this.call('destroyNetwork', [network], options);
  }

  /** Forgets a stored network; a running one goes on as transient (virNetworkUndefine). */
  async undefineNetwork(network: string, options?: CallOptions): Promise<void> {
    await this.call('undefineNetwork', [network], options);
  }

  /** Whether libvirt starts the network with the host (virNetworkSetAutostart). */
  async setNetworkAutostart(network: string, autostart: boolean, options?: CallOptions): Promise<void> {
    await this.call('setNetworkAutostart', [network, autostart], options);
  }

  /** Changes one element, of a running network without a restart: add a DHCP host, say (virNetworkUpdate). */
  async updateNetwork(network: string, update: NetworkUpdate, options?: CallOptions): Promise<void> {
    const { command, section, parentIndex = -1, xml } = update;
    const args = [commands[command], sections[section], parentIndex, xml, affectFlags(update)] as const;
    await this.call('updateNetwork', [network, ...args], options);
  }

  /** Leases now in force, of one MAC address if given (virNetworkGetDHCPLeases). */
  networkDhcpLeases(network: string, options: { mac?: string | undefined } & CallOptions = {}): Promise<DhcpLease[]> {
    return this.call('networkDhcpLeases', [network, options.mac], options);
  }
}
