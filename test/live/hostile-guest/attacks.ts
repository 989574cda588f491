/**
 * The attacks of the hostile machine (hostile.sh), what must come of each, and what stops it. The threat model
 * (etc/security.md) has the same rows; hostile-guest.test.ts holds both together.
 */

import { SYSLOG_DATAGRAMS_BURST, SYSLOG_DATAGRAMS_PER_SECOND } from '../../../src/host/syslog-limits.js';
import type { DropReason } from '../../../src/machines/containment-wish.js';

/** Of what is cut to a rate, by the seconds that it took at most. */
type Dropped = number | ((seconds: number) => number);

export interface Attack {
  /** As hostile.sh says it; `*` stands for what differs between attempts of one kind. */
  readonly name: string;
  /** What the machine is told. */
  readonly result: RegExp;
  /** What stops it. */
  readonly rule: string;
  /** Packets that the firewall must have dropped for it at least, all attempts of this kind together. */
  readonly dropped?: Readonly<Partial<Record<DropReason, Dropped>>>;
}

/** Of the site's options, so that they are reached soon. */
export const JOBOUTPUTS_MB = 20;
export const JOBOUTPUTS_FILES = 300;
/** An address of the host that is not on the machines' network. */
export const OTHER_HOST_IP = '192.0.2.1';
/** Datagrams of syslog-flood and syslog-forged. */
export const SYSLOG_SENT = 15_001;
/** For so long the kernel remembers a datagram that nobody answered. */
const UNANSWERED_SECONDS = 30;

const SILENT = /^silent$/;
const sent = (count: number) => new RegExp(`^sent ${count}$`);
const statusLine = (status: string) => new RegExp(`^HTTP/1\\.1 ${status}$`);

