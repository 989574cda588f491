/**
 * The log of connections that machines make to the outside, as the kernel's connection tracking tells of them: what a
 * complaint names (time, our public address, a port) then leads to one machine.
 *
 * `conntrack -E` (package conntrack) runs as a child of vacd. Guests decide how much it has to say, so each has a rate, all
 * have one together, and beyond what we read in a second the pipe is left full and the kernel drops events. Whatever is left
 * out is written as such: the log never looks more complete than it is.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { FlowLogFiles } from './flow-log-files.js';
import { type Flow, flowLine, gapLine, parseConntrack } from './flow-log-lines.js';

export interface FlowLogOptions {
  readonly files: FlowLogFiles;
  /** Whether ends are logged too. */
  readonly ends: boolean;
  readonly log: { info(line: string): void; warn(line: string): void; error(line: string): void };
  /** Default: conntrack; another one for tests. */
  readonly command?: readonly string[];
  readonly limits?: Partial<FlowLogRates>;
}

export interface FlowLogRates {
  /** Lines a second that are logged of one machine, in the long run and at once. */
  readonly machinePerSecond: number;
  readonly machineBurst: number;
  readonly allPerSecond: number;
  readonly allBurst: number;
  /** Lines a second that are read at all. */
  readonly readPerSecond: number;
}

const RATES: FlowLogRates = {
  machinePerSecond: 50,
  machineBurst: 3_000,
  allPerSecond: 1_000,
  allBurst: 20_000,
  readPerSecond: 5_000,
};
const FLUSH_MS = 1_000;
/** Of the kernel's messages to conntrack, which take some kilobytes each: a burst of some ten thousand. */
const BUFFER_BYTES = 32 * 2 ** 20;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
const MAX_STDERR = 500;
/** The machines' own network: DNS, metadata and the like are this host's services. */
const INSIDE = '169.254.';

export class FlowLog {
  private child: ChildProcess | null = null;
  private lines: string[] = [];
  private readonly leftOut = new Map<string, number>();
  private readonly allowances = new Map<string, number>();
  private allAllowance: number;
  private readThisSecond = 0;
  private paused = false;
  private retryMs = FIRST_RETRY_MS;
  private timers: NodeJS.Timeout[] = [];
  private writing: Promise<void> = Promise.resolve();
  private closed = false;
  private trouble: string | null = null;
  private cannotWrite: string | null = null;
  private readonly rates: FlowLogRates;

  constructor(private readonly options: FlowLogOptions) {
    this.rates = { ...RATES, ...options.limits };
    this.allAllowance = this.rates.allBurst;
  }

  /** Why connections are not logged now; null: they are. */
  problem(): string | null {
    return this.trouble ?? this.cannotWrite;
  }

  start(): void {
    this.gap(-1, 'vacd was not running before');
    this.launch();
    this.timers.push(setInterval(() => this.flush(), FLUSH_MS));
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const timer of this.timers) clearInterval(timer);
    this.child?.kill('SIGTERM');
    this.flush();
    await this.writing;
    await this.options.files.close();
  }

  private launch(): void {
    if (this.closed) return;
    const events = this.options.ends ? 'NEW,DESTROY' : 'NEW';
    const words = ['-E', '-e', events, '-o', 'timestamp,id,extended', '-s', '169.254.0.0/16', '-b', `${BUFFER_BYTES}`];
    const [command = 'conntrack', ...first] = this.options.command ?? ['conntrack'];
    const child = spawn(command, [...first, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
    });
    this.child = child;
    let said = '';
    let failure: Error | null = null;
    child.on('error', (error) => {
      failure = error;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-MAX_STDERR);
      if (text.includes('ENOBUFS')) this.gap(-1, 'more connections came than the kernel could tell of');
    });
    const reader = createInterface({ input: child.stdout });
    reader.on('line', (line) => this.take(line));
    child.once('close', (code) => {
      if (this.child === child) this.child = null;
      const words = said.replace(/\s+/g, ' ').trim();
      this.ended(failure === null ? `conntrack ended (${code ?? 'killed'}): ${words}` : missing(failure));
    });
  }

  private ended(why: string): void {
    if (this.closed) return;
    if (this.trouble !== why) this.options.log.error(`flow_log: connections of machines are NOT logged: ${why}`);
    this.trouble = why;
    this.gap(-1, 'nothing was logged before: conntrack did not run');
    const timer = setTimeout(() => this.launch(), this.retryMs);
    this.retryMs = Math.min(MAX_RETRY_MS, this.retryMs * 2);
    this.timers.push(timer);
  }

  private take(line: string): void {
    if (this.trouble !== null) this.options.log.info('flow_log: connections of machines are logged again');
    this.trouble = null;
    this.retryMs = FIRST_RETRY_MS;
    this.readThisSecond += 1;
    if (this.readThisSecond >= this.rates.readPerSecond && !this.paused) {
      this.paused = true;
      this.child?.stdout?.pause();
      this.gap(-1, 'machines open connections faster than they can be logged');
    }
    const flow = parseConntrack(line);
    if (flow === null || flow.to.startsWith(INSIDE) || !flow.from.startsWith(INSIDE)) return;
    if (this.mayLog(flow)) this.lines.push(flowLine(flow));
    else this.leftOut.set(flow.from, (this.leftOut.get(flow.from) ?? 0) + 1);
  }

  private mayLog({ from }: Flow): boolean {
    const own = this.allowances.get(from) ?? this.rates.machineBurst;
    if (own < 1 || this.allAllowance < 1) return false;
    this.allowances.set(from, own - 1);
    this.allAllowance -= 1;
    return true;
  }

  private gap(count: number, why: string): void {
    this.lines.push(gapLine({ timeSeconds: Date.now() / 1000, count, why }));
  }

  /** Once a second: what came is written, and allowances grow. */
  private flush(): void {
    const { machinePerSecond, machineBurst, allPerSecond, allBurst } = this.rates;
    for (const [from, left] of this.allowances) {
      if (left + machinePerSecond >= machineBurst) this.allowances.delete(from);
      else this.allowances.set(from, left + machinePerSecond);
    }
    this.allAllowance = Math.min(allBurst, this.allAllowance + allPerSecond);
    this.readThisSecond = 0;
    if (this.paused) {
      this.paused = false;
      this.child?.stdout?.resume();
    }
    for (const [from, count] of this.leftOut)
      this.gap(count, `of ${from}, which opens connections faster than is logged`);
    this.leftOut.clear();
    const { lines } = this;
    this.lines = [];
    this.writing = this.writing.then(() => this.write(lines));
  }

  private async write(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const { files, log } = this.options;
    try {
      await files.append(lines);
      if (this.cannotWrite !== null) log.info('flow_log: connections of machines can be written down again');
      this.cannotWrite = null;
    } catch (error) {
      const { message } = error as Error;
      if (this.cannotWrite === null) log.error(`flow_log: connections cannot be written down: ${message}`);
      this.cannotWrite = message;
      // Tried again with the next lines, until the disk takes it.
      this.gap(-1, 'what came before could not be written down');
    }
  }
}

function missing(error: Error): string {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
    ? 'the program conntrack is missing; install the package conntrack (apt-get install conntrack)'
    : error.message;
}
