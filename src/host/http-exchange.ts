/**
 * One exchange with a web server: its requests, one after each redirect, and the content of the last answer, all within
 * what the caller allowed.
 */

import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { VacError } from '../errors.js';
import { redacted, refusal, whyFailed } from './http-errors.js';
import { resolveHost } from './resolve.js';

export interface HttpOptions {
  /** For all of it: names, connection, redirects, headers and content. */
  readonly timeoutSeconds: number;
  /** The content may have so many bytes. */
  readonly maxBytes: number;
  /** Sent as well; names in lower case. Those that hold secrets do not follow a redirect to another server. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default 5. */
  readonly maxRedirects?: number;
  /** Between two pieces of content. Default 30. */
  readonly idleSeconds?: number;
  /** Until the headers of one answer. Default: idleSeconds. */
  readonly answerSeconds?: number;
  /** Over each `rateWindowSeconds` (default 30) of waiting for content. Default 1000. */
  readonly minBytesPerSecond?: number;
  readonly rateWindowSeconds?: number;
  /** Authorities besides the system's. Default /etc/grid-security/certificates. */
  readonly caDirectory?: string;
  /** Ends it from outside; the error is then the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface HttpHead {
  /** Anything but a redirect that was followed: 304, 404 and 503 are answers, and for the caller to judge. */
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** That answered, after redirects; without user and password. */
  readonly url: string;
}

export interface HttpStream extends HttpHead {
  /** The content, once. It throws VacError `fetch-failed` when less comes than the server announced. */
  readonly body: AsyncIterable<Buffer>;
  /** Lets the connection go; to be called when the body is not read to its end. */
  close(): void;
}

/** One request with its redirects: what can end it, and the error that says why it did. */
export class Exchange {
  onOver: () => void = () => {};
  #destroy: (error: Error) => void = () => {};
  /** The first reason wins: what follows from destroying a socket says less. */
  #reason: unknown = null;
  #bytes = 0;

  constructor(
    readonly url: string,
    readonly options: HttpOptions,
  ) {}

  end(reason: unknown): void {
    this.#reason ??= reason;
    this.#destroy(reason instanceof Error ? reason : refusal('it was ended'));
    this.onOver();
  }

  /** What the caller is told. */
  failure(error: unknown): unknown {
    const reason = this.#reason ?? error;
    if (this.options.signal?.aborted && reason === this.options.signal.reason) return reason;
    return new VacError('fetch-failed', `${redacted(this.url)} cannot be fetched: ${whyFailed(reason)}`, {
      cause: reason,
    });
  }

  async ask(url: URL, options: RequestOptions): Promise<IncomingMessage> {
    if (this.#reason !== null) throw this.#reason;
    const { idleSeconds = 30, answerSeconds = idleSeconds } = this.options;
    const late = () => this.end(refusal(`the server did not answer within ${answerSeconds} s`));
    const idle = setTimeout(late, answerSeconds * 1000);
    try {
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
        const request = send(url, { ...options, agent: false, lookup: serverLookup });
        this.#destroy = (error) => {
          request.destroy(error);
          reject(error);
        };
        request.on('response', (response) => {
          this.#destroy = (error) => {
            request.destroy();
            response.destroy(error);
          };
          // Nobody else listens between two reads; the reader gets the reason from failure().
          response.on('error', (error) => {
            this.#reason ??= response.complete ? error : refusal(cutOff(this.#bytes, response));
          });
          resolve(response);
        });
        // Even after the response: bytes beyond the announced length are an error of the request.
        request.on('error', (error) => {
          this.#reason ??= error;
          reject(error);
        });
        request.end();
      });
    } finally {
      clearTimeout(idle);
    }
  }

  answer(response: IncomingMessage, url: URL): HttpStream {
    const headers = new Map<string, string>();
    for (const [name, value] of Object.entries(response.headers)) headers.set(name, [value].flat().join(', '));
    const encoding = headers.get('content-encoding') ?? 'identity';
    if (encoding !== 'identity') throw refusal(`the server sends it packed (${encoding}), which was not asked for`);
    if (Number(headers.get('content-length') ?? 0) > this.options.maxBytes) throw this.#tooLarge();
    return {
      status: response.statusCode ?? 0,
      headers,
      url: redacted(url.href),
      body: this.#read(response),
      close: () => this.end(refusal('it was let go')),
    };
  }

  async *#read(response: IncomingMessage): AsyncGenerator<Buffer> {
    const { maxBytes, idleSeconds = 30 } = this.options;
    const pieces = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    const rate = new Rate(this.options);
    let isWaiting = false;
    const idle = setTimeout(() => {
      if (isWaiting) this.end(refusal(`nothing came for ${idleSeconds} s`));
    }, idleSeconds * 1000);
    try {
      for (;;) {
        const since = performance.now();
        idle.refresh();
        isWaiting = true;
        const { value, done } = await pieces.next();
        isWaiting = false;
        if (this.#reason !== null) throw this.#reason;
        if (done) return;
        this.#bytes += value.length;
        if (this.#bytes > maxBytes) throw this.#tooLarge();
        rate.add(value.length, performance.now() - since);
        yield value;
      }
    } catch (cause) {
      throw this.failure(cause);
    } finally {
      clearTimeout(idle);
      this.end(refusal('it was let go'));
    }
  }

  #tooLarge(): Error {
    return refusal(`it is larger than ${this.options.maxBytes} bytes`);
  }
}

/** The rule against servers that drip. */
class Rate {
  #bytes = 0;
  #waitedMs = 0;

  constructor(readonly options: HttpOptions) {}

  add(bytes: number, waitedMs: number): void {
    const { minBytesPerSecond = 1000, rateWindowSeconds = 30 } = this.options;
    this.#bytes += bytes;
    this.#waitedMs += waitedMs;
    const seconds = this.#waitedMs / 1000;
    if (seconds < rateWindowSeconds) return;
    if (this.#bytes < minBytesPerSecond * seconds) {
      throw refusal(`the server sends less than ${minBytesPerSecond} bytes a second`);
    }
    this.#bytes = 0;
    this.#waitedMs = 0;
  }
}

/** `dns.lookup` has four threads for the whole process, which names of a dead domain would hold. */
export const serverLookup: LookupFunction = (hostname, options, callback) => {
  resolveHost(hostname).then(
    (found) => {
      const addresses = found.map((address) => ({ address, family: isIP(address) }));
      if (options.all) callback(null, addresses);
      else callback(null, addresses[0]!.address, addresses[0]!.family);
    },
    (error: Error) => callback(refusal(`the name ${hostname}: ${error.message}`), []),
  );
};

function cutOff(bytes: number, response: IncomingMessage): string {
  const length = response.headers['content-length'];
  return `the connection ended after ${bytes} bytes${length === undefined ? '' : ` of ${length}`}`;
}
