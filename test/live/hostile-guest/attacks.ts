/**
 * The attacks of the hostile machine (hostile.sh), what may come of each, and what stops it. The threat model
 * (etc/security.md) has the same rows; hostile-guest.test.ts holds both together.
 */

export interface Attack {
  /** As hostile.sh says it; `*` stands for what differs between attempts of one kind. */
  readonly name: string;
  /** What the machine may be told. */
  readonly result: RegExp;
  /** What stops it. */
  readonly rule: string;
}

const SENT = /^sent \d+$/;
const NOT_REACHED = /^(silent|closed)$/;

export const ATTACKS: readonly Attack[] = [
  { name: 'arp-claim-gateway', result: SENT, rule: 'ports: ARP sender must be the slot’s MAC and IP' },
  { name: 'arp-claim-metadata', result: SENT, rule: 'ports: ARP sender must be the slot’s MAC and IP' },
  { name: 'arp-claim-everybody', result: SENT, rule: 'ports: ARP sender must be the slot’s MAC and IP' },
  { name: 'ip-spoofed-syslog', result: SENT, rule: 'ports: source IP must be the slot’s' },
  { name: 'mac-spoofed', result: SENT, rule: 'ports: source MAC must be the slot’s' },
  { name: 'dhcp-server', result: SENT, rule: 'ports: no answers of a DHCP server from a machine' },
  { name: 'dhcp-flood', result: SENT, rule: 'ports: source MAC must be the slot’s; DHCP is limited a machine' },
  { name: 'ipv6-frames', result: SENT, rule: 'ports: only ARP and IPv4' },
  { name: 'vlan-frames', result: SENT, rule: 'ports: only ARP and IPv4' },
  { name: 'unknown-frames', result: SENT, rule: 'ports: only ARP and IPv4' },
  { name: 'ip-taken-user-data', result: /^silent$/, rule: 'ports: source IP must be the slot’s' },
  { name: 'identity-taken-user-data', result: /^silent$/, rule: 'ports: MAC and IP belong to one port' },
  { name: 'own-user-data-again', result: /^[1-9]\d*$/, rule: 'itself again, it is served as before' },
  { name: 'neighbour-http', result: NOT_REACHED, rule: 'bridge: nothing from machine to machine' },
  { name: 'neighbour-udp-sent', result: SENT, rule: 'bridge: nothing from machine to machine' },
  { name: 'neighbour-ping', result: /^silent$/, rule: 'bridge: nothing from machine to machine' },
  { name: 'neighbour-routed', result: NOT_REACHED, rule: 'forward: nothing back into the machines’ network' },
  { name: 'host-tcp-*', result: NOT_REACHED, rule: 'input: only DHCP, DNS, HTTP, NFS and syslog' },
  { name: 'vacquery-at-*', result: /^silent$/, rule: 'input: only DHCP, DNS, HTTP, NFS and syslog' },
  { name: 'flows', result: SENT, rule: 'connections that are tracked are limited a machine' },
  { name: 'nfs-others-*', result: /refused$/, rule: 'exports: for the machine’s own IP' },
  {
    name: 'nfs-root-*',
    result: /^(0|.*refused|.*denied.*|.*failed.*|.*No such.*)$/,
    rule: 'exports: for the machine’s own IP',
  },
  { name: 'http-traversal', result: /^(not found|bad name)$/, rule: 'HTTP: names, not paths' },
  { name: 'http-others', result: /^(not found|bad name)$/, rule: 'HTTP: a machine is its IP' },
  { name: 'http-held', result: /^held ([0-9]|[12][0-9]|3[0-2])$/, rule: 'HTTP: 32 connections a machine' },
  { name: 'http-large', result: /(413|400|403|507|^$)/, rule: 'HTTP: size of what is PUT' },
  { name: 'http-flood', result: /200 OK/, rule: 'HTTP: requests a second of a machine' },
  { name: 'syslog-forged', result: /^sent$/, rule: 'relay: lines are tagged by sender and escaped' },
  { name: 'syslog-flood', result: SENT, rule: 'input: lines a second of a machine; size of its log' },
  { name: 'syslog-tcp-held', result: /^held \d+$/, rule: 'input: connections of a machine' },
  {
    name: 'mknod',
    result: /not permitted|Permission|denied|Invalid|Input\/output/i,
    rule: 'exports: squashed to nobody; joboutputs nodev',
  },
  { name: 'chown', result: /^(65534|\d{3,}|.*not permitted.*)$/, rule: 'exports: squashed to nobody' },
  { name: 'setuid', result: /\d+|not permitted/, rule: 'joboutputs nosuid; not kept after its end' },
  { name: 'link-outside', result: /shadow/, rule: 'no link of a machine is followed on the host' },
  { name: 'link-up', result: /\d/, rule: 'no link of a machine is followed on the host' },
  { name: 'hard-link', result: /refused$/, rule: 'joboutputs are a file system of their own' },
  { name: 'fifo', result: /made|not permitted|denied/, rule: 'only regular files are read' },
  { name: 'shutdown-message-link', result: /made/, rule: 'no link of a machine is followed on the host' },
  { name: 'long-name', result: /refused|too long/i, rule: 'joboutputs are a file system of their own' },
  { name: 'fill-files', result: /^made \d+$/, rule: 'joboutputs are a file system of their own: files' },
  { name: 'fill-bytes', result: /^\d+$/, rule: 'joboutputs are a file system of their own: bytes' },
  { name: 'fill-scratch', result: /^\d+$/, rule: 'a disk has the size that it was given' },
  { name: 'forks', result: /^sent \d+$/, rule: 'a machine has its own processors and memory' },
];

/** The attack that a name from the machine belongs to. */
export function attackOf(name: string): Attack | undefined {
  return ATTACKS.find((attack) =>
    attack.name.endsWith('*') ? name.startsWith(attack.name.slice(0, -1)) : name === attack.name,
  );
}
