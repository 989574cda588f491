/**
 * Where /metrics is served, as the configuration says: tried again while it cannot be. Prometheus is another host on the
 * network, so HTTP is spoken by a child without root (metrics/server.ts); vacd only makes the text, once a second however
 * many ask (metrics.ts).
 */

import type { HostPort } from '../config/types.js';
import type { Logger } from './log.js';

/** A port that is taken, or an address that the host does not have yet, is tried again after so long. */
const RETRY_MS = 30_000;

/** What listens, and answers. */
export interface Scrapes {
  /**
   * Serves at an IP address. Whatever was served before is over.
   *
   * @throws Error with the `code` of the system: `EADDRINUSE`, `EADDRNOTAVAIL`
   */
  open(address: string, port: number): Promise<void>;
  /** The port that it listens on; null: on none. */
  readonly port: number | null;
  close(): Promise<void>;
}

export interface MetricsServerOptions {
  readonly scrapes: Scrapes;
  readonly log: Logger;
  /** IP addresses of a host; rejects when it has none. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly retryMs?: number;
}

export class MetricsServer {
  private wanted: HostPort | null = null;
  private isOpen = false;
  private retry: NodeJS.Timeout | null = null;
  private toldProblem: string | null = null;
  /** One change at a time, so that an old port is given up before the next is taken. */
  private changes: Promise<void> = Promise.resolve();

  constructor(private readonly options: MetricsServerOptions) {}

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
    return this.options.scrapes.port;
  }

  async close(): Promise<void> {
    await this.listen(null);
  }

  private async change(where: HostPort | null): Promise<void> {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    if (this.isOpen) await this.options.scrapes.close();
    this.isOpen = false;
    if (where !== null) await this.open(where);
  }

  private async open(where: HostPort): Promise<void> {
    const { host, port } = where;
    const { scrapes, log, resolve, retryMs = RETRY_MS } = this.options;
    try {
      const [address] = await resolve(host).catch((error: Error) => {
        throw new Error(`${host} does not resolve (${error.message})`);
      });
      await scrapes.open(address!, port);
      this.isOpen = true;
      log.info(`/metrics is served at http://${host.includes(':') ? `[${host}]` : host}:${scrapes.port}/metrics`);
    } catch (error) {
      const problem = explained(error as NodeJS.ErrnoException, where);
      if (problem !== this.toldProblem) log.warn(`${problem}; tried again every ${retryMs / 1000} s`);
      this.toldProblem = problem;
      this.retry = setTimeout(() => {
        this.changes = this.changes.then(async () => {
          if (this.wanted === where && !this.isOpen) await this.open(where);
        });
      }, retryMs);
      this.retry.unref();
    }
  }
}

function explained({ code, message }: NodeJS.ErrnoException, { host, port }: HostPort): string {
  const where = `/metrics cannot be served at ${host}:${port}`;
  if (code === 'EADDRINUSE')
    return `${where}: another program has that port (ss -ltnp shows which); see metrics_listen`;
  if (code === 'EADDRNOTAVAIL') return `${where}: this host has no such address; see metrics_listen`;
  return `${where}: ${message}; see metrics_listen`;
}
