/** Whether this host has an address: asked before a server is started that would wait in vain for its sockets. */

import { createSocket } from 'node:dgram';

/** What is wrong with listening on the address, in words that follow "cannot listen on"; null: nothing. */
export async function addressProblem(address: string): Promise<string | null> {
  if (await isOwnAddress(address)) return null;
  return `${address}: no interface of this host has that address; is the machines' network up?`;
}

/** Whether a socket can be bound to the address. (A list of interfaces leaves out a bridge that has no machine yet.) */
function isOwnAddress(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', () => resolve(false));
    socket.bind({ address, port: 0 }, () => socket.close(() => resolve(true)));
  });
}
