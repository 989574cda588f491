/** Runs other programs: no shell, bounded output, bounded time, nothing left behind. */

import { spawn } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { VacError } from '../errors.js';

export interface RunOptions {
  /** After this the program and its children are killed. Default 60. */
  readonly timeoutSeconds?: number;
  /** Written to standard input, which is then closed; without it standard input is empty. */
  readonly input?: string | Buffer;
  /** The complete environment, not additions to ours. Default: ours, with LC_ALL=C so that messages can be parsed. */
  readonly env?: NodeJS.ProcessEnv;
  /** Exit codes that are no failure. Default only 0. */
  readonly allowExitCodes?: readonly number[];
}

export interface RunResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** `command-failed` with what the program said and how it ended. */
export class CommandError extends VacError {
  override readonly name = 'CommandError';

  constructor(
    code: 'command-failed' | 'command-missing' | 'command-timeout',
    message: string,
    readonly details: { readonly exitCode: number | null; readonly stdout: string; readonly stderr: string },
    options?: { cause?: unknown },
  ) {
    super(code, message, options);
  }
}

/** Kept of each of stdout and stderr. What a program says beyond this is read and dropped, so that it is not held up. */
export const MAX_OUTPUT_BYTES = 4 * 2 ** 20;

/**
 * Runs a program to its end.
 *
 * The program leads a process group of its own, so that a timeout reaches its children too. Once it has ended, what it
 * left in the background keeps running but is not waited for.
 *
 * @throws CommandError `command-missing`, `command-timeout`, or `command-failed` for an exit code that is not allowed,
 * a signal, or more output than {@link MAX_OUTPUT_BYTES} on stdout (half an answer must not be parsed as a whole one)
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeoutSeconds = 60, input, env = { ...process.env, LC_ALL: 'C' }, allowExitCodes = [0] } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const stdout = collect(child.stdout);
    const stderr = collect(child.stderr);
    let timedOut = false;
    const fail = (code: CommandError['code'], what: string, exitCode: number | null, cause?: unknown) => {
      const said = firstLines(stderr.text() || stdout.text());
      const message = `${commandLine(command, args)} ${what}${said === '' ? '' : `: ${said}`}`;
      const details = { exitCode, stdout: stdout.text(), stderr: stderr.text() };
      reject(new CommandError(code as 'command-failed', message, details, { cause }));
    };
    const late = () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      timedOut = true;
      killGroup(child.pid);
      // A child in another group may still hold the pipes open: do not wait for it.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    // In a process that was held up timers come first: the immediate lets it hear that the program had ended in time.
    const timer = setTimeout(() => setImmediate(late), timeoutSeconds * 1000);
    child.on('error', (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (cause.code === 'ENOENT' || cause.code === 'EACCES') {
        fail('command-missing', 'cannot be started; install it or correct PATH', null, cause);
      } else {
        fail('command-failed', `cannot be started (${cause.message})`, null, cause);
      }
    });
    child.on('exit', () => {
      // `close` waits for the pipes, which a background child may hold open: what is in them by now is read, no more.
      const letGo = () => {
        child.stdout.destroy();
        child.stderr.destroy();
      };
      // In a busy process timers come before reading: the immediate lets one round of reading pass.
      setTimeout(() => setImmediate(letGo), PIPE_GRACE_MILLISECONDS).unref();
    });
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      if (timedOut) fail('command-timeout', `did not end within ${timeoutSeconds} s and was killed`, exitCode);
      else if (exitCode === null) fail('command-failed', `was ended by ${signal}`, null);
      else if (!allowExitCodes.includes(exitCode))
        fail('command-failed', `failed with exit code ${exitCode}`, exitCode);
      else if (stdout.overflowed()) fail('command-failed', `wrote more than ${MAX_OUTPUT_BYTES} bytes`, exitCode);
      else resolve({ stdout: stdout.text(), stderr: stderr.text(), exitCode });
    });
    // A program may end without reading its input; its exit code says whether that was a failure.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

/** How long output may still arrive after a program ended while a child of it holds the pipe. */
const PIPE_GRACE_MILLISECONDS = 500;

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function collect(stream: NodeJS.ReadableStream): { text(): string; overflowed(): boolean } {
  const chunks: Buffer[] = [];
  let kept = 0;
  let overflowed = false;
  stream.on('data', (chunk: Buffer) => {
    const room = MAX_OUTPUT_BYTES - kept;
    if (chunk.length > room) overflowed = true;
    if (room === 0) return;
    const part = chunk.length > room ? chunk.subarray(0, room) : chunk;
    chunks.push(part);
    kept += part.length;
  });
  return { text: () => Buffer.concat(chunks).toString('utf8'), overflowed: () => overflowed };
}

const SAID_MAX_CHARACTERS = 400;

/** What a program said, on one line, without control characters: it may quote what a guest wrote. */
function firstLines(text: string): string {
  const line = text
    .trim()
    .replace(/\s*\n\s*/g, '; ')
    .replace(/\p{Cc}/gu, '?');
  return line.length <= SAID_MAX_CHARACTERS ? line : `${line.slice(0, SAID_MAX_CHARACTERS)}…`;
}

/** For messages only. */
function commandLine(command: string, args: readonly string[]): string {
  const line = [command, ...args].join(' ').replace(/\p{Cc}/gu, '?');
  return line.length <= SAID_MAX_CHARACTERS ? line : `${line.slice(0, SAID_MAX_CHARACTERS)}…`;
}

/** Whether a program is in PATH. */
export async function isInstalled(program: string): Promise<boolean> {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const found = await access(join(directory, program), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return true;
  }
  return false;
}
