/**
 * Forwards machines' syslog to the site's collector, from the files that our rsyslogd leaves for it. rsyslogd's own queue on
 * disk is not used: killed while it writes, rsyslog 8.2302 lost all that waited in it. vacd does it itself; while vacd is
 * away the lines wait with those of a collector that is away.
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SyslogForwarding } from '../config/types.js';
import { type Collector, openCollector } from './syslog-collector.js';
import { SyslogSpool } from './syslog-spool.js';

export interface ForwarderOptions {
  readonly stateDir: string;
  readonly forwarding: SyslogForwarding;
  readonly info: (message: string) => void;
  readonly warn: (message: string) => void;
}

export interface ForwardingFacts {
  readonly deliveredLines: number;
  /** Because more waited than may. */
  readonly droppedLines: number;
  readonly waitingBytes: number;
  /** Why nothing can be delivered now; null while it can. */
  readonly problem: string | null;
}

/** Between two looks for new lines. */
const IDLE_SECONDS = 0.5;
/** Between tries to reach a collector: doubled each time. */
const FIRST_RETRY_SECONDS = 0.5;
const LAST_RETRY_SECONDS = 10;
/** Between two looks at how much waits. */
const LIMIT_SECONDS = 10;

export class SyslogForwarder {
  private readonly spool: SyslogSpool;
  private readonly collector: Collector;
  private closing = new AbortController();
  private running: Promise<void> | null = null;
  private deliveredLines = 0;
  private waitingBytes = 0;
  private problem: string | null = null;
  private limitedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: ForwarderOptions) {
    const directory = join(options.stateDir, 'syslog');
    this.spool = new SyslogSpool(join(directory, 'forward'), join(directory, 'forwarded'));
    this.collector = openCollector(options.forwarding);
  }

  start(): void {
    if (this.running !== null) return;
    this.closing = new AbortController();
    this.running = this.work();
  }

  /** Ends after the batch that is under way, or without it when the collector does not answer. */
  async stop(): Promise<void> {
    this.closing.abort();
    await this.running;
    this.running = null;
    this.collector.close();
  }

  facts(): ForwardingFacts {
    return {
      deliveredLines: this.deliveredLines,
      droppedLines: this.spool.droppedLines,
      waitingBytes: this.waitingBytes,
      problem: this.problem,
    };
  }

  private async work(): Promise<void> {
    let retrySeconds = FIRST_RETRY_SECONDS;
    while (!this.closing.signal.aborted) {
      try {
        await this.limit();
        const worked = await this.forwardOnce();
        this.noteProblem(null);
        retrySeconds = FIRST_RETRY_SECONDS;
        if (!worked) await this.pause(IDLE_SECONDS);
      } catch (error) {
        this.noteProblem((error as Error).message);
        await this.pause(retrySeconds);
        retrySeconds = Math.min(2 * retrySeconds, LAST_RETRY_SECONDS);
      }
    }
  }

  /** @returns whether there was anything to forward */
  private async forwardOnce(): Promise<boolean> {
    const batch = await this.spool.next();
    if (batch === null) return false;
    if (batch.lines.length > 0) await this.collector.deliver(batch.lines);
    await this.spool.passed(batch);
    this.deliveredLines += batch.lines.length;
    return true;
  }

  private async limit(): Promise<void> {
    if (performance.now() - this.limitedMs < LIMIT_SECONDS * 1000) return;
    this.limitedMs = performance.now();
    const before = this.spool.droppedLines;
    const { maxMegabytes } = this.options.forwarding;
    this.waitingBytes = await this.spool.limit(maxMegabytes * 1e6);
    const dropped = this.spool.droppedLines - before;
    if (dropped === 0) return;
    this.options.warn(`${dropped} lines of syslog were dropped: more waited for the collector than syslog_forward_mb`);
  }

  private noteProblem(problem: string | null): void {
    const { protocol, host, port } = this.options.forwarding.collector;
    const name = `the collector ${protocol}://${host}:${port}`;
    if (problem !== null && this.problem === null) {
      this.options.warn(`machines' syslog cannot be forwarded to ${name}: ${problem}; the lines wait`);
    }
    if (problem === null && this.problem !== null) this.options.info(`${name} takes machines' syslog again`);
    this.problem = problem;
  }

  private async pause(seconds: number): Promise<void> {
    await delay(seconds * 1000, undefined, { signal: this.closing.signal, ref: false }).catch(() => {});
  }
}
