/** One child of vacd, from its start to its end, which comes once. Nothing that it sends or says is trusted. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { firstLineHarmless } from '../host/files.js';
import { TokenBucket } from '../vacquery/limits.js';
import { CHANNEL_DESCRIPTOR, type Task } from './command.js';
import type { Identity } from './confine.js';
import { integerField, textField } from './fields.js';
import type { Message } from './frames.js';
import { Channel } from './link.js';
import { BadMessage, GUARD_PART, type ParentPart } from './part.js';

export interface ProcessOptions {
  readonly parts: readonly ParentPart[];
  readonly mark: string;
  readonly identity: Identity;
  readonly onProblem: (line: string) => void;
  readonly beatSeconds: number;
  /** Program and arguments of the child. */
  readonly command: (task: Task, mark: string) => readonly [string, readonly string[]];
}

export interface ProcessListener {
  /** All its parts have started. */
  onServing(): void;
  /** @param why as "ended by signal SIGKILL" */
  onEnd(why: string, livedSeconds: number): void;
}

/** vacd reads so many of its messages a second: more than the machines of a busy host can cause, less than would stop it. */
const MESSAGES_PER_SECOND = 10_000;
/** Between two looks at what it says on stderr. */
const WORDS_MS = 100;
const MAX_UNSENT_BYTES = 64 * 2 ** 20;
/** It loads its program meanwhile, which takes long where the host has much else to do. */
const START_SECONDS = 60;
/** So many beats unanswered, and it hangs. */
const MISSED_BEATS = 5;
/** Lines of trouble: so many at once, and one more each so many seconds. */
const LINES_AT_ONCE = 20;
const LINES_PER_SECOND = 0.1;
const MAX_LINE_CHARS = 300;
/** Between the end of its channel and that of the process. */
const EXIT_MS = 500;

export class GuardProcess {
  serving = false;
  private child: ChildProcess | null = null;
  private channel: Channel | null = null;
  private beatTimer: NodeJS.Timeout | null = null;
  private beat = 0;
  private beatAnswered = 0;
  private readonly lines = new TokenBucket(LINES_PER_SECOND, LINES_AT_ONCE, performance.now());
  private readonly parts: ReadonlyMap<string, ParentPart>;
  /** Why vacd ended it, if it did. */
  private reason: string | null = null;
  private ended = false;
  private readonly startedMs = performance.now();
  private readonly gone: Promise<void>;
  private sayGone: () => void = () => {};

  constructor(
    private readonly options: ProcessOptions,
    private readonly listener: ProcessListener,
  ) {
    this.parts = new Map(options.parts.map((part) => [part.name, part]));
    this.gone = new Promise((resolve) => {
      this.sayGone = resolve;
    });
  }

  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  get livedSeconds(): number {
    return (performance.now() - this.startedMs) / 1000;
  }

  start(): void {
    const sockets = this.options.parts.flatMap((part) =>
      [...part.sockets()].map(([name, descriptor]) => ({ part: part.name, name, descriptor })),
    );
    const task: Task = {
      ...this.options.identity,
      parts: [...this.parts.keys()],
      network: this.options.parts.some(({ opensConnections }) => opensConnections === true),
      sockets: sockets.map((socket, index) => ({ ...socket, descriptor: CHANNEL_DESCRIPTOR + 1 + index })),
    };
    let child: ChildProcess;
    try {
      child = this.spawn(
        task,
        sockets.map(({ descriptor }) => descriptor),
      );
    } catch (error) {
      // Out of memory, say; vacd goes on.
      this.exited(`cannot be started: ${(error as Error).message}`);
      return;
    }
    this.child = child;
    child.on('error', (error) => this.end(`cannot be started: ${error.message}`));
    // Out of descriptors Node gives it no pipes, and tells of the error next.
    if (child.stdio === undefined) return;
    child.on('exit', (code, signal) =>
      this.exited(code === null ? `was ended by ${signal}` : `ended with code ${code}`),
    );
    this.listenToWords(child.stderr as Socket);
    const channel = new Channel(child.stdio[CHANNEL_DESCRIPTOR] as Socket, {
      onMessage: (message) => this.take(message),
      onEnd: (error) => this.channelEnded(error),
      messagesPerSecond: MESSAGES_PER_SECOND,
      maxUnsentBytes: MAX_UNSENT_BYTES,
    });
    this.channel = channel;
    for (const part of this.parts.values()) part.attach(channel.link(part.name));
    channel.begin();
    this.beatTimer = setInterval(() => this.askForBeat(), this.options.beatSeconds * 1000);
  }

