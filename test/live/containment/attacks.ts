/**
 * Forged frames that a machine could do harm with, for a test and a benchmark of what stops them: each works where nothing
 * contains machines. And what must go on to work for every machine.
 */

import type { DropReason } from '../../../src/machines/containment-wish.js';
import { GATEWAY_IP, METADATA_IP, slotIp, slotMac } from '../../../src/machines/layout.js';
import { OUTSIDE_IP } from './containment-hosts.js';
import { arp, BROADCAST, dhcp, ethernet, ipv4, udp } from './frames.js';

/** The attacker's, which is the machine of port 0. */
export const MAC = slotMac(0);
export const IP = slotIp(0);
/** Of port 1. */
export const NEIGHBOUR_MAC = slotMac(1);
export const NEIGHBOUR_IP = slotIp(1);
/** Nobody's. */
export const STRANGE_MAC = '56:4d:00:00:00:01';
const ANYWHERE = '255.255.255.255';

export interface Attack {
  readonly name: string;
  /** From port 0. */
  readonly frame: (gatewayMac: string) => string;
  /** Where it is seen when nothing stops it. */
  readonly seenBy: 'factory' | 'neighbour';
  /** The counter of the factory's own rules that tells of it. */
  readonly stoppedBy: DropReason;
}

/** What an honest machine uses: each answers. */
export const SERVICES = [
  ['tcp', METADATA_IP, 80],
  ['tcp', GATEWAY_IP, 80],
  ['udp', GATEWAY_IP, 53],
  ['tcp', GATEWAY_IP, 53],
  ['tcp', METADATA_IP, 2049],
  ['tcp', METADATA_IP, 111],
  ['udp', METADATA_IP, 20048],
  ['udp', METADATA_IP, 514],
  ['tcp', METADATA_IP, 514],
  ['tcp', OUTSIDE_IP, 443],
  ['udp', OUTSIDE_IP, 443],
] as const;

/** A datagram of syslog to the host. */
export const syslog = (from: string) => ipv4({ from, to: METADATA_IP, protocol: 17 }, udp(5000, 514, ''));
/** A datagram to everybody. */
const broadcast = (fromPort: number, toPort: number, payload: string, from = IP, fragment = 0) =>
  ipv4({ from, to: ANYWHERE, protocol: 17, fragment }, udp(fromPort, toPort, payload));
/** Asks for a lease, as a machine without an address does. */
export const discover = () => ethernet(BROADCAST, MAC, 0x0800, broadcast(68, 67, dhcp(1, MAC, 1), '0.0.0.0'));
/** The search for the gateway that every machine begins with. */
export const searchOfGateway = () =>
  ethernet(BROADCAST, MAC, 0x0806, arp({ operation: 1, senderMac: MAC, senderIp: IP, targetIp: GATEWAY_IP }));

const claim = (senderMac: string, senderIp: string) => arp({ operation: 2, senderMac, senderIp, targetIp: GATEWAY_IP });
const toNeighbour = () => ipv4({ from: IP, to: NEIGHBOUR_IP, protocol: 17 }, udp(5000, 22, ''));

