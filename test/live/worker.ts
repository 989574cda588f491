/** Starts the daemon inside a test host, and asks it what it does. */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { askDaemon } from '../../src/daemon/control.js';
import type { FactoryStatus } from '../../src/daemon/status.js';
import type { LoggedDecision } from '../../src/factory/decision-log.js';
import { type TestHost, until } from './test-host.js';

const WORKER = fileURLToPath(new URL('./vacd-worker.mjs', import.meta.url));
const VACD = fileURLToPath(new URL('../../dist/vacd.js', import.meta.url));

export interface WorkerOptions {
  readonly stateDir: string;
  readonly configPath: string;
  readonly factory: string;
  readonly processors: number;
  /** How many machines it may start; the default is as many as fit. */
  readonly startsLimit?: number;
  /**
   * Where the worker kills itself: "STEP begin", "STEP end", "STEP torn" (the next file from that step on
   * is written but does not have its name yet), or "libvirt underway" (libvirtd makes the domain, and nobody waits for its answer any more).
   */
  readonly killAt?: string;
  /** While this file is there, no creation of a machine goes on to libvirt. */
  readonly holdFile?: string;
  /** Where its sensors look for its owner, who is the test (host/sessions/desktop.ts). Default: at this host's. */
  readonly desktop?: { readonly busAddress: string; readonly inputDirectory: string; readonly powerRoot: string };
}

export class Worker {
  output = '';
  private ended: { code: number | null; signal: NodeJS.Signals | null } | null = null;

  private constructor(
    private readonly child: ChildProcess,
    private readonly socketPath: string,
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
    return Worker.spawn(host, options.stateDir, [WORKER, JSON.stringify(options)], 'pipe');
  }

  /** The program `vacd` itself, which watches its configuration; on all processors that this host has. */
  static startVacd(host: TestHost, options: Pick<WorkerOptions, 'stateDir' | 'configPath' | 'factory'>): Worker {
    const { stateDir, configPath, factory } = options;
    const args = ['--state-dir', stateDir, '--config', configPath, '--factory', factory];
    return Worker.spawn(host, stateDir, [VACD, ...args], 'ignore');
  }

  private static spawn(
    host: TestHost,
    stateDir: string,
    programAndArgs: readonly string[],
    stdin: 'pipe' | 'ignore',
  ): Worker {
    const [command, args] = host.inside(process.execPath, programAndArgs);
    const child = spawn(command, args, { stdio: [stdin, 'pipe', 'pipe'] });
    // It may be gone before it has read what it is told; how it ended is told by its exit.
    child.stdin?.on('error', () => {});
    return new Worker(child, host.seenInside(`${stateDir}/vacd.sock`));
  }

  async status(): Promise<FactoryStatus | null> {
    const reply = await askDaemon(this.socketPath, { command: 'status' }).catch(() => null);
    return reply?.ok ? reply.status : null;
  }

  /** What `vac why` prints of a slot or a machinetype, oldest first; nothing where no daemon answers. */
  async why(about: { slot: number } | { machinetype: string }): Promise<readonly LoggedDecision[]> {
    const reply = await askDaemon(this.socketPath, { command: 'why', ...about }).catch(() => null);
    return reply?.ok ? reply.decisions : [];
  }

  /** From now on it has another configuration, and kills itself at another point. */
  tell(order: Required<Pick<WorkerOptions, 'configPath' | 'killAt'>>): void {
    this.child.stdin?.write(`${JSON.stringify(order)}\n`);
  }

  /** As Ctrl-C of a foreground run: every machine is asked to stop, and nothing more starts. */
  stopMachines(): void {
    this.child.kill('SIGUSR2');
  }

  /** Does something in steps between which the daemon sees and does nothing, however slow this host is. */
  async whileFrozen<T>(steps: () => Promise<T>): Promise<T> {
    this.child.kill('SIGSTOP');
    try {
      return await steps();
    } finally {
      this.child.kill('SIGCONT');
    }
  }

  /** Waits until the status shows what is wanted; fails at once when the worker has ended instead. */
  async until(what: string, condition: (status: FactoryStatus) => boolean, seconds = 90): Promise<FactoryStatus> {
    let last: FactoryStatus | null = null;
    await until(
      `${what}; the daemon said:\n${this.output}`,
      async () => {
        if (this.ended !== null)
          throw new Error(`the daemon ended (${JSON.stringify(this.ended)}) before ${what}:\n${this.output}`);
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

  /** Ends it at once, as a test that failed must; fine when it has ended. */
  async kill(): Promise<void> {
    if (this.ended === null) this.child.kill('SIGKILL');
    await this.untilEnded('the daemon ends after SIGKILL');
  }

  /** As systemd ends vacd: machines go on. */
  async stop(): Promise<void> {
    if (this.ended === null) this.child.kill('SIGTERM');
    await this.untilEnded('the daemon ends after SIGTERM');
  }
}