  private spawn(task: Task, descriptors: readonly number[]): ChildProcess {
    const [command, args] = this.options.command(task, this.options.mark);
    return spawn(command, args, {
      stdio: ['ignore', 'ignore', 'pipe', 'pipe', ...descriptors],
      // Not what vacd was started with: options for Node, keys that were passed on by mistake.
      env: { PATH: process.env.PATH, UV_THREADPOOL_SIZE: '4' },
      cwd: '/',
    });
  }

  /** Kills it, and resolves when it is gone. */
  end(reason = 'was ended'): Promise<void> {
    if (this.ended) return this.gone;
    this.reason ??= reason;
    this.channel?.close();
    if (this.child?.pid === undefined) this.exited(reason);
    else this.child.kill('SIGKILL');
    return this.gone;
  }

  /** As a rule because it has just ended, for a reason that tells more. */
  private channelEnded(error: Error | null): void {
    if (error !== null) void this.end(`was ended: ${error.message}`);
    else setTimeout(() => void this.end('closed its channel and was ended'), EXIT_MS).unref();
  }

  private exited(how: string): void {
    if (this.ended) return;
    this.ended = true;
    this.serving = false;
    if (this.beatTimer !== null) clearInterval(this.beatTimer);
    this.reason ??= how;
    this.channel?.close();
    for (const part of this.parts.values()) part.detach();
    this.sayGone();
    this.listener.onEnd(this.reason, this.livedSeconds);
  }

  /** @throws BadMessage */
  private take({ part: name, type, body, bytes }: Message): void {
    if (this.ended) return;
    const part = this.parts.get(name);
    if (part !== undefined) part.receive(type, body, bytes);
    else if (name === GUARD_PART) this.takeOwn(type, body);
    else throw new BadMessage('it sent a message of no part');
  }

  private takeOwn(type: string, body: unknown): void {
    switch (type) {
      case 'ready':
        this.serving = true;
        this.listener.onServing();
        return;
      case 'beat':
        this.beatAnswered = integerField(body, 'beat', this.beatAnswered, this.beat);
        return;
      case 'problem':
        this.say(textField(body, 'line', MAX_LINE_CHARS * 10));
        return;
      default:
        throw new BadMessage('it sent a message of no type');
    }
  }

  private askForBeat(): void {
    if (!this.serving) {
      if (this.livedSeconds >= START_SECONDS) void this.end(`did not begin within ${START_SECONDS} s and was ended`);
      return;
    }
    if (this.beat - this.beatAnswered >= MISSED_BEATS) {
      void this.end(`did not answer for ${MISSED_BEATS * this.options.beatSeconds} s and was ended`);
      return;
    }
    this.beat += 1;
    this.channel?.send(GUARD_PART, 'beat', { beat: this.beat });
  }

  /** What it says on stderr: Node's words about an error that ended it. */
  private listenToWords(stderr: Socket): void {
    stderr.on('error', () => {});
    stderr.on('data', (chunk: Buffer) => {
      stderr.pause();
      setTimeout(() => stderr.resume(), WORDS_MS).unref();
      for (const line of chunk
        .subarray(0, MAX_LINE_CHARS * LINES_AT_ONCE)
        .toString('utf8')
        .split('\n'))
        this.say(line);
    });
  }

  private say(line: string): void {
    const harmless = firstLineHarmless(Buffer.from(line), MAX_LINE_CHARS);
    if (harmless === null || !this.lines.has(performance.now())) return;
    this.lines.spend(1);
    this.options.onProblem(harmless);
  }
}
