import { closeSync } from 'node:fs';
import { binding } from './native.js';

/**
 * A socket that is bound here and served by another process, which inherits its descriptor. Node's own servers and
 * sockets cannot be used for that: they begin to accept and to receive as soon as they are bound.
 */
export class BoundSocket {
  #descriptor: number;

  /** @internal */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** For the `stdio` of a child process. */
  get descriptor(): number {
    if (this.#descriptor < 0) throw new Error('the socket is closed');
    return this.#descriptor;
  }

  /** The port that it has got. */
  get port(): number {
    return binding.socketPort(this.descriptor);
  }

  /** Closes it here; who has inherited it still has it. */
  close(): void {
    if (this.#descriptor < 0) return;
    closeSync(this.#descriptor);
    this.#descriptor = -1;
  }
}

/**
 * A TCP socket that listens at an IP address; connections wait in its backlog until a process accepts them. Throws an
 * Error with `code` (as `EADDRINUSE`, `EADDRNOTAVAIL`) and `syscall`, as Node's own have them.
 */
export function listenTcp(address: string, port: number, backlog: number): BoundSocket {
  return new BoundSocket(binding.listenTcp(address, port, backlog));
}

/** A bound UDP socket; datagrams wait in its buffer until a process receives them. Throws as {@link listenTcp}. */
export function bindUdp(address: string, port: number): BoundSocket {
  return new BoundSocket(binding.bindUdp(address, port));
}
