/** The metadata service's sockets: HTTP servers with limits, since any machine may turn out hostile. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { VacError } from '../errors.js';
import type { GuestOwner } from '../host/guest-owner.js';
import { handle, type MetadataSource } from './handler.js';
import { type MetadataResponse, text } from './response.js';

export interface ListenAddress {
  readonly address: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface MetadataServerOptions {
  readonly guestOwner: GuestOwner;
  /** Told, in one line, of requests that failed through a fault of the host; the client only gets "error". */
  readonly onProblem?: (message: string) => void;
}

const HEADERS_TIMEOUT_MS = 10_000;
/** For a whole request, and for a connection on which nothing moves. */
const REQUEST_TIMEOUT_MS = 60_000;
const KEEP_ALIVE_MS = 5_000;
const MAX_HEADER_BYTES = 8192;
/** At each address. */
const MAX_CONNECTIONS = 1024;
/** One machine cannot take the connections of all others. */
export const MAX_CONNECTIONS_PER_CLIENT = 32;

export class MetadataServer {
  private readonly servers = new Map<ListenAddress, Server>();
  private readonly connections = new Map<string, number>();

  constructor(
    private readonly addresses: readonly ListenAddress[],
    private readonly source: MetadataSource,
    private readonly options: MetadataServerOptions,
  ) {}

  /**
   * Listens at every address where it does not yet; what it has, it keeps when another fails.
   *
   * @throws VacError `address-in-use`, `address-missing`
   */
  async listen(): Promise<void> {
    for (const address of this.addresses) {
      if (this.servers.has(address)) continue;
      const server = this.createServer();
      await bind(server, address);
      server.on('error', (error) => this.report(error.message));
      this.servers.set(address, server);
    }
  }

  /** Where it listens, with the ports that it has got. */
  bound(): ListenAddress[] {
    return [...this.servers.values()].map((server) => server.address() as AddressInfo);
  }

  /** Stops at once, in the middle of requests too. It may listen again. */
  async close(): Promise<void> {
    const servers = [...this.servers.values()];
    this.servers.clear();
    await Promise.all(
      servers.map(async (server) => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  private createServer(): Server {
    const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: 5_000 });
    server.headersTimeout = HEADERS_TIMEOUT_MS;
    server.requestTimeout = REQUEST_TIMEOUT_MS;
    server.timeout = REQUEST_TIMEOUT_MS;
    server.keepAliveTimeout = KEEP_ALIVE_MS;
    server.maxConnections = MAX_CONNECTIONS;
    // A client may end its side with the last byte of its request, as nc does: it still gets what it asked for, and
    // what it PUT is kept. Node knows this switch (lib/_http_server.js) but not its types.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on('connection', (socket) => this.count(socket));
    server.on('request', (request, response) => void this.answer(request, response));
    return server;
  }

  private count(socket: Socket): void {
    const client = socket.remoteAddress ?? '';
    const count = (this.connections.get(client) ?? 0) + 1;
    this.connections.set(client, count);
    socket.once('close', () => {
      const left = (this.connections.get(client) ?? 1) - 1;
      if (left === 0) this.connections.delete(client);
      else this.connections.set(client, left);
    });
    if (count > MAX_CONNECTIONS_PER_CLIENT) socket.destroy();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const clientIp = request.socket.remoteAddress ?? '';
    try {
      const answer = await handle(
        {
          method: request.method ?? '',
          target: request.url ?? '',
          clientIp,
          // The connection is still wanted for the answer when a body is not read to its end.
          body: request.iterator({ destroyOnReturn: false }),
        },
        this.source,
        this.options.guestOwner,
      );
      await send(request, response, answer);
    } catch (error) {
      if (request.socket.destroyed) return;
      this.report(`${request.method} from ${clientIp} failed: ${(error as Error).message}`);
      if (response.headersSent) request.socket.destroy();
      else await send(request, response, text('error\n', 500));
    }
  }

  private report(problem: string): void {
    this.options.onProblem?.(`metadata: ${problem}`);
  }
}

async function send(request: IncomingMessage, response: ServerResponse, answer: MetadataResponse): Promise<void> {
  const { status, contentType, body } = answer;
  const headers = { 'content-type': contentType, ...(status === 405 ? { allow: 'GET, HEAD, PUT' } : {}) };
  if (body instanceof Readable) {
    response.writeHead(status, headers);
    if (request.method === 'HEAD') body.destroy();
    else return pipeline(body, response);
  } else {
    response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) });
  }
  response.end(request.method === 'HEAD' ? undefined : body);
  // What was not wanted of a body is read and dropped, so that the connection comes to its next request.
  request.resume();
}

async function bind(server: Server, { address, port }: ListenAddress): Promise<void> {
  server.listen(port, address);
  await once(server, 'listening').catch((error: NodeJS.ErrnoException) => {
    throw explained(error, address, port);
  });
}

function explained(error: NodeJS.ErrnoException, address: string, port: number): Error {
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
