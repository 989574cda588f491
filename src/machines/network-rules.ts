/**
 * The rules that contain machines, as text for nft. Pure; host/firewall.ts applies it. Each machine is root in itself and
 * hostile: what it sends is judged on its port of the bridge (who sends) and in the host (where to).
 *
 * Two tables, each named {@link TABLE}. That of family `bridge` knows for every slot the triple of device, MAC and IP, so
 * that a start needs no rule of its own. That of family `inet` says which of the host's services a machine reaches and
 * what it may send through the host. Both stand beside whatever else the host has (libvirt, firewalld, the site): a drop
 * here is final, an accept here is none elsewhere.
 *
 * What changes while machines run (quarantine, egress of a machinetype) is in one set and one map, filled by
 * {@link changingRules}; all else is {@link standingRules}. Only features that nft 0.9 and kernel 4.18 have are used.
 */

import { type EgressRules, egressChain } from './egress.js';
import { GATEWAY_IP, METADATA_IP, SLOT_DEVICE_PREFIX, slotDevice, slotIp, slotMac } from './layout.js';
import { BRIDGE_NAME } from './network-xml.js';

export const TABLE = 'vac';

/** VacQuery's port (SPEC 3): other factories see a machine's datagrams with this host's address, and would answer. */
const VACQUERY_PORT = 995;

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
  odd_packet: 'IP options, DHCP in fragments, frames to addresses of bridges',
  other_protocol: 'anything but IPv4 and ARP: IPv6, VLAN tags, STP, …',
  neighbour: 'anything from a machine to a machine, over the bridge or through the host',
  to_host: 'anything to this host but DHCP, DNS, HTTP, NFS, syslog and ping at the addresses that are for machines',
  vacquery: 'VacQuery to other factories',
  egress: 'what egress_deny and egress_allow of its machinetype forbid',
  from_outside: "anything that others begin with a machine, or with the addresses of this host that are machines' only",
  flood_arp: 'more ARP than one machine needs',
  flood_dhcp: 'more DHCP than one machine needs',
  flood_dns: 'more DNS queries than one machine needs',
  flood_icmp: 'more ICMP than one machine needs',
  flood_syslog: 'lines of syslog by UDP beyond the rate of one machine; these are lost',
  flood_syslog_tcp: 'syslog by TCP faster than that, or by too many connections; it is sent again',
  flood_connections: 'TCP connections begun faster than one machine may',
  too_many_connections: "more entries in the host's table of connections than are one machine's share",
} as const satisfies Record<string, string>;

export type DropReason = keyof typeof DROP_REASONS;

/** Counters of the one table and of the other. */
const BRIDGE_REASONS: readonly DropReason[] = [
  'isolated',
  'spoofed_mac',
  'spoofed_ip',
  'spoofed_arp',
  'spoofed_dhcp',
  'rogue_dhcp',
  'odd_packet',
  'other_protocol',
  'neighbour',
  'flood_arp',
  'flood_dhcp',
];
const INET_REASONS: readonly DropReason[] = [
  'odd_packet',
  'other_protocol',
  'neighbour',
  'to_host',
  'vacquery',
  'egress',
  'from_outside',
  'flood_dns',
  'flood_icmp',
  'flood_syslog',
  'flood_syslog_tcp',
  'flood_connections',
  'too_many_connections',
];

/** Set of table inet that counts datagrams of syslog by address. */
export const SYSLOG_COUNTS = 'syslog_datagrams';

const INET_RATES = ['dns_rate', 'icmp_rate', 'syslog_rate', 'syslog_tcp_rate', 'connection_rate'] as const;

/** Sets that packets fill: what is in them is none of our doing. */
export const FILLED_BY_PACKETS = [
  'arp_rate',
  'dhcp_rate',
  ...INET_RATES,
  'connections',
  'syslog_connections',
  SYSLOG_COUNTS,
] as const;

/** Name of the counter of all that was dropped of one slot. */
export function slotCounter(slot: number): string {
  return `slot_${slot}`;
}

/** The slot of such a counter; null for another's name. */
export function slotOfCounter(name: string): number | null {
  const [, digits] = /^slot_(\d+)$/.exec(name) ?? [];
  return digits === undefined ? null : Number(digits);
}

/** Both tables as they are before any machine runs, for one transaction that replaces what is there. */
export function standingRules(wish: ContainmentWish): string {
  return [
    ...['bridge', 'inet'].flatMap((family) => [`table ${family} ${TABLE} {}`, `delete table ${family} ${TABLE}`]),
    ...bridgeTable(wish),
    ...inetTable(wish),
    '',
  ].join('\n');
}

