/** Where machines may send, as text: `192.0.2.0/24`, a single address, or either with a port, `192.0.2.7:3128`. */

import { parseIpNetwork } from './networks.js';

/** A network or address, and a TCP and UDP port, or null for everything. */
export interface EgressDestination {
  readonly address: string;
  readonly prefix: number;
  readonly port: number | null;
}

/** Undefined for what is none. IPv4 alone: machines have nothing else. */
export function parseEgressDestination(text: string): EgressDestination | undefined {
  const [, network = '', digits] = /^([^:]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const parsed = parseIpNetwork(network);
  const port = digits === undefined ? null : Number(digits);
  if (parsed?.family !== 'ipv4' || (port !== null && (port < 1 || port > 65535))) return undefined;
  return { address: parsed.address, prefix: parsed.prefix, port };
}
