/**
 * Long-lived helpers (NFS server, message bus, syslog receiver) that outlive vacd: guests' mounts and logs go on while
 * vacd is restarted, upgraded or killed. So a helper is nobody's child: systemd runs it where there is systemd, else it
 * gets a session of its own; and it is found again by its pid file, or without one by its command line.
 */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { VacError } from '../errors.js';
import { run } from './exec.js';
import { writeFileAtomic } from './files.js';
import { findHelperProcess, type HelperProcess, readHelperProcess } from './helper-process.js';

export interface HelperOptions {
  /** Names the unit, the pid file and the log, and stands in messages, e.g. `vac-nfs-ganesha`. */
  readonly name: string;
  readonly command: string;
  /** Must keep the program in the foreground, and hold `mark`. */
  readonly args: readonly string[];
  /** The argument by which the process is found again: HelperIdentity.mark. */
  readonly mark: string;
  /** For pid file and log (`<name>.pid`, `<name>.log`). */
  readonly directory: string;
  /** Added to a minimal environment; vacd's own is not handed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it does its work by now. Asked again until `readySeconds` are over. */
  readonly isReady: (process: HelperProcess) => Promise<boolean>;
  /** Default 20. */
  readonly readySeconds?: number;
  /** Time to end after SIGTERM, before SIGKILL. Default 10. */
  readonly stopSeconds?: number;
}

export class HelperDaemon {
  private readonly serial = new Serial();
  /** The one that ran when it was last to run; null: none, or its end is known. */
  private last: HelperProcess | null = null;

  constructor(private readonly options: HelperOptions) {}

  get pidFile(): string {
    return join(this.options.directory, `${this.options.name}.pid`);
  }

  get logFile(): string {
    return join(this.options.directory, `${this.options.name}.log`);
  }

  /** The running helper, whoever started it; null if there is none. */
  async status(): Promise<HelperProcess | null> {
    const noted = parsePidFile(await readFile(this.pidFile, 'utf8').catch(() => ''));
    if (noted !== null) {
      const process = await readHelperProcess(noted.pid, this.options);
      if (process?.startTicks === noted.startTicks) return process;
    }
    return findHelperProcess(this.options);
  }

  /**
   * Starts the helper unless it runs, and waits until it is ready. One that runs but does not become ready is replaced.
   *
   * @throws VacError `helper-failed` with the end of its log, `command-missing`
   */
  ensureRunning(): Promise<{ readonly process: HelperProcess; readonly started: boolean }> {
    return this.serial.run(async () => {
      const running = await this.status();
      if (running !== null) {
        if (await this.becomesReady(running)) {
          await this.notePid(running);
          return { process: running, started: false };
        }
        await this.end(running);
      }
      const process = await this.launch();
      if (!(await this.becomesReady(process))) {
        const fate = (await this.isAlive(process)) ? 'did not become ready' : 'ended at once';
        throw new VacError(
          'helper-failed',
          `${this.options.name} (${this.options.command}) ${fate}; ${await this.lastWords()}`,
        );
      }
      return { process, started: true };
    });
  }

  /** Whether it has ended by itself since it was last to run; true once for each end. Costs a few reads below /proc. */
  async hasEnded(): Promise<boolean> {
    const { last } = this;
    if (last === null || (await this.isAlive(last)) || this.last !== last) return false;
    this.last = null;
    return true;
  }

  /** Sends a signal to the running helper. Returns whether there was one. */
  async signal(signal: NodeJS.Signals): Promise<boolean> {
    const running = await this.status();
    return running !== null && kill(running.pid, signal);
  }

  /** Ends the helper: SIGTERM, then SIGKILL. Fine when there is none. */
  stop(): Promise<void> {
    return this.serial.run(async () => {
      const running = await this.status();
      if (running !== null) await this.end(running);
      await rm(this.pidFile, { force: true });
    });
  }

  private async becomesReady(process: HelperProcess): Promise<boolean> {
    let ready = false;
    const { isReady, readySeconds = 20 } = this.options;
    await waitUntil(async () => {
      ready = await isReady(process);
      return ready || !(await this.isAlive(process));
    }, readySeconds);
    return ready;
  }

  private async isAlive({ pid, startTicks }: HelperProcess): Promise<boolean> {
    return (await readHelperProcess(pid, this.options))?.startTicks === startTicks;
  }

  private async end(process: HelperProcess): Promise<void> {
    const gone = async () => !(await this.isAlive(process));
    this.last = null;
    kill(process.pid, 'SIGTERM');
    if (await waitUntil(gone, this.options.stopSeconds ?? 10)) return;
    kill(process.pid, 'SIGKILL');
    if (await waitUntil(gone, KILL_SECONDS)) return;
    throw new VacError(
      'helper-failed',
      `${this.options.name} (pid ${process.pid}) cannot be killed; is it stuck in the kernel?`,
    );
  }

