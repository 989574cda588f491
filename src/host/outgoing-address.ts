/** By which interface and address machines' traffic leaves this host: what the outside sees of them (NAT). */

import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';

export interface OutgoingAddress {
  readonly device: string;
  /** IPv4; null: the interface has none now. */
  readonly address: string | null;
}

/** RTF_UP and no RTF_REJECT (linux/route.h). */
const UP = 0x1;
const REJECT = 0x200;

/**
 * @param forwardDev the only interface that machines may leave by; null: the one of the default route
 * @returns null when there is no way out
 */
export async function outgoingAddress(
  forwardDev: string | null,
  routesPath = '/proc/net/route',
): Promise<OutgoingAddress | null> {
  const device = forwardDev ?? defaultDevice(await readFile(routesPath, 'utf8').catch(() => ''));
  if (device === null) return null;
  const addresses = networkInterfaces()[device] ?? [];
  return { device, address: addresses.find(({ family }) => family === 'IPv4')?.address ?? null };
}

/** The interface of the default route with the lowest metric in /proc/net/route; null: there is none. */
export function defaultDevice(routes: string): string | null {
  const found = routes
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter(([, destination, , flags, , , , mask]) => {
      const bits = Number.parseInt(flags ?? '', 16);
      return destination === '00000000' && mask === '00000000' && (bits & UP) !== 0 && (bits & REJECT) === 0;
    })
    .sort((one, other) => Number(one[6]) - Number(other[6]));
  return found[0]?.[0] ?? null;
}