export const ATTACKS: readonly Attack[] = [
  {
    name: "a packet from the neighbour's MAC",
    frame: (gatewayMac) => ethernet(gatewayMac, NEIGHBOUR_MAC, 0x0800, syslog(IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_mac',
  },
  {
    name: "a packet from a made-up MAC, as in a flood of the bridge's table",
    frame: (gatewayMac) => ethernet(gatewayMac, STRANGE_MAC, 0x0800, syslog(IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_mac',
  },
  {
    name: "a packet from the neighbour's IP",
    frame: (gatewayMac) => ethernet(gatewayMac, MAC, 0x0800, syslog(NEIGHBOUR_IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_ip',
  },
  {
    name: 'a packet from an address of the outside',
    frame: (gatewayMac) => ethernet(gatewayMac, MAC, 0x0800, syslog(OUTSIDE_IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_ip',
  },
  {
    name: "an ARP answer in the gateway's name",
    frame: () => ethernet(BROADCAST, MAC, 0x0806, claim(MAC, GATEWAY_IP)),
    seenBy: 'neighbour',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: 'a gratuitous ARP request for the address of the metadata service',
    frame: () =>
      ethernet(
        BROADCAST,
        MAC,
        0x0806,
        arp({ operation: 1, senderMac: MAC, senderIp: METADATA_IP, targetIp: METADATA_IP }),
      ),
    seenBy: 'neighbour',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: "an ARP answer to the host in the neighbour's name",
    frame: (gatewayMac) => ethernet(gatewayMac, MAC, 0x0806, claim(MAC, NEIGHBOUR_IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: "an ARP message that speaks of another's MAC than its frame",
    frame: (gatewayMac) => ethernet(gatewayMac, MAC, 0x0806, claim(NEIGHBOUR_MAC, IP)),
    seenBy: 'factory',
    stoppedBy: 'spoofed_arp',
  },
  {
    name: 'a search for neighbours by ARP',
    frame: () =>
      ethernet(BROADCAST, MAC, 0x0806, arp({ operation: 1, senderMac: MAC, senderIp: IP, targetIp: NEIGHBOUR_IP })),
    seenBy: 'neighbour',
    stoppedBy: 'neighbour',
  },
  {
    name: 'an offer of a DHCP server',
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(67, 68, dhcp(2, NEIGHBOUR_MAC, 2))),
    seenBy: 'neighbour',
    stoppedBy: 'rogue_dhcp',
  },
  {
    name: "a DHCPDECLINE in the neighbour's name, after which its address would not be given out",
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(68, 67, dhcp(1, NEIGHBOUR_MAC, 4), '0.0.0.0')),
    seenBy: 'factory',
    stoppedBy: 'spoofed_dhcp',
  },
  {
    name: 'the same in the first of two fragments',
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(68, 67, dhcp(1, NEIGHBOUR_MAC, 4), IP, 0x2000)),
    seenBy: 'factory',
    stoppedBy: 'odd_packet',
  },
  {
    name: 'a packet with IP options (source route)',
    frame: (gatewayMac) =>
      ethernet(
        gatewayMac,
        MAC,
        0x0800,
        ipv4({ from: IP, to: METADATA_IP, protocol: 17, options: '830704a9fea90100' }, udp(5000, 514, '')),
      ),
    seenBy: 'factory',
    stoppedBy: 'odd_packet',
  },
  {
    name: 'an IPv6 packet to all nodes, as by a router that advertises itself',
    frame: () =>
      ethernet(BROADCAST, MAC, 0x86dd, `6000000000003bff${'fe80'.padEnd(32, '1')}${'ff02'.padEnd(31, '0')}1`),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a packet with the VLAN tag 0',
    frame: (gatewayMac) => ethernet(gatewayMac, MAC, 0x8100, `00000800${syslog(NEIGHBOUR_IP)}`),
    seenBy: 'factory',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a packet with the VLAN tag 5',
    frame: () => ethernet(BROADCAST, MAC, 0x8100, `00050800${syslog(IP)}`),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a message of spanning tree',
    frame: () => ethernet('01:80:c2:00:00:00', MAC, 0x0026, '42420300000000'),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: 'a frame of a protocol of its own',
    frame: () => ethernet(BROADCAST, MAC, 0x88b5, ''),
    seenBy: 'neighbour',
    stoppedBy: 'other_protocol',
  },
  {
    name: "a packet straight to the neighbour's MAC",
    frame: () => ethernet(NEIGHBOUR_MAC, MAC, 0x0800, toNeighbour()),
    seenBy: 'neighbour',
    stoppedBy: 'neighbour',
  },
  {
    name: 'a packet to the neighbour through the gateway',
    frame: (gatewayMac) => ethernet(gatewayMac, MAC, 0x0800, toNeighbour()),
    seenBy: 'neighbour',
    stoppedBy: 'neighbour',
  },
  {
    name: 'a broadcast to a port of everybody',
    frame: () => ethernet(BROADCAST, MAC, 0x0800, broadcast(5000, 9999, '')),
    seenBy: 'neighbour',
    stoppedBy: 'to_host',
  },
];
