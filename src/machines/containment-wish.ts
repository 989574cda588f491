/**
 * What the rules that contain machines are made for (network-rules.ts), and the names by which they tell what they dropped.
 */

import type { EgressRules } from './egress.js';

/** Both tables have this name, in a family each. */
export const TABLE = 'vac';

/** What one machine may do in a second, and at once. Lines and queries beyond it are dropped and counted. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Generous for what works, small for what floods. */
export const RATES = {
  arp: { perSecond: 50, burst: 200 },
  dhcp: { perSecond: 5, burst: 20 },
  dns: { perSecond: 200, burst: 1000 },
  icmp: { perSecond: 20, burst: 50 },
  connections: { perSecond: 200, burst: 2000 },
} as const satisfies Record<string, Rate>;

/**
 * TCP connections that one machine may hold to what serves few of them, to all machines together: libvirt's dnsmasq 20, a
 * kernel's NFS server of 8 threads 220, and it cuts off the oldest.
 */
export const SERVICE_CONNECTIONS = { dns: 4, nfs: 16 } as const;

/** Where the host receives syslog of its machines, and how much of one. */
export interface SyslogContainment {
  readonly udpPort: number;
  readonly tcpPorts: readonly number[];
  /** By UDP. */
  readonly datagrams: Rate;
  /** In bytes, by TCP: what is more is lost as packets, and sent again more slowly. */
  readonly bytes: Rate;
  /** By TCP, at one time. */
  readonly maxConnections: number;
}

/** What is not in the rates above but for the site or the host to say. */
export interface ContainmentWish {
  /** Slots 0 … slots - 1 have a port each. */
  readonly slots: number;
  /** Machines that an earlier version started have devices of libvirt's naming. */
  readonly formerPorts: readonly { readonly device: string; readonly slot: number }[];
  /** Machines of which nothing passes, in neither direction (quarantine). */
  readonly isolatedSlots: readonly number[];
  /** Of slots whose machine was started with such rules. */
  readonly egress: ReadonlyMap<number, EgressRules>;
  /** Whether machines mount anything from this host. */
  readonly hasNfs: boolean;
  /** null: the host receives none. */
  readonly syslog: SyslogContainment | null;
  /** Entries that one machine may hold in the host's table of connections. */
  readonly maxConnections: number;
}

/**
 * Why a packet was dropped: the names of the counters, and what each tells of. Part of the documentation of the site,
 * and of the metrics.
 */
export const DROP_REASONS = {
  isolated: 'anything from or to a machine in quarantine',
  spoofed_mac: "a frame with another's MAC address as its sender",
  spoofed_ip: "a packet with another's IP address as its sender",
  spoofed_arp: "an ARP message that claims another's address, the gateway's for one",
  spoofed_dhcp: 'a DHCP request in the name of another machine',
  rogue_dhcp: 'an answer of a DHCP server',
  odd_packet: 'IP options, DHCP in fragments, frames to addresses of bridges, packets of no connection to the outside',
  other_protocol: 'anything but IPv4 and ARP: IPv6, VLAN tags, STP, …',
  neighbour: 'anything from a machine to a machine, over the bridge or through the host',
  to_host:
    'anything to this host, or to what it forwards to, but DHCP, DNS, HTTP, NFS, syslog and ping at the addresses that are for machines',
  vacquery: 'VacQuery to other factories',
  egress: 'what egress_deny and egress_allow of its machinetype forbid',
  from_outside: "anything that others begin with a machine, or with the addresses of this host that are machines' only",
  flood_arp: 'more ARP than one machine needs',
  flood_dhcp: 'more DHCP than one machine needs',
  flood_dns: 'more DNS queries than one machine needs, or by too many TCP connections',
  flood_icmp: 'more ICMP than one machine needs',
  flood_syslog: 'lines of syslog by UDP beyond the rate of one machine; these are lost',
  flood_syslog_tcp: 'syslog by TCP faster than that, or by too many connections; it is sent again',
  flood_connections: 'TCP connections begun faster than one machine may',
  too_many_connections:
    "more entries in the host's table of connections, or connections to its NFS server, than are one machine's share",
} as const satisfies Record<string, string>;

export type DropReason = keyof typeof DROP_REASONS;

/** Name of the counter of all that was dropped of one slot. */
export function slotCounter(slot: number): string {
  return `slot_${slot}`;
}

/** The slot of such a counter; null for another's name. */
export function slotOfCounter(name: string): number | null {
  const [, digits] = /^slot_(\d+)$/.exec(name) ?? [];
  return digits === undefined ? null : Number(digits);
}