/**
 * What is put into the standing tables, and taken out, while machines run.
 *
 * @param before the slots that the tables have egress rules of now; those of every slot are written anew
 */
export function changingRules(
  { isolatedSlots, egress, formerPorts }: ContainmentWish,
  before: Iterable<number> = [],
): string {
  const isolated = new Set(isolatedSlots);
  const devices = [
    ...[...isolated].sort((a, b) => a - b).map(slotDevice),
    ...formerPorts.filter(({ slot }) => isolated.has(slot)).map(({ device }) => device),
  ];
  const chains = [...egress].sort(([a], [b]) => a - b);
  return [
    `flush set bridge ${TABLE} isolated`,
    ...devices.map((device) => `add element bridge ${TABLE} isolated { "${device}" }`),
    `flush map inet ${TABLE} egress_of`,
    ...[...before].flatMap((slot) => [
      `flush chain inet ${TABLE} ${egressName(slot)}`,
      `delete chain inet ${TABLE} ${egressName(slot)}`,
    ]),
    ...chains.flatMap(([slot, rules]) => [
      `add chain inet ${TABLE} ${egressName(slot)}`,
      ...egressChain(rules).map((rule) => `add rule inet ${TABLE} ${egressName(slot)} ${rule}`),
      `add element inet ${TABLE} egress_of { ${slotIp(slot)} : jump ${egressName(slot)} }`,
    ]),
    '',
  ].join('\n');
}

function egressName(slot: number): string {
  return `egress_${slot}`;
}

interface Port {
  readonly device: string;
  readonly slot: number;
}

function bridgeTable(wish: ContainmentWish): string[] {
  const ports: Port[] = [...slotsOf(wish).map((slot) => ({ device: slotDevice(slot), slot })), ...wish.formerPorts];
  const mac = (slot: number) => slotMac(slot).toLowerCase();
  return [
    `table bridge ${TABLE} {`,
    ...BRIDGE_REASONS.map((reason) => `  counter ${reason} {}`),
    ...slotsOf(wish).map((slot) => `  counter ${slotCounter(slot)} {}`),
    ...elements(
      'map dropped_of',
      'ifname : counter',
      ports.map(({ device, slot }) => `"${device}" : "${slotCounter(slot)}"`),
    ),
    ...elements(
      'set macs',
      'ifname . ether_addr',
      ports.map(({ device, slot }) => `"${device}" . ${mac(slot)}`),
    ),
    ...elements(
      'set slots',
      'ifname . ether_addr . ipv4_addr',
      ports.map(({ device, slot }) => `"${device}" . ${mac(slot)} . ${slotIp(slot)}`),
    ),
    ...elements('set machine_macs', 'ether_addr', slotsOf(wish).map(mac)),
    ...elements('set machine_ips', 'ipv4_addr', slotsOf(wish).map(slotIp)),
    ...elements('set isolated', 'ifname', []),
    ...limited('arp_rate', 'ifname', wish),
    ...limited('dhcp_rate', 'ifname', wish),
    // No two operands of a comparison may come from the packet, so the MAC that a DHCP message speaks of (chaddr, byte 28
    // after the UDP header of 8) is compared in a chain of each slot.
    ...slotsOf(wish).flatMap((slot) =>
      chain(`dhcp_${slot}`, [
        `@th,288,48 0x${mac(slot).replaceAll(':', '')} accept`,
        'counter name spoofed_dhcp goto dropped',
      ]),
    ),
    ...elements(
      'map dhcp_of',
      'ifname : verdict',
      ports.map(({ device, slot }) => `"${device}" : goto dhcp_${slot}`),
    ),
    ...chain('dropped', ['counter name iifname map @dropped_of', 'drop']),
    ...chain('from_machine', [
      'iifname @isolated counter name isolated goto dropped',
      'iifname . ether saddr != @macs counter name spoofed_mac goto dropped',
      'ether daddr @machine_macs counter name neighbour goto dropped',
      'ether type arp goto machine_arp',
      'ether type ip goto machine_ip',
      'counter name other_protocol goto dropped',
    ]),
    ...chain('machine_arp', [
      rateRule('arp_rate', 'iifname', RATES.arp, 'flood_arp'),
      'arp htype != 1 counter name odd_packet goto dropped',
      'arp ptype != ip counter name odd_packet goto dropped',
      'arp hlen != 6 counter name odd_packet goto dropped',
      'arp plen != 4 counter name odd_packet goto dropped',
      'iifname . arp saddr ether != @macs counter name spoofed_arp goto dropped',
      // Of its own address it may speak; a search for others finds nobody, and is told of.
      'arp daddr ip @machine_ips iifname . arp saddr ether . arp daddr ip != @slots counter name neighbour goto dropped',
      'iifname . arp saddr ether . arp saddr ip @slots accept',
      // Whether an address is taken is asked without one (RFC 5227), by some guests before they use theirs.
      'arp operation request arp saddr ip 0.0.0.0 accept',
      'counter name spoofed_arp goto dropped',
    ]),
    ...chain('machine_ip', [
      'ip hdrlength != 5 counter name odd_packet goto dropped',
      'udp sport 67 counter name rogue_dhcp goto dropped',
      'udp dport 67 ip frag-off & 0x3fff != 0 counter name odd_packet goto dropped',
      'udp dport 67 goto machine_dhcp',
      'iifname . ether saddr . ip saddr @slots accept',
      'counter name spoofed_ip goto dropped',
    ]),
    ...chain('machine_dhcp', [
      rateRule('dhcp_rate', 'iifname', RATES.dhcp, 'flood_dhcp'),
      'udp sport != 68 counter name odd_packet goto dropped',
      'ip saddr != 0.0.0.0 iifname . ether saddr . ip saddr != @slots counter name spoofed_ip goto dropped',
      'iifname vmap @dhcp_of',
      'counter name spoofed_dhcp goto dropped',
    ]),
    ...chain('prerouting', [hook('prerouting', -300), ...ours(wish, 'iifname', 'jump from_machine')]),
    // Frames to 01:80:c2:00:00:0x come here without having passed prerouting, and teach the bridge their sender's MAC.
    ...chain('reserved', ['ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 counter name odd_packet goto dropped']),
    ...chain('input', [hook('input', -300), ...ours(wish, 'iifname', 'jump reserved')]),
    ...chain('forward', [
      hook('forward', -300),
      // A broadcast for the host comes by here too, for every other port.
      ...ours(wish, 'iifname', 'ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00 drop'),
      ...ours(wish, 'iifname', 'counter name neighbour goto dropped'),
      ...ours(wish, 'oifname', 'counter name neighbour drop'),
    ]),
    ...chain('output', [hook('output', -300), 'oifname @isolated counter name isolated drop']),
    '}',
  ];
}

