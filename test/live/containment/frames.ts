/** Frames as a hostile guest would forge them, as hex. Only what the tests of the machines' firewall need. */

export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
/** In every forged frame, so that a listener knows them. */
export const MARKER = Buffer.from('VAC-ATTACK').toString('hex');

const hex = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, '0');
const mac = (text: string) => text.replaceAll(':', '').toLowerCase();
const ip = (text: string) =>
  text
    .split('.')
    .map((part) => hex(Number(part), 1))
    .join('');

/** @param type 0x0800 for IPv4 and so on */
export function ethernet(to: string, from: string, type: number, payload: string): string {
  return `${mac(to)}${mac(from)}${hex(type, 2)}${payload}${MARKER}`.padEnd(120, '0');
}

export interface Arp {
  readonly operation: 1 | 2;
  readonly senderMac: string;
  readonly senderIp: string;
  readonly targetIp: string;
}

export function arp({ operation, senderMac, senderIp, targetIp }: Arp): string {
  return `000108000604${hex(operation, 2)}${mac(senderMac)}${ip(senderIp)}${'00'.repeat(6)}${ip(targetIp)}`;
}

export interface Packet {
  readonly from: string;
  readonly to: string;
  /** 17 is UDP, 1 ICMP, 6 TCP. */
  readonly protocol: number;
  /** Flags and offset of fragments. */
  readonly fragment?: number;
  /** Hex, a multiple of four bytes. */
  readonly options?: string;
}

export function ipv4({ from, to, protocol, fragment = 0, options = '' }: Packet, payload: string): string {
  const marked = `${payload}${MARKER}`;
  const words = 5 + options.length / 8;
  const head = (sum: string) =>
    `4${words.toString(16)}00${hex(4 * words + marked.length / 2, 2)}0001${hex(fragment, 2)}40${hex(protocol, 1)}${sum}${ip(from)}${ip(to)}${options}`;
  return `${head(checksum(head('0000')))}${marked}`;
}

export function udp(fromPort: number, toPort: number, payload: string): string {
  // Without a checksum (0), which IPv4 allows.
  return `${hex(fromPort, 2)}${hex(toPort, 2)}${hex(8 + (payload.length + MARKER.length) / 2, 2)}0000${payload}`;
}

/** @param flags 2 is SYN, 1 FIN; without a checksum, which makes it a packet of no connection */
export function tcp(fromPort: number, toPort: number, flags: number): string {
  return `${hex(fromPort, 2)}${hex(toPort, 2)}${'00'.repeat(8)}50${hex(flags, 1)}1000${'00'.repeat(4)}`;
}

/** BOOTP header and magic of a DHCP message. */
export function dhcp(operation: 1 | 2, clientMac: string, messageType: number): string {
  const head = `${hex(operation, 1)}010600${'12345678'}00000000${'00000000'.repeat(4)}${mac(clientMac)}`;
  return `${head}${'00'.repeat(10 + 192)}63825363${`3501${hex(messageType, 1)}`}ff`;
}

function checksum(header: string): string {
  let sum = 0;
  for (let at = 0; at < header.length; at += 4) sum += Number.parseInt(header.slice(at, at + 4), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return hex(~sum & 0xffff, 2);
}