export const ATTACKS: readonly Attack[] = [
  {
    name: 'arp-claim-gateway',
    result: sent(50),
    dropped: { neighbour: 50 },
    rule: 'port: nothing from machine to machine',
  },
  {
    name: 'arp-claim-metadata',
    result: sent(50),
    dropped: { neighbour: 50 },
    rule: 'port: nothing from machine to machine',
  },
  {
    name: 'arp-claim-everybody',
    result: sent(50),
    dropped: { spoofed_arp: 50 },
    rule: 'port: ARP of its own MAC and IP',
  },
  {
    name: 'arp-claim-neighbour',
    result: sent(50),
    dropped: { spoofed_arp: 50 },
    rule: 'port: ARP of its own MAC and IP',
  },
  { name: 'ip-spoofed-syslog', result: sent(50), dropped: { spoofed_ip: 50 }, rule: 'port: packets from its own IP' },
  { name: 'mac-spoofed', result: sent(100), dropped: { spoofed_mac: 100 }, rule: 'port: frames from its own MAC' },
  { name: 'lldp-frames', result: sent(20), dropped: { odd_packet: 20 }, rule: 'port: none to addresses of bridges' },
  { name: 'dhcp-server', result: sent(100), dropped: { rogue_dhcp: 100 }, rule: 'port: no answers of a DHCP server' },
  { name: 'dhcp-release', result: sent(10), dropped: { spoofed_dhcp: 10 }, rule: 'port: DHCP for its own MAC' },
  {
    name: 'dhcp-flood',
    result: sent(1000),
    dropped: { spoofed_mac: 500, spoofed_dhcp: 1, flood_dhcp: 200 },
    rule: 'port: DHCP for its own MAC, and its rate',
  },
  { name: 'ipv6-frames', result: sent(50), dropped: { other_protocol: 50 }, rule: 'port: ARP and IPv4 alone' },
  { name: 'vlan-frames', result: sent(50), dropped: { other_protocol: 50 }, rule: 'port: ARP and IPv4 alone' },
  { name: 'unknown-frames', result: sent(50), dropped: { other_protocol: 50 }, rule: 'port: ARP and IPv4 alone' },
  {
    name: 'ip-taken-user-data',
    result: SILENT,
    dropped: { spoofed_arp: 5, spoofed_ip: 1 },
    rule: 'port: packets from its own IP',
  },
  {
    name: 'identity-taken-user-data',
    result: SILENT,
    dropped: { spoofed_mac: 1 },
    rule: 'port: MAC and IP belong to one port',
  },
  { name: 'own-user-data-again', result: statusLine('200 OK'), rule: 'itself again, it is served as before' },
  {
    name: 'neighbour-search',
    result: SILENT,
    dropped: { neighbour: 1 },
    rule: 'port: nothing from machine to machine',
  },
  { name: 'neighbour-ping', result: SILENT, dropped: { neighbour: 2 }, rule: 'port: nothing from machine to machine' },
  {
    name: 'neighbour-udp',
    result: sent(50),
    dropped: { neighbour: 50 },
    rule: 'port: nothing from machine to machine',
  },
  { name: 'neighbour-http', result: SILENT, dropped: { neighbour: 1 }, rule: 'port: nothing from machine to machine' },
  {
    name: 'neighbour-broadcast',
    result: sent(50),
    dropped: { to_host: 50 },
    rule: 'bridge: nothing from machine to machine',
  },
  {
    name: 'neighbour-routed',
    result: SILENT,
    dropped: { neighbour: 1 },
    rule: 'host: nothing back into their network',
  },
  {
    name: 'host-tcp-at-169.254.169.254',
    result: /^open 80( 111)? 514 2049( 20048)?$/,
    dropped: { to_host: 7 },
    rule: 'host: only HTTP, NFS and syslog',
  },
  {
    name: 'host-tcp-at-169.254.169.253',
    result: /^open 53 80$/,
    dropped: { to_host: 10 },
    rule: 'host: only DNS and HTTP',
  },
  {
    name: `host-tcp-at-${OTHER_HOST_IP}`,
    result: /^open none$/,
    dropped: { to_host: 12 },
    rule: 'host: nothing at other addresses',
  },
  { name: 'vacquery-at-*', result: SILENT, dropped: { to_host: 3 }, rule: 'host: no VacQuery' },
  { name: 'nfs-others-*', result: /^refused$/, rule: "exports: for the machine's own IP" },
  { name: 'nfs-root-*', result: /^names \d+, files 0$/, rule: "exports: for the machine's own IP" },
  { name: 'http-traversal', result: statusLine('404 Not Found'), rule: 'HTTP: names, not paths' },
  { name: 'http-others', result: statusLine('404 Not Found'), rule: 'HTTP: a machine is its IP' },
  { name: 'http-held', result: /^held (3[0-2]|2\d)$/, rule: 'HTTP: connections of a machine' },
  { name: 'http-large', result: statusLine('413 Payload Too Large'), rule: 'HTTP: size of what is PUT' },
  {
    name: 'http-flood',
    result: /^200: [3-9]\d\d, 429: [1-9]\d*, not answered: \d+$/,
    rule: 'HTTP: requests of a machine',
  },
  { name: 'syslog-forged', result: sent(1), rule: 'relay: lines are tagged by sender and escaped' },
  {
    name: 'syslog-flood',
    result: sent(15_000),
    dropped: { flood_syslog: (seconds) => 15_000 - SYSLOG_DATAGRAMS_BURST - SYSLOG_DATAGRAMS_PER_SECOND * seconds },
    rule: 'host: syslog of a machine',
  },
  {
    name: 'syslog-tcp-held',
    result: /^held [1-8]$/,
    dropped: { flood_syslog_tcp: 1 },
    rule: 'host: syslog connections of a machine',
  },
  {
    name: 'flows',
    result: sent(20_000),
    dropped: { too_many_connections: (seconds) => (seconds < UNANSWERED_SECONDS ? 3000 : 0) },
    rule: 'host: tracked connections of a machine',
  },
  { name: 'mknod', result: /Operation not permitted$/, rule: 'exports: all users are one' },
  // nfs-ganesha lets it believe so; the test looks at the host's side.
  { name: 'chown', result: /(^believed|Operation not permitted)$/, rule: 'exports: all users are one' },
  { name: 'setuid', result: /^[246]?755$/, rule: 'nosuid; plain copies' },
  { name: 'link-outside', result: /^\/etc\/shadow$/, rule: 'no link of a machine is followed' },
  { name: 'link-up', result: /^\.\.\/user_data$/, rule: 'no link of a machine is followed' },
  { name: 'hard-link', result: /^refused$/, rule: 'a file system of its own' },
  { name: 'fifo', result: /^made$/, rule: 'only plain files are read' },
  { name: 'shutdown-message-link', result: /^made$/, rule: 'only plain files are read' },
  { name: 'long-name', result: /^refused$/, rule: 'a file system of its own' },
  { name: 'fill-files', result: /^made (29|3\d)\d$/, rule: 'a file system of its own' },
  { name: 'fill-bytes', result: /^made (19|2\d) MiB$/, rule: 'a file system of its own' },
  { name: 'fill-scratch', result: /^[5-9]\d{7}$/, rule: 'size of its disk' },
  { name: 'forks', result: /^sent [1-9]\d*$/, rule: 'its own processors and memory' },
  { name: 'console-flood', result: /^over$/, rule: 'virtlogd: size of a console' },
];

/** The attack that a name from the machine belongs to. */
export function attackOf(name: string): Attack | undefined {
  return ATTACKS.find((attack) =>
    attack.name.endsWith('*') ? name.startsWith(attack.name.slice(0, -1)) : name === attack.name,
  );
}

/**
 * Packets that must have been dropped at least, by reason, for all attacks.
 *
 * @param secondsOf how long an attack took at most
 */
export function droppedAtLeast(secondsOf: (name: string) => number): Map<DropReason, number> {
  const sums = new Map<DropReason, number>();
  for (const { name, dropped = {} } of ATTACKS) {
    for (const [reason, packets] of Object.entries(dropped) as [DropReason, Dropped][]) {
      const atLeast = typeof packets === 'number' ? packets : Math.max(0, packets(secondsOf(name)));
      sums.set(reason, (sums.get(reason) ?? 0) + atLeast);
    }
  }
  return sums;
}
