/**
 * /metrics over HTTP, for Prometheus: small and short of patience. What a scrape costs is bounded: connections are few,
 * and each is closed after its answer or within seconds.
 *
 * Machines must not read it: whoever comes from their network, or to an address of it, is cut off without an answer.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { ListenOptions, Socket } from 'node:net';
import { isMachinesAddress } from '../config/addresses.js';

/** A Prometheus or two, a curl, and whoever hangs. */
const MAX_CONNECTIONS = 32;
/** A scrape has headers of a few hundred bytes. */
const MAX_HEADER_BYTES = 8 * 1024;
/** How long a request may take to come, and its answer to be taken. */
const PATIENCE_MS = 5_000;
const CHECK_MS = 1_000;

/** What is served. */
export interface Page {
  readonly contentType: string;
  readonly body: string | Uint8Array;
}

export interface ScrapeServerOptions {
  /** @throws Error it cannot be made now */
  readonly page: () => Promise<Page>;
  /** A line for the log. */
  readonly onProblem: (line: string) => void;
  readonly patienceMs?: number;
}

export class ScrapeServer {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();

  constructor(private readonly options: ScrapeServerOptions) {}

  /**
   * Serves there as well, until it is closed.
   *
   * @param where an address and a port, or the descriptor of a socket that listens already
   */
  async listen(where: ListenOptions & { readonly fd?: number }): Promise<void> {
    const server = this.makeServer();
    server.listen(where);
    await once(server, 'listening');
    server.on('error', (error) => this.options.onProblem(`/metrics: ${error.message}`));
    this.servers.push(server);
  }

  /** The port of the first; null: it listens nowhere. */
  get port(): number | null {
    const address = this.servers[0]?.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  /** Connections that are open. */
  get connections(): number {
    return this.sockets.size;
  }

  /** Cuts off who is connected. */
  async close(): Promise<void> {
    const closed = this.servers.splice(0).map((server) => {
      const done = once(server, 'close');
      server.close();
      return done;
    });
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
  }

  private makeServer(): Server {
    const { patienceMs = PATIENCE_MS } = this.options;
    const server = createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, connectionsCheckingInterval: Math.min(CHECK_MS, patienceMs) },
      (request, response) => void this.answer(request, response),
    );
    server.headersTimeout = patienceMs;
    server.requestTimeout = patienceMs;
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket) => {
      if (isMachinesAddress(socket.remoteAddress ?? '') || isMachinesAddress(socket.localAddress ?? '')) {
        socket.destroy();
        return;
      }
      this.sockets.add(socket);
      // Whatever it does or leaves undone meanwhile: no connection lives longer than this.
      const end = setTimeout(() => socket.destroy(), 2 * patienceMs);
      socket.once('close', () => {
        clearTimeout(end);
        this.sockets.delete(socket);
      });
    });
    return server;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '' } = request;
    const path = (request.url ?? '').split('?', 1)[0];
    if (path !== '/metrics') return reply(response, 404, 'there is only /metrics here\n');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return reply(response, 405, 'only GET and HEAD\n');
    }
    try {
      const { body, contentType } = await this.options.page();
      reply(response, 200, body, contentType, method === 'HEAD');
    } catch (error) {
      this.options.onProblem(`/metrics: ${(error as Error).message}`);
      reply(response, 500, 'the metrics could not be made; the log of vacd says why\n');
    }
  }
}

function reply(
  response: ServerResponse,
  status: number,
  body: string | Uint8Array,
  contentType = 'text/plain; charset=utf-8',
  headOnly = false,
): void {
  // One answer a connection: nobody who holds one open keeps others out.
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(headOnly ? undefined : body);
}
