/**
 * /metrics over HTTP, for Prometheus: a server of its own, small and short of patience, in the loop's process. What a
 * scrape costs is bounded: the text is made once a second however many ask (metrics.ts), connections are few, and each
 * is closed after its answer or within seconds.
 *
 * Machines must not read it: whoever comes from their network, or to an address of it, is cut off without an answer.
 */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { isMachinesAddress } from '../config/addresses.js';
import type { HostPort } from '../config/types.js';
import { resolveHost } from '../host/resolve.js';
import type { Logger } from './log.js';

/** A Prometheus or two, a curl, and whoever hangs. */
const MAX_CONNECTIONS = 32;
/** A scrape has headers of a few hundred bytes. */
const MAX_HEADER_BYTES = 8 * 1024;
/** How long a request may take to come, and its answer to be taken. */
const PATIENCE_MS = 5_000;
const CHECK_MS = 1_000;
/** A port that is taken, or an address that the host does not have yet, is tried again after so long. */
const RETRY_MS = 30_000;

export interface MetricsServerOptions {
  readonly patienceMs?: number;
  readonly retryMs?: number;
}

export class MetricsServer {
  private wanted: HostPort | null = null;
  private server: Server | null = null;
  private retry: NodeJS.Timeout | null = null;
  private toldProblem: string | null = null;
  /** One change at a time, so that an old port is given up before the next is taken. */
  private changes: Promise<void> = Promise.resolve();
  private readonly sockets = new Set<Socket>();

  constructor(
    private readonly page: { readonly contentType: string; text(): Promise<string> },
    private readonly log: Logger,
    private readonly options: MetricsServerOptions = {},
  ) {}

  /**
   * Serves there from now on; null: nowhere. Never rejects: where it cannot listen it says so in the log, once for each
   * trouble, and tries again. Resolves when the first try is over.
   */
  listen(where: HostPort | null): Promise<void> {
    const same = where?.host === this.wanted?.host && where?.port === this.wanted?.port;
    if (same) return this.changes;
    this.wanted = where;
    this.toldProblem = null;
    this.changes = this.changes.then(() => this.change(where));
    return this.changes;
  }

  /** The port that it listens on; null: on none. */
  get port(): number | null {
    const address = this.server?.address();
    return typeof address === 'object' && address !== null ? address.port : null;
  }

  async close(): Promise<void> {
    await this.listen(null);
  }

  private async change(where: HostPort | null): Promise<void> {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    if (this.server !== null) {
      const closed = once(this.server, 'close');
      this.server.close();
      for (const socket of this.sockets) socket.destroy();
      this.server = null;
      await closed;
    }
    if (where !== null) await this.open(where);
  }

  private async open(where: HostPort): Promise<void> {
    const { host, port } = where;
    const server = this.makeServer();
    try {
      // Not left to `listen`: its lookups would hold up the end of this process.
      const [address] = await resolveHost(host).catch((error: Error) => {
        throw new Error(`${host} does not resolve (${error.message})`);
      });
      server.listen(port, address);
      await once(server, 'listening');
      this.server = server;
      server.on('error', (error) => this.log.warn(`/metrics: ${error.message}`));
      this.log.info(`/metrics is served at http://${host.includes(':') ? `[${host}]` : host}:${this.port}/metrics`);
    } catch (error) {
      const { retryMs = RETRY_MS } = this.options;
      const problem = explained(error as NodeJS.ErrnoException, where);
      if (problem !== this.toldProblem) this.log.warn(`${problem}; tried again every ${retryMs / 1000} s`);
      this.toldProblem = problem;
      this.retry = setTimeout(() => {
        this.changes = this.changes.then(async () => {
          if (this.wanted === where && this.server === null) await this.open(where);
        });
      }, retryMs);
      this.retry.unref();
    }
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
      const text = await this.page.text();
      reply(response, 200, text, this.page.contentType, method === 'HEAD');
    } catch (error) {
      this.log.warn(`/metrics: ${(error as Error).message}`);
      reply(response, 500, 'the metrics could not be made; the log of vacd says why\n');
    }
  }
}

function reply(
  response: ServerResponse,
  status: number,
  body: string,
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

function explained({ code, message }: NodeJS.ErrnoException, { host, port }: HostPort): string {
  const where = `/metrics cannot be served at ${host}:${port}`;
  if (code === 'EADDRINUSE')
    return `${where}: another program has that port (ss -ltnp shows which); see metrics_listen`;
  if (code === 'EADDRNOTAVAIL') return `${where}: this host has no such address; see metrics_listen`;
  return `${where}: ${message}; see metrics_listen`;
}
