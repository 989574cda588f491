/**
 * The table of family `inet`: where to. What a machine reaches of this host's services, what it may send through the host,
 * and how fast. Pure.
 */

import { MOUNT_PORT, NFS_PORT } from '../host/nfs-exports.js';
import {
  type ContainmentWish,
  type DropReason,
  RATES,
  SERVICE_CONNECTIONS,
  type SyslogContainment,
  slotCounter,
  TABLE,
} from './containment-wish.js';
import { GATEWAY_IP, METADATA_IP, slotIp } from './layout.js';
import { BRIDGE_NAME } from './network-xml.js';
import { chain, elements, hook, limited, ours, rateRule, sizeOf, slotsOf } from './nft-text.js';

/** VacQuery's port (SPEC 3): other factories see a machine's datagrams with this host's address, and would answer. */
const VACQUERY_PORT = 995;

/** Of NFS version 3. */
const PORTMAPPER_PORT = 111;

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

const INET_RATES = ['dns_rate', 'icmp_rate', 'syslog_rate', 'syslog_tcp_rate', 'connection_rate'] as const;

const COUNT_SETS = ['connections', 'dns_connections', 'nfs_connections', 'syslog_connections'] as const;

/** Sets of it that packets fill. */
export const INET_FILLED: readonly string[] = [...INET_RATES, ...COUNT_SETS];

export function inetTable(wish: ContainmentWish): string[] {
  const { hasNfs, syslog, maxConnections } = wish;
  const fresh = [
    `tcp flags & (fin|syn|rst|ack) == syn ${rateRule('connection_rate', 'ip saddr', RATES.connections, 'flood_connections')}`,
    `ct state new ${countRule('connections', maxConnections, 'too_many_connections')}`,
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
    ...COUNT_SETS.map((name) => `  set ${name} { type ipv4_addr; size ${sizeOf(wish)}; flags dynamic; }`),
    ...chain('dropped', ['counter name ip saddr map @dropped_of', 'drop']),
    ...chain('to_services', [
      'meta nfproto ipv6 counter name other_protocol drop',
      // Judged on its port already, with its sender's MAC.
      `udp sport 68 udp dport 67 ip daddr { 255.255.255.255, ${GATEWAY_IP} } accept`,
      // Before anything known is let through: a flood of datagrams may well be one connection.
      `udp dport 53 ${rateRule('dns_rate', 'ip saddr', RATES.dns, 'flood_dns')}`,
      `ip protocol icmp ${rateRule('icmp_rate', 'ip saddr', RATES.icmp, 'flood_icmp')}`,
      ...(syslog === null ? [] : syslogLimits(syslog)),
      'ct state established accept',
      // Errors on what is known; not connections that a helper of conntrack (FTP and such) was told to expect.
      'ct state related ip protocol icmp accept',
      ...fresh,
      `tcp dport 53 ${countRule('dns_connections', SERVICE_CONNECTIONS.dns, 'flood_dns')}`,
      `ip daddr ${GATEWAY_IP} udp dport 53 accept`,
      `ip daddr ${GATEWAY_IP} tcp dport 53 accept`,
      `ip daddr { ${GATEWAY_IP}, ${METADATA_IP} } tcp dport 80 accept`,
      ...(hasNfs
        ? [
            `tcp dport { ${PORTMAPPER_PORT}, ${NFS_PORT}, ${MOUNT_PORT} } ${countRule('nfs_connections', SERVICE_CONNECTIONS.nfs, 'too_many_connections')}`,
            `ip daddr ${METADATA_IP} tcp dport { ${PORTMAPPER_PORT}, ${NFS_PORT}, ${MOUNT_PORT} } accept`,
            `ip daddr ${METADATA_IP} udp dport { ${PORTMAPPER_PORT}, ${MOUNT_PORT} } accept`,
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
      // NAT passes it by, so it would leave with its machine's own address, and in no log of connections.
      'ct state invalid counter name odd_packet goto dropped',
      // Sent to this host, which hands it on to a container or the like: a service of the host as any.
      'ct status dnat counter name to_host goto dropped',
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

/** For packets that begin a connection: each address may have so many at a time. */
function countRule(set: string, most: number, reason: DropReason): string {
  return `add @${set} { ip saddr ct count over ${most} } counter name ${reason} goto dropped`;
}

/** Before what is known already is let through, for that is all of it but the first packet. */
function syslogLimits({ udpPort, tcpPorts, datagrams, bytes, maxConnections }: SyslogContainment): string[] {
  const tcp = `tcp dport { ${tcpPorts.join(', ')} }`;
  const drop = 'counter name flood_syslog_tcp goto dropped';
  return [
    `udp dport ${udpPort} ${rateRule('syslog_rate', 'ip saddr', datagrams, 'flood_syslog')}`,
    `${tcp} update @syslog_tcp_rate { ip saddr limit rate over ${bytes.perSecond} bytes/second burst ${bytes.burst} bytes } ${drop}`,
    `${tcp} ct state new ${countRule('syslog_connections', maxConnections, 'flood_syslog_tcp')}`,
  ];
}
