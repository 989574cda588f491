/**
 * The metadata service over HTTP, with limits, since any machine may turn out hostile. What Node itself limits is set
 * here; what it does not is in limits.ts, and as deadlines that a sweep looks after.
 */

import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { handle } from './handler.js';
import { ClientLimits, REQUESTS } from './limits.js';
import { type MetadataResponse, text } from './response.js';
import { HostFault, type MetadataSource, TooMuch } from './source.js';

export interface MetadataServerOptions {
  /** Told, in one line, of requests that failed through a fault of the host; the client only gets "error". */
  readonly onProblem?: (line: string) => void;
  /** Other deadlines, in ms, for tests. */
  readonly deadlines?: Partial<typeof DEADLINES_MS>;
}

export const DEADLINES_MS = {
  /** From the first byte of a request (or the opening of the connection) to the end of its headers. */
  headers: 10_000,
  /** To the end of its body, and for a connection on which nothing moves. */
  request: 60_000,
  /** From the last of a request to the last byte of its answer, however slowly the client reads. */
  answer: 300_000,
  keepAlive: 5_000,
  sweep: 5_000,
};
const MAX_HEADER_BYTES = 8192;
const MAX_HEADERS = 64;
/** At each address. */
const MAX_CONNECTIONS = 1024;
/** On one connection; then the client opens another. */
const MAX_REQUESTS_PER_CONNECTION = 1000;
/** Unanswered on one connection: nobody who wants the answers sends more. */
const MAX_PIPELINED = 32;
const RETRY_SECONDS = Math.max(1, Math.ceil(1 / REQUESTS.perSecond));

export class MetadataServer {
  private readonly servers: Server[] = [];
  private readonly limits = new ClientLimits();
  private readonly deadlines: typeof DEADLINES_MS;
  /** When each began that is not answered to its end. */
  private readonly underWay = new Map<ServerResponse, number>();
  private readonly pipelined = new WeakMap<Socket, number>();
  private sweeping: NodeJS.Timeout | null = null;

  constructor(
    private readonly source: MetadataSource,
    private readonly options: MetadataServerOptions = {},
  ) {
    this.deadlines = { ...DEADLINES_MS, ...options.deadlines };
  }

  /** Serves a socket that listens already, or any other that Node can be told of. */
  async listen(where: ListenOptions | { readonly fd: number }): Promise<AddressInfo> {
    const server = this.createServer();
    server.listen(where);
    await once(server, 'listening');
    server.on('error', (error) => this.report(error.message));
    this.servers.push(server);
    this.sweeping ??= setInterval(() => this.sweep(), this.deadlines.sweep).unref();
    return server.address() as AddressInfo;
  }

  /** Stops at once, in the middle of requests too. It may listen again. */
  async close(): Promise<void> {
    if (this.sweeping !== null) clearInterval(this.sweeping);
    this.sweeping = null;
    await Promise.all(
      this.servers.splice(0).map(async (server) => {
        const closed = new Promise((resolve) => server.close(resolve));
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  private createServer(): Server {
    const server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      connectionsCheckingInterval: this.deadlines.sweep,
    });
    server.headersTimeout = this.deadlines.headers;
    server.requestTimeout = this.deadlines.request;
    server.timeout = this.deadlines.request;
    server.keepAliveTimeout = this.deadlines.keepAlive;
    server.maxHeadersCount = MAX_HEADERS;
    server.maxConnections = MAX_CONNECTIONS;
    server.maxRequestsPerSocket = MAX_REQUESTS_PER_CONNECTION;
    // A client may end its side with the last byte of its request, as nc does: it still gets what it asked for, and
    // what it PUT is kept. Node knows this switch (lib/_http_server.js) but not its types.
    Object.assign(server, { httpAllowHalfOpen: true });
    server.on('connection', (socket) => this.admit(socket));
    server.on('request', (request, response) => void this.answer(request, response));
    return server;
  }

  private admit(socket: Socket): void {
    const client = socket.remoteAddress ?? '';
    socket.once('close', () => this.limits.disconnected(client));
    if (!this.limits.connected(client, performance.now())) {
      socket.destroy();
      return;
    }
    if (!this.limits.isCrowded(client)) return;
    // The client may have closed others before it opened this one. The kernel tells of both in one turn of the event
    // loop, in any order, and a connection counts until the end of the turn in which it was closed.
    setImmediate(() =>
      setImmediate(() => {
        if (this.limits.isCrowded(client)) socket.destroy();
      }),
    );
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const clientIp = socket.remoteAddress ?? '';
    const pipelined = (this.pipelined.get(socket) ?? 0) + 1;
    this.pipelined.set(socket, pipelined);
    response.once('close', () => this.pipelined.set(socket, (this.pipelined.get(socket) ?? 1) - 1));
    if (pipelined > MAX_PIPELINED) {
      socket.destroy();
      return;
    }
    const admitted = this.limits.begin(clientIp, performance.now());
    if (admitted) {
      this.underWay.set(response, performance.now());
      response.once('close', () => {
        this.underWay.delete(response);
        this.limits.answered(clientIp);
      });
    }
    try {
      await send(request, response, admitted ? await this.respond(request, clientIp) : TOO_MANY);
    } catch (error) {
      if (socket.destroyed) return;
      if (!(error instanceof HostFault))
        this.report(`${request.method} from ${clientIp} failed: ${(error as Error).message}`);
      if (response.headersSent) socket.destroy();
      else await send(request, response, error instanceof TooMuch ? TOO_MANY : text('error\n', 500));
    }
  }

  private respond(request: IncomingMessage, clientIp: string): Promise<MetadataResponse> {
    return handle(
      {
        method: request.method ?? '',
        target: request.url ?? '',
        clientIp,
        announcedBytes: lengthOf(request),
        // The connection is still wanted for the answer when a body is not read to its end.
        body: request.iterator({ destroyOnReturn: false }),
      },
      this.source,
    );
  }

  /** Node has no deadline for answers: a client that reads a byte a minute would keep its file open for ever. */
  private sweep(): void {
    const latestMs = performance.now() - this.deadlines.answer;
    for (const [response, beganMs] of this.underWay) if (beganMs < latestMs) response.destroy();
  }

  private report(problem: string): void {
    this.options.onProblem?.(`metadata: ${problem}`);
  }
}

const TOO_MANY = text('too many requests\n', 429);

/** Node's parser has seen to it that a length is a number. */
function lengthOf({ headers }: IncomingMessage): number | null {
  const length = headers['content-length'];
  return length === undefined ? null : Number(length);
}

async function send(request: IncomingMessage, response: ServerResponse, answer: MetadataResponse): Promise<void> {
  const { status, contentType, body } = answer;
  const headers: OutgoingHttpHeaders = { 'content-type': contentType };
  if (status === 405) headers.allow = 'GET, HEAD, PUT';
  if (status === 429) headers['retry-after'] = String(RETRY_SECONDS);
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
