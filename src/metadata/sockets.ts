/** Where the metadata service listens: bound by vacd, since the port is root's, and served by the child. */

import { VacError } from '../errors.js';
import { type BoundSocket, bindTcpSocket } from '../guard/sockets.js';

export interface ListenAddress {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
}

export class MetadataSockets {
  private readonly sockets = new Map<ListenAddress, BoundSocket>();

  constructor(private readonly addresses: readonly ListenAddress[]) {}

  /**
   * Listens at every address where it does not yet; what it has, it keeps when another fails. Connections wait until
   * somebody accepts them.
   *
   * @throws VacError `address-in-use`, `address-missing`
   */
  bind(): void {
    for (const wanted of this.addresses) {
      if (this.sockets.has(wanted)) continue;
      try {
        this.sockets.set(wanted, bindTcpSocket(wanted.address, wanted.port));
      } catch (error) {
        throw explained(error as NodeJS.ErrnoException, wanted);
      }
    }
  }

  /** Where it listens, with the ports that it has got. */
  bound(): ListenAddress[] {
    return [...this.sockets].map(([{ address }, { port }]) => ({ address, port }));
  }

  /** For the child. */
  descriptors(): ReadonlyMap<string, number> {
    return new Map([...this.sockets].map(([{ address }, { descriptor }]) => [address, descriptor]));
  }

  /** Frees the ports, as far as no child has them. */
  close(): void {
    for (const socket of this.sockets.values()) socket.close();
    this.sockets.clear();
  }
}

function explained(error: NodeJS.ErrnoException, { address, port }: ListenAddress): Error {
  if (error.code === 'EADDRINUSE') {
    const message = `${address}:${port} is in use by another program, and machines need it for their metadata; make that program listen on its own addresses only, or stop it (ss -ltnp shows which it is)`;
    return new VacError('address-in-use', message, { cause: error });
  }
  if (error.code === 'EADDRNOTAVAIL') {
    const message = `this host has no address ${address}, so ${address}:${port} cannot serve machines their metadata; start the machines' private network, which brings it (virsh net-list --all)`;
    return new VacError('address-missing', message, { cause: error });
  }
  return error;
}
