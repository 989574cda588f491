/** A web server with images that tests change, and a count of what it was asked. */

import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { serveHttp, type WebServer } from '../web-server.js';

export interface Served {
  readonly content: Buffer;
  readonly etag?: string;
  readonly lastModified?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
  /** Does not say how long it is. */
  readonly isChunked?: true;
  /** Ends the connection after so many bytes of an answer, once, and when this is fulfilled. */
  breakAfterBytes?: number;
  readonly breakWhen?: Promise<unknown>;
  /** Waits for this before anything after the first piece is sent. */
  readonly hold?: Promise<unknown>;
}

/** A raw disk with a boot sector, which differs by `seed`. */
export function rawImage(seed: number, bytes = 300_000): Buffer {
  const image = Buffer.alloc(bytes);
  for (let at = 512; at < bytes; at += 64)
    image.writeUInt32LE((seed * 2654435761 + at) >>> 0, at - 4 * Number(at + 4 > bytes));
  image.set([0x55, 0xaa], 510);
  return image;
}

export function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export class ImageServer {
  readonly #served = new Map<string, Served>();
  readonly #once = new Map<string, Served>();
  /** What was asked for, in which way, and how it was answered. */
  readonly asked: { path: string; range: string | undefined; conditions: string[]; status: number }[] = [];
  #server!: WebServer;

  static async start(port = 0): Promise<ImageServer> {
    const server = new ImageServer();
    server.#server = await serveHttp((request, response) => void server.#answer(request, response), port);
    return server;
  }

  get url(): string {
    return this.#server.url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  serve(path: string, served: Served): string {
    this.#served.set(path, served);
    return `${this.url}${path}`;
  }

  /** Before it goes on as it was. */
  serveOnce(path: string, served: Served): void {
    this.#once.set(path, served);
  }

  async close(): Promise<void> {
    await this.#server.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const { headers } = request;
    const served = this.#once.get(path) ?? this.#served.get(path);
    this.#once.delete(path);
    const conditions = ['if-none-match', 'if-modified-since', 'if-range'].filter((name) => headers[name] !== undefined);
    const note = (status: number) => this.asked.push({ path, range: headers.range, conditions, status });
    if (served === undefined) {
      note(404);
      response.writeHead(404).end('no such image');
      return;
    }
    const { content, etag, lastModified, hold } = served;
    const validators = { ...(etag && { etag }), ...(lastModified && { 'last-modified': lastModified }) };
    const isKnown =
      headers['if-none-match'] === undefined
        ? lastModified !== undefined && headers['if-modified-since'] === lastModified
        : headers['if-none-match'] === etag;
    if (isKnown && served.status === undefined) {
      note(304);
      response.writeHead(304, validators).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    const isRange = headers.range !== undefined && [etag, lastModified].includes(headers['if-range'] as string);
    const status = served.status ?? (isRange ? (from < content.length ? 206 : 416) : 200);
    note(status);
    const body = status === 206 ? content.subarray(from) : content;
    response.writeHead(status, {
      ...(served.isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': body.length }),
      ...(status === 206 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
      ...validators,
      ...served.headers,
    });
    const { breakAfterBytes } = served;
    if (breakAfterBytes !== undefined) {
      delete served.breakAfterBytes;
      response.write(body.subarray(0, breakAfterBytes));
      await served.breakWhen;
      response.destroy();
      return;
    }
    if (hold === undefined) {
      response.end(body);
      return;
    }
    response.write(body.subarray(0, 1000));
    await hold;
    response.end(body.subarray(1000));
  }
}