function inetTable(wish: ContainmentWish): string[] {
  const { hasNfs, syslog, maxConnections } = wish;
  const fresh = [
    `tcp flags & (fin|syn|rst|ack) == syn ${rateRule('connection_rate', 'ip saddr', RATES.connections, 'flood_connections')}`,
    `ct state new add @connections { ip saddr ct count over ${maxConnections} } counter name too_many_connections goto dropped`,
  ];
  return [
    `table inet ${TABLE} {`,
    ...INET_REASONS.map((reason) => `  counter ${reason} {}`),
    ...slotsOf(wish).map((slot) => `  counter ${slotCounter(slot)} {}`),
    ...elements(
      'map dropped_of',
      'ipv4_addr : counter',
      slotsOf(wish).map((slot) => `${slotIp(slot)} : "${slotCounter(slot)}"`),
    ),
    ...elements('map egress_of', 'ipv4_addr : verdict', []),
    ...INET_RATES.flatMap((name) => limited(name, 'ipv4_addr', wish)),
    ...['connections', 'syslog_connections', SYSLOG_COUNTS].map(
      (name) => `  set ${name} { type ipv4_addr; size ${sizeOf(wish)}; flags dynamic; }`,
    ),
    ...chain('dropped', ['counter name ip saddr map @dropped_of', 'drop']),
    ...chain('to_services', [
      'meta nfproto ipv6 counter name other_protocol drop',
      // Judged on its port already, with its sender's MAC.
      `udp sport 68 udp dport 67 ip daddr { 255.255.255.255, ${GATEWAY_IP} } accept`,
      // Before anything known is let through: a flood of datagrams may well be one connection.
      `udp dport 53 ${rateRule('dns_rate', 'ip saddr', RATES.dns, 'flood_dns')}`,
      `ip protocol icmp ${rateRule('icmp_rate', 'ip saddr', RATES.icmp, 'flood_icmp')}`,
      ...(syslog === null ? [] : syslogLimits(syslog)),
      'ct state established,related accept',
      ...fresh,
      `ip daddr ${GATEWAY_IP} udp dport 53 accept`,
      `ip daddr ${GATEWAY_IP} tcp dport 53 accept`,
      `ip daddr { ${GATEWAY_IP}, ${METADATA_IP} } tcp dport 80 accept`,
      ...(hasNfs
        ? [
            `ip daddr ${METADATA_IP} tcp dport { 111, 2049, 20048 } accept`,
            `ip daddr ${METADATA_IP} udp dport { 111, 20048 } accept`,
          ]
        : []),
      ...(syslog === null
        ? []
        : [
            `ip daddr ${METADATA_IP} udp dport ${syslog.udpPort} accept`,
            `ip daddr ${METADATA_IP} tcp dport { ${syslog.tcpPorts.join(', ')} } accept`,
          ]),
      `ip daddr { ${GATEWAY_IP}, ${METADATA_IP} } icmp type echo-request accept`,
      'counter name to_host goto dropped',
    ]),
    ...chain('through_host', [
      'meta nfproto ipv6 counter name other_protocol drop',
      `oifname "${BRIDGE_NAME}" counter name neighbour goto dropped`,
      `udp dport ${VACQUERY_PORT} counter name vacquery goto dropped`,
      // For every packet: an address may have been another machine's a moment ago, with connections that are known yet.
      'ip saddr vmap @egress_of',
      'ct state established,related accept',
      ...fresh,
    ]),
    // Frames to 01:80:c2:00:00:0e go past the bridge, and its table, to the IP of the port itself, from any sender to any
    // address of the host.
    ...chain('prerouting', [hook('prerouting', -350), ...ours(wish, 'iifname', 'counter name odd_packet drop')]),
    // Before the usual 0, so that what is counted here was not dropped by others first.
    ...chain('input', [
      hook('input', -10),
      `iifname "${BRIDGE_NAME}" goto to_services`,
      `iifname != "lo" ip daddr { ${GATEWAY_IP}, ${METADATA_IP} } counter name from_outside drop`,
    ]),
    ...chain('forward', [
      hook('forward', -10),
      `iifname "${BRIDGE_NAME}" goto through_host`,
      `oifname "${BRIDGE_NAME}" ct state established,related accept`,
      `oifname "${BRIDGE_NAME}" counter name from_outside drop`,
    ]),
    '}',
  ];
}

