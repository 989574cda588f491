/** IP networks as text: `192.0.2.0/24`, `2001:db8::/32`, or a single address. */
import { isIP } from 'node:net';

/** A single address is a network with the longest prefix. */
export interface IpNetwork {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** ::ffff:0:0/96: IPv4 addresses written as IPv6. */
const MAPPED_BITS = `${'0'.repeat(80)}${'1'.repeat(16)}`;

/**
 * Undefined for what is none. Strict: no bits after the prefix, because `192.0.2.7/24` is most often an address that was
 * meant, or a typing error in the prefix, and either would let in others than meant. IPv4 is to be written as IPv4: that
 * is how it arrives.
 */
export function parseIpNetwork(text: string): IpNetwork | undefined {
  const [, address = '', digits] = /^([0-9A-Fa-f.:]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0) return undefined;
  const bits = version === 4 ? ipv4Bits(address) : ipv6Bits(address);
  const prefix = digits === undefined ? bits.length : Number(digits);
  if (prefix > bits.length || bits.slice(prefix).includes('1')) return undefined;
  if (version === 6 && bits.startsWith(MAPPED_BITS)) return undefined;
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

function ipv4Bits(address: string): string {
  return address
    .split('.')
    .map((part) => toBits(Number(part), 8))
    .join('');
}

function ipv6Bits(address: string): string {
  const [head = '', tail] = address.split('::').map((half) => half.split(':').map(groupBits).join(''));
  return tail === undefined ? head : head + tail.padStart(128 - head.length, '0');
}

/** Of one group, of none, or of the IPv4 address that the last two may be written as. */
function groupBits(group: string): string {
  if (group === '') return '';
  return group.includes('.') ? ipv4Bits(group) : toBits(Number.parseInt(group, 16), 16);
}

function toBits(value: number, width: number): string {
  return value.toString(2).padStart(width, '0');
}
