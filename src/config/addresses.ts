/** Whose an IP address is, as far as the program itself fixes it. */
import { BlockList, isIP } from 'node:net';

/** The private network of the machines (SPEC 5): whoever has an address of it is a guest, and no friend. */
const MACHINES_NETWORK = new BlockList();
MACHINES_NETWORK.addSubnet('169.254.0.0', 16, 'ipv4');

/** Whether an address lies in the machines' network, also where it is written as IPv6 (`::ffff:169.254.1.2`); names do not. */
export function isMachinesAddress(address: string): boolean {
  const plain = address.replace(/%.*$/, '');
  const family = isIP(plain);
  return family !== 0 && MACHINES_NETWORK.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}
