/** The machines' private NAT network (SPEC 5 "Network"): what it must look like, and whether it does. Pure. */

import { XMLParser } from 'fast-xml-parser';
import { GATEWAY_IP, METADATA_IP, slotHostname, slotIp, slotMac } from './layout.js';
import { renderXml, xml } from './xml.js';

export const NETWORK_NAME = 'vac_169.254.0.0';
/** Linux names of bridges have at most 15 characters. */
export const BRIDGE_NAME = 'vac0';
const NETMASK = '255.255.0.0';

export interface DhcpHost {
  readonly mac: string;
  readonly ip: string;
  readonly name: string;
}

/** A lease as somebody else may have written it. */
export type FoundDhcpHost = Partial<DhcpHost>;

/** The fixed lease of every slot. */
export function dhcpHosts(factory: string, slots: number): DhcpHost[] {
  return Array.from({ length: slots }, (_, slot) => ({
    mac: slotMac(slot).toLowerCase(),
    ip: slotIp(slot),
    name: slotHostname(factory, slot),
  }));
}

/** Only with the attributes that it has: libvirt finds the lease to delete by all that are given. */
export function dhcpHostXml({ mac, name, ip }: FoundDhcpHost): string {
  return renderXml(
    xml('host', {
      ...(mac === undefined ? {} : { mac }),
      ...(name === undefined ? {} : { name }),
      ...(ip === undefined ? {} : { ip }),
    }),
  );
}

/** @param forwardDev NAT through this interface only; null = any */
export function networkXml(factory: string, slots: number, forwardDev: string | null): string {
  return renderXml(
    xml(
      'network',
      {},
      xml('name', {}, NETWORK_NAME),
      xml('forward', forwardDev === null ? { mode: 'nat' } : { mode: 'nat', dev: forwardDev }),
      xml('bridge', { name: BRIDGE_NAME, stp: 'off', delay: 0 }),
      // The gateway address comes first: it is the one that dnsmasq gives as default route and DNS server.
      xml(
        'ip',
        { address: GATEWAY_IP, netmask: NETMASK },
        xml(
          'dhcp',
          {},
          dhcpHosts(factory, slots).map((h) => xml('host', { mac: h.mac, name: h.name, ip: h.ip })),
        ),
      ),
      // Of the same net: alone (/32) it would be its own broadcast address, dnsmasq would give it to machines as theirs, and
      // a guest that sets what DHCP says could not connect to it.
      xml('ip', { address: METADATA_IP, netmask: NETMASK }),
    ),
  );
}

/** What is wrong with a network that libvirt has, compared with what it must be. */
export interface NetworkDifference {
  /** Differences that need the network to be made again, one line each. */
  readonly wrong: readonly string[];
  /** Leases that can be added while it runs. */
  readonly missingHosts: readonly DhcpHost[];
  /** Leases of ours that say something else (an old name, say); replaced while it runs. */
  readonly staleHosts: readonly FoundDhcpHost[];
}

interface ParsedNetwork {
  network?: {
    forward?: { mode?: string; dev?: string };
    bridge?: { name?: string };
    ip?: { address?: string; netmask?: string; prefix?: string; dhcp?: { host?: FoundDhcpHost[] } }[];
  };
}

const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseAttributeValue: false,
  // `ip` is an element of a network, and an attribute of a host.
  isArray: (name, _path, _leaf, isAttribute) => !isAttribute && (name === 'host' || name === 'ip'),
});

/** @param xmlText as `virNetworkGetXMLDesc` gives it */
export function compareNetwork(
  xmlText: string,
  factory: string,
  slots: number,
  forwardDev: string | null,
): NetworkDifference {
  const network = (parser.parse(xmlText) as ParsedNetwork).network;
  const wrong: string[] = [];
  const expect = (what: string, is: string | undefined, wanted: string | undefined) => {
    if (is !== wanted) wrong.push(`its ${what} is ${is ?? 'missing'}, not ${wanted ?? 'left open'}`);
  };
  expect('forward mode', network?.forward?.mode, 'nat');
  expect('forward dev', network?.forward?.dev, forwardDev ?? undefined);
  const addresses = new Map((network?.ip ?? []).map((ip) => [ip.address ?? '', ip]));
  const gateway = addresses.get(GATEWAY_IP);
  for (const address of [GATEWAY_IP, METADATA_IP]) {
    const ip = addresses.get(address);
    if (!ip) wrong.push(`it lacks the address ${address}`);
    else if (ip.netmask !== NETMASK && ip.prefix !== '16') {
      const which = address === GATEWAY_IP ? 'its netmask' : `the netmask of ${address}`;
      wrong.push(`${which} is ${ip.netmask ?? `/${ip.prefix}`}, not ${NETMASK}`);
    }
  }
  const bridge = network?.bridge?.name;
  if (!bridge) wrong.push('it has no bridge');
  // The rules that contain machines know it by this name, and would pass by any other.
  else expect('bridge', bridge, BRIDGE_NAME);

  const present = gateway?.dhcp?.host ?? [];
  const missingHosts: DhcpHost[] = [];
  const staleHosts: FoundDhcpHost[] = [];
  for (const wanted of dhcpHosts(factory, slots)) {
    const same = present.find(
      (h) => h.mac?.toLowerCase() === wanted.mac && h.ip === wanted.ip && h.name === wanted.name,
    );
    if (same) continue;
    missingHosts.push(wanted);
    staleHosts.push(
      ...present.filter((h) => h.mac?.toLowerCase() === wanted.mac || h.ip === wanted.ip || h.name === wanted.name),
    );
  }
  return { wrong, missingHosts, staleHosts: [...new Set(staleHosts)] };
}

/** Host names that the network has leases for: they tell whose network it is. */
export function leaseNames(xmlText: string): string[] {
  const addresses = (parser.parse(xmlText) as ParsedNetwork).network?.ip ?? [];
  return addresses.flatMap(({ dhcp }) => (dhcp?.host ?? []).flatMap(({ name }) => name ?? []));
}

/** Name of the bridge that libvirt gave the network. */
export function bridgeOf(xmlText: string): string | null {
  return (parser.parse(xmlText) as ParsedNetwork).network?.bridge?.name ?? null;
}
