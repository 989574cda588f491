/** Starts the daemon inside a test host, and asks it what it does. */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../src/daemon/control.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import { type TestHost, until } from './test-host.js';

const WORKER = fileURLToPath(new URL('./vacd-worker.mjs', import.meta.url));

export interface WorkerOptions {
  readonly stateDir: string;
  readonly configPath: string;
  readonly factory: string;
  readonly processors: number;
  /** How many machines it may start; the default is as many as fit. */
  readonly startsLimit?: number;
  /** "step begin" or "step end": the worker kills itself there. */
  readonly killAt?: string;
}

export class Worker {
  output = '';
  private ended: { code: number | null; signal: NodeJS.Signals | null } | null = null;

  private constructor(
    private readonly child: ChildProcess,
    private readonly stateDir: string,
  ) {
    const keep = (part: Buffer) => {
      this.output += part;
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('exit', (code, signal) => {
      this.ended = { code, signal };
    });
  }

  static start(host: TestHost, options: WorkerOptions): Worker {
    const [command, args] = host.inside(process.execPath, [WORKER, JSON.stringify(options)]);
    return new Worker(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }), options.stateDir);
  }

  async status(): Promise<FactoryStatus | null> {
    const reply = await askDaemon(`${this.stateDir}/vacd.sock`, { command: 'status' }).catch(() => null);
    return reply?.ok ? reply.status : null;
  }

  /** Waits until the status shows what is wanted; fails at once when the worker has ended instead. */
  async until(what: string, condition: (status: FactoryStatus) => boolean, seconds = 90): Promise<FactoryStatus> {
    let last: FactoryStatus | null = null;
    await until(
      `${what}; the daemon said:\n${this.output}`,
      async () => {
        if (this.ended !== null) throw new Error(`the daemon ended before ${what}:\n${this.output}`);
        last = await this.status();
        return last !== null && condition(last);
      },
      seconds,
    ).catch((error: Error) => {
      throw new Error(`${error.message}\n${this.output}\n${JSON.stringify(last, null, 1)?.slice(0, 4000)}`);
    });
    return last!;
  }

  async untilEnded(what: string): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    await until(`${what}; the daemon said:\n${this.output}`, () => this.ended !== null);
    return this.ended!;
  }

  async stop(): Promise<void> {
    if (this.ended === null) this.child.kill('SIGTERM');
    await this.untilEnded('the daemon ends after SIGTERM');
  }
}