  private async launch(): Promise<HelperProcess> {
    await mkdir(this.options.directory, { recursive: true });
    const pid = existsSync('/run/systemd/system') ? await this.launchBySystemd() : await this.launchDetached();
    let process: HelperProcess | null = null;
    // Between fork and exec the child still has its parent's command line.
    await waitUntil(async () => {
      process = await readHelperProcess(pid, this.options);
      return process !== null || !existsSync(`/proc/${pid}`);
    }, LAUNCH_SECONDS);
    if (process === null) {
      throw new VacError(
        'helper-failed',
        `${this.options.name} (${this.options.command}) ended at once; ${await this.lastWords()}`,
      );
    }
    await this.notePid(process);
    return process;
  }

  private async launchBySystemd(): Promise<number> {
    const unit = unitName(this.options);
    // A unit of this name that is just ending, or that failed, would refuse the new one. 5: no such unit.
    await run('systemctl', ['stop', unit], { allowExitCodes: [0, 5] });
    await run('systemd-run', systemdRunArguments(this.options, this.logFile));
    const { stdout } = await run('systemctl', ['show', '--property=MainPID', '--value', unit]);
    return Number(stdout.trim());
  }

  private async launchDetached(): Promise<number> {
    const log = await open(this.logFile, 'a', 0o640);
    try {
      const child = spawn(this.options.command, this.options.args, {
        cwd: '/',
        env: environmentOf(this.options),
        detached: true,
        stdio: ['ignore', log.fd, log.fd],
      });
      await new Promise<void>((resolve, reject) => {
        child.once('spawn', resolve);
        child.once('error', reject);
      });
      child.unref();
      return child.pid!;
    } catch (cause) {
      const { command, name } = this.options;
      throw new VacError('command-missing', `${name}: ${command} cannot be started; install it`, { cause });
    } finally {
      await log.close();
    }
  }

  private async notePid(process: HelperProcess): Promise<void> {
    this.last = process;
    const { pid, startTicks } = process;
    const text = `${pid} ${startTicks}\n`;
    if ((await readFile(this.pidFile, 'utf8').catch(() => '')) === text) return;
    await writeFileAtomic(this.pidFile, text, { durable: false });
  }

  private async lastWords(): Promise<string> {
    const lines = (await readFile(this.logFile, 'utf8').catch(() => '')).trimEnd().split('\n');
    return `the end of ${this.logFile}: ${lines.slice(-3).join(' | ').slice(-600) || '(empty)'}`;
  }
}

const LAUNCH_SECONDS = 5;
/** A process that is still there so long after SIGKILL hangs in the kernel. */
const KILL_SECONDS = 10;

/** Of one name for each configuration, so that a trial beside a site's own vacd does not stop the site's helper. */
export function unitName({ name, mark }: Pick<HelperOptions, 'name' | 'mark'>): string {
  return `${name}-${createHash('sha256').update(mark).digest('hex').slice(0, 8)}.service`;
}

/** `systemd-run` arguments: a transient unit beside vacd's, so that stopping vacd.service leaves it alone. */
export function systemdRunArguments(options: HelperOptions, logFile: string): string[] {
  const environment = Object.entries(options.env ?? {}).map(([name, value]) => `--setenv=${name}=${value}`);
  return [
    '--quiet',
    '--collect',
    `--unit=${unitName(options)}`,
    `--description=${options.name}, helper of vacd`,
    `--property=StandardOutput=append:${logFile}`,
    `--property=StandardError=append:${logFile}`,
    ...environment,
    '--',
    options.command,
    ...options.args,
  ];
}

function environmentOf(options: HelperOptions): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', ...options.env };
}

/** The pid file's `<pid> <start ticks>`; null for anything else. */
export function parsePidFile(text: string): HelperProcess | null {
  const match = /^(\d{1,9}) (\d+)\n$/.exec(text);
  return match === null ? null : { pid: Number(match[1]), startTicks: Number(match[2]) };
}

function kill(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

/**
 * Asks every few milliseconds until the condition holds, and once more when the time is over: a process that was itself
 * held up has not waited. Returns whether it held.
 */
export async function waitUntil(condition: () => Promise<boolean>, timeoutSeconds: number): Promise<boolean> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    const isLate = performance.now() > deadline;
    if (await condition()) return true;
    if (isLate) return false;
    await delay(POLL_MILLISECONDS);
  }
}

const POLL_MILLISECONDS = 20;

/** Runs one task after the other, in the order given; a failed one does not stop the next. */
export class Serial {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.last.then(task);
    this.last = result.catch(() => {});
    return result;
  }
}
