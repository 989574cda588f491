/** Datagrams over the host's UDP sockets, IPv4 and IPv6. */

import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { VacError } from '../errors.js';
import type { DatagramListener, Transport } from './transport.js';

export interface DgramOptions {
  /** `VACQUERY_PORT` for a responder, 0 (any) for a poll. */
  readonly port: number;
  /** Addresses to listen on; default all of the host. null: not this family. */
  readonly ipv4Address?: string | null;
  readonly ipv6Address?: string | null;
  /** Room in the kernel for answers that arrive faster than they are read; the kernel may give less. */
  readonly receiveBufferBytes?: number;
  /** An error of a socket that goes on working, as a line for the log. */
  readonly onProblem?: (message: string) => void;
}

/** 1,000 factories' answers about 10 machinetypes. */
export const RECEIVE_BUFFER_BYTES = 8 * 1024 * 1024;
/** A network that takes nothing must not fill the memory: what is over this waits no longer, but is lost. */
const MAX_QUEUED_BYTES = 8 * 1024 * 1024;

/** Errors that say that the host has no such address family. */
const NO_FAMILY = ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EPROTONOSUPPORT'];

/**
 * Opens one socket for each address family that the host has.
 *
 * @throws VacError `address-in-use` when another program has the port, `address-missing` when the host has none of the
 *   addresses
 */
export async function openDgramTransport(options: DgramOptions): Promise<Transport> {
  const wanted = [
    { type: 'udp4', address: options.ipv4Address === undefined ? ANY_ADDRESS.udp4 : options.ipv4Address },
    { type: 'udp6', address: options.ipv6Address === undefined ? ANY_ADDRESS.udp6 : options.ipv6Address },
  ] as const;
  const sockets = new Map<'udp4' | 'udp6', Socket>();
  try {
    for (const { type, address } of wanted) {
      if (address === null) continue;
      const socket = await bind(type, address, options);
      if (socket !== null) sockets.set(type, socket);
    }
    if (sockets.size === 0) {
      const addresses = wanted.flatMap(({ address }) => address ?? []).join(' nor ');
      throw new VacError(
        'address-missing',
        `this host has no address to use UDP port ${options.port} on: ${addresses}`,
      );
    }
    return new DgramTransport(sockets);
  } catch (error) {
    for (const socket of sockets.values()) socket.close();
    throw error;
  }
}

/**
 * Sends and receives on sockets that another process has bound and handed over.
 *
 * @param descriptors by family; at least one
 * @param onProblem told of an error of a socket that goes on working, as a line for the log
 */
export function adoptDgramTransport(
  descriptors: ReadonlyMap<'udp4' | 'udp6', number>,
  onProblem: (message: string) => void,
): Transport {
  const sockets = new Map<'udp4' | 'udp6', Socket>();
  for (const [type, fd] of descriptors) {
    const socket = createSocket(socketOptions(type));
    socket.bind({ fd });
    sockets.set(type, socket);
    afterBinding(socket, `handed over for ${type}`, onProblem, RECEIVE_BUFFER_BYTES);
  }
  return new DgramTransport(sockets);
}

/** By address; an IPv6 socket leaves IPv4 to that of IPv4. */
export const ANY_ADDRESS = { udp4: '0.0.0.0', udp6: '::' } as const;

class DgramTransport implements Transport {
  readonly #sockets: ReadonlyMap<'udp4' | 'udp6', Socket>;
  #listener: DatagramListener = () => {};
  #closed = false;
  /** Where both families have any port that was free: that of the first. */
  readonly port: number;

  constructor(sockets: ReadonlyMap<'udp4' | 'udp6', Socket>) {
    this.#sockets = sockets;
    this.port = [...sockets.values()][0]!.address().port;
    for (const socket of sockets.values()) {
      socket.on('message', (datagram: Buffer, from: RemoteInfo) => this.#listener(datagram, from));
    }
  }

  onDatagram(listener: DatagramListener): void {
    this.#listener = listener;
  }

  send(datagram: Uint8Array, address: string, port: number): void {
    const socket = this.#sockets.get(isIPv6(address) ? 'udp6' : 'udp4');
    if (this.#closed || socket === undefined || socket.getSendQueueSize() > MAX_QUEUED_BYTES) return;
    try {
      socket.send(datagram, port, address, ignoreSendError);
    } catch {
      // A port or address that is none: the datagram is lost, like one to a host that is none.
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all([...this.#sockets.values()].map((socket) => new Promise<void>((done) => socket.close(done))));
  }
}

/** Unreachable hosts, full buffers, filters: UDP promises nothing, and the protocol asks again. */
function ignoreSendError(): void {}

/** A bound socket, or null when the host does not have the address family. */
async function bind(type: 'udp4' | 'udp6', address: string, options: DgramOptions): Promise<Socket | null> {
  const { port } = options;
  const socket = createSocket(socketOptions(type));
  try {
    await new Promise<void>((bound, failed) => {
      socket.once('error', failed);
      socket.bind({ address, port, exclusive: true }, () => {
        socket.off('error', failed);
        bound();
      });
    });
  } catch (error) {
    socket.close();
    const problem = bindProblem(error, address, port);
    if (problem === null) return null;
    throw problem;
  }
  afterBinding(socket, `on ${address}:${port}`, options.onProblem, options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES);
  return socket;
}

/** What an error of binding a UDP socket means; null: that the host does not have the address family. */
export function bindProblem(error: unknown, address: string, port: number): Error | null {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') {
    return new VacError(
      'address-in-use',
      `UDP port ${port} is taken on ${address}: another vacd, or the predecessor's, answers VacQuery there; stop it first (ss -ulpn shows it)`,
      { cause: error },
    );
  }
  return code !== undefined && NO_FAMILY.includes(code) ? null : (error as Error);
}

function socketOptions(type: 'udp4' | 'udp6'): SocketOptions {
  return {
    type,
    ipv6Only: type === 'udp6',
    // Only IP addresses are ever sent to; Node would have its resolver look even at these, a tick later.
    lookup: (host, _options, found) => found(null, host, type === 'udp4' ? 4 : 6),
  };
}

/** @param which socket, as words for the log */
function afterBinding(
  socket: Socket,
  which: string,
  onProblem: ((message: string) => void) | undefined,
  receiveBufferBytes: number,
): void {
  socket.on('error', (error) => onProblem?.(`UDP socket ${which}: ${error.message}`));
  try {
    socket.setRecvBufferSize(receiveBufferBytes);
  } catch (error) {
    onProblem?.(`receive buffer of UDP socket ${which}: ${(error as Error).message}`);
  }
}
