/**
 * Who is answered: the factories of the space, this host itself, and `query_networks`. Never a machine: guests are
 * strangers, and their network is left out whatever else is configured.
 */

import { BlockList, isIPv6 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { isMachinesAddress } from '../config/addresses.js';
import type { IpNetwork } from '../config/types.js';

/** Addresses of a host change seldom, and asking for them costs more than refusing a stranger should. */
const OWN_ADDRESSES_MS = 30_000;

/** Guests have link-local addresses on their bridge as well. */
const LINK_LOCAL = new BlockList();
LINK_LOCAL.addSubnet('fe80::', 10, 'ipv6');

export interface AskersParts {
  readonly isFactory: (address: string) => boolean;
  /** As configured now. */
  readonly networks: () => readonly IpNetwork[];
  /** Milliseconds on a steady clock. */
  readonly nowMs: () => number;
  /** IP addresses of this host. */
  readonly ownAddresses?: (() => readonly string[]) | undefined;
}

export class Askers {
  private networks: readonly IpNetwork[] | null = null;
  /** A list of each family: a BlockList takes IPv4 for a part of ::/0. */
  private allowed = { ipv4: new BlockList(), ipv6: new BlockList() };
  private own = new Set<string>();
  private ownSinceMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: AskersParts) {}

  /** @param address as a socket tells it */
  mayAsk(address: string): boolean {
    const plain = plainAddress(address);
    const family = isIPv6(plain) ? 'ipv6' : 'ipv4';
    // Each look into a BlockList costs microseconds, and strangers may come in floods: none is made in vain.
    if (isMachinesAddress(plain) || (family === 'ipv6' && LINK_LOCAL.check(plain, family))) return false;
    if (this.parts.isFactory(plain) || plain.startsWith('127.') || plain === '::1' || this.isOwn(plain)) return true;
    return this.parts.networks().length > 0 && this.allowedNow()[family].check(plain, family);
  }

  private allowedNow(): Readonly<Record<IpNetwork['family'], BlockList>> {
    const networks = this.parts.networks();
    if (networks !== this.networks) {
      this.networks = networks;
      this.allowed = { ipv4: new BlockList(), ipv6: new BlockList() };
      for (const { address, prefix, family } of networks) this.allowed[family].addSubnet(address, prefix, family);
    }
    return this.allowed;
  }

  private isOwn(address: string): boolean {
    const { nowMs, ownAddresses = hostAddresses } = this.parts;
    if (nowMs() >= this.ownSinceMs + OWN_ADDRESSES_MS) {
      this.ownSinceMs = nowMs();
      this.own = new Set(ownAddresses());
    }
    return this.own.has(address);
  }
}

/** Without the zone of a link-local address, and IPv4 as IPv4 where a socket of both families tells it as IPv6. */
export function plainAddress(address: string): string {
  const [plain = ''] = address.split('%');
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(plain)?.[1] ?? plain;
}

function hostAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address));
}
