/** Sockets that vacd binds, as only root may, and its child serves. What arrives while there is no child waits here. */

import { type BoundSocket, bindUdp, listenTcp } from 'libvirt';

export type { BoundSocket };

/** How many connections may wait to be accepted: as many as all slots of a large host open at once while a child starts. */
const BACKLOG = 511;

/** @throws Error with `code` as Node's: `EADDRINUSE`, `EADDRNOTAVAIL`, … */
export function bindTcpSocket(address: string, port: number): BoundSocket {
  return listenTcp(address, port, BACKLOG);
}

/** @throws Error with `code` as Node's */
export function bindUdpSocket(address: string, port: number): BoundSocket {
  return bindUdp(address, port);
}