/** Before what is known already is let through, for that is all of it but the first packet. */
function syslogLimits({ udpPort, tcpPorts, datagrams, bytes, maxConnections }: SyslogContainment): string[] {
  const tcp = `tcp dport { ${tcpPorts.join(', ')} }`;
  const drop = 'counter name flood_syslog_tcp goto dropped';
  return [
    // What was sent, taken or not: the relay tells from it how much was lost.
    `ip daddr ${METADATA_IP} udp dport ${udpPort} update @${SYSLOG_COUNTS} { ip saddr counter }`,
    `udp dport ${udpPort} ${rateRule('syslog_rate', 'ip saddr', datagrams, 'flood_syslog')}`,
    `${tcp} update @syslog_tcp_rate { ip saddr limit rate over ${bytes.perSecond} bytes/second burst ${bytes.burst} bytes } ${drop}`,
    `${tcp} ct state new add @syslog_connections { ip saddr ct count over ${maxConnections} } ${drop}`,
  ];
}

/** The hooks see every device of the host: ours are told by their names. */
function ours({ formerPorts }: ContainmentWish, key: 'iifname' | 'oifname', verdict: string): string[] {
  const former = formerPorts.map(({ device }) => `"${device}"`);
  return [
    `${key} "${SLOT_DEVICE_PREFIX}*" ${verdict}`,
    ...(former.length === 0 ? [] : [`${key} { ${former.join(', ')} } ${verdict}`]),
  ];
}

function slotsOf({ slots }: ContainmentWish): number[] {
  return Array.from({ length: slots }, (_, slot) => slot);
}

/**
 * A set that packets fill has one element for each machine at most, for their addresses were judged before; and, until it is
 * tidied, the same again that is past its time. In a full set nothing would be limited.
 */
function sizeOf({ slots, formerPorts }: ContainmentWish): number {
  return 2 * Math.max(1, slots + formerPorts.length);
}

function limited(name: string, type: string, wish: ContainmentWish): string[] {
  return [`  set ${name} { type ${type}; size ${sizeOf(wish)}; flags dynamic; timeout 1m; }`];
}

function rateRule(set: string, key: string, { perSecond, burst }: Rate, reason: DropReason): string {
  return `update @${set} { ${key} limit rate over ${perSecond}/second burst ${burst} packets } counter name ${reason} goto dropped`;
}

function elements(what: string, type: string, members: readonly string[]): string[] {
  if (members.length === 0) return [`  ${what} { type ${type}; }`];
  return [
    `  ${what} {`,
    `    type ${type};`,
    '    elements = {',
    members.map((member) => `      ${member}`).join(',\n'),
    '    }',
    '  }',
  ];
}

function chain(name: string, rules: readonly string[]): string[] {
  return [`  chain ${name} {`, ...rules.map((rule) => `    ${rule}`), '  }'];
}

function hook(name: string, priority: number): string {
  return `type filter hook ${name} priority ${priority}; policy accept;`;
}
