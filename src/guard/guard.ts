/**
 * vacd's side of its child without root: it starts the child with the sockets that are bound, looks whether it lives,
 * and replaces it when it does not. While there is none, connections and datagrams wait in the sockets, which vacd keeps.
 *
 *     (no child) ── ensureRunning, renew ──> starting ── ready ──> serving
 *         ^                                     │                     │ ends, hangs, sends what it must not, renew
 *         └──────── delay: none at first <──────┴─────────────────────┘
 */

import { VacError } from '../errors.js';
import { guardCommand } from './command.js';
import type { Identity } from './confine.js';
import { GuardProcess, type ProcessOptions } from './guard-process.js';
import { endLeftovers } from './leftover.js';
import type { ParentPart } from './part.js';

export interface GuardOptions {
  readonly parts: readonly ParentPart[];
  /** What tells this vacd's child from those of others on this host: its state directory. */
  readonly mark: string;
  /** Whom the child becomes. */
  readonly identity: Identity;
  /** How it is called in messages, as "the process that serves machines". */
  readonly what: string;
  /** Told, in one line, of what went wrong in the child or with it. */
  readonly onProblem: (line: string) => void;
  /** Between two questions whether it lives; default 3. */
  readonly beatSeconds?: number;
  /** Another program, for tests of what an attacker would run. */
  readonly command?: ProcessOptions['command'];
}

const BEAT_SECONDS = 3;
/** A child that ends within this of its start adds to the delay before the next one. */
const QUICK_END_SECONDS = 60;
/** Delay before the next start, by how many have ended quickly, one after another; then always the last. */
const DELAYS_SECONDS = [0, 0, 1, 2, 5, 10, 30];
/** From here on it is a fault that a site should hear of, and no machine is started. */
const CRASH_LOOP = 3;
/** How long a check waits for a child that is just being replaced. */
const PATIENCE_MS = 10_000;
/** One that ended so often within an hour does not stay up, however long each lived. */
const MANY_ENDS = 5;
const HOUR_MS = 3_600_000;

/** How it goes with the child, for monitors and people. */
export interface ChildFacts {
  readonly serving: boolean;
  /** How often it ended without being told to, since vacd runs. */
  readonly ends: number;
  /** It does not stay up, in one line; null: it does. */
  readonly problem: string | null;
}

export class Guard {
  private process: GuardProcess | null = null;
  private timer: NodeJS.Timeout | null = null;
  private wanted = false;
  private quickEnds = 0;
  private lastEnd = '';
  private ends = 0;
  /** Of the last `MANY_ENDS`, on the steady clock. */
  private endsAtMs: number[] = [];
  private prepared: Promise<void> | null = null;
  private readonly waiting = new Set<() => void>();

  constructor(private readonly options: GuardOptions) {}

  /** Of the child that serves now; for people and tests. */
  get pid(): number | null {
    return this.process?.pid ?? null;
  }

  /** Frees the ports that a child of an earlier vacd may still have; to be waited for before they are bound. */
  prepare(): Promise<void> {
    const { mark, what, onProblem } = this.options;
    this.prepared ??= endLeftovers(mark).then(
      (count) => {
        if (count > 0) onProblem(`${what}, of an earlier vacd, hung and was ended`);
      },
      // The ports tell by themselves whether there is one.
      (error: Error) => onProblem(`whether an earlier vacd left ${what} cannot be seen: ${error.message}`),
    );
    return this.prepared;
  }

  /**
   * Starts the child if there is none, and waits until it serves.
   *
   * @throws VacError `helper-failed` when it does not come up
   */
  async ensureRunning(): Promise<void> {
    this.wanted = true;
    await this.prepare();
    if (this.wanted && this.process === null && this.timer === null) this.start();
    await this.check();
  }

  /**
   * The sockets of a part have changed: the child is replaced by one that has them, within a fraction of a second.
   *
   * @throws VacError `helper-failed`
   */
  async renew(): Promise<void> {
    const { process } = this;
    this.process = null;
    await process?.end();
    await this.ensureRunning();
  }

  /** @throws VacError `helper-failed` it does not run, or has ended again and again until a minute ago */
  async check(): Promise<void> {
    await this.served();
    if (this.isLooping()) throw this.failure();
  }

  facts(): ChildFacts {
    return { serving: this.process?.serving === true, ends: this.ends, problem: this.problem() };
  }

  private problem(): string | null {
    if (!this.wanted) return null;
    if (this.isLooping()) return this.failure().message;
    const isOften = this.endsAtMs.length === MANY_ENDS && performance.now() - this.endsAtMs[0]! < HOUR_MS;
    return isOften
      ? `${this.options.what} does not stay up: ${MANY_ENDS} ended within an hour, the last one ${this.lastEnd}`
      : null;
  }

  /** Ends the child; `ensureRunning` may start one again. */
  async close(): Promise<void> {
    this.wanted = false;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const { process } = this;
    this.process = null;
    await process?.end();
    this.wake();
  }

  private start(): void {
    const options: ProcessOptions = { beatSeconds: BEAT_SECONDS, command: guardCommand, ...this.options };
    const process = new GuardProcess(options, {
      onServing: () => this.wake(),
      onEnd: (why, livedSeconds) => {
        if (this.process === process) this.ended(why, livedSeconds);
      },
    });
    this.process = process;
    process.start();
  }

  private ended(why: string, livedSeconds: number): void {
    this.process = null;
    this.lastEnd = why;
    this.ends += 1;
    this.endsAtMs = [...this.endsAtMs, performance.now()].slice(-MANY_ENDS);
    this.quickEnds = livedSeconds < QUICK_END_SECONDS ? this.quickEnds + 1 : 1;
    const delaySeconds = DELAYS_SECONDS[Math.min(this.quickEnds, DELAYS_SECONDS.length - 1)]!;
    const next = delaySeconds === 0 ? 'another is started' : `another is started in ${delaySeconds} s`;
    this.options.onProblem(`${this.options.what} ${why}; ${next}`);
    this.wake();
    this.timer = setTimeout(() => {
      this.timer = null;
      this.start();
    }, delaySeconds * 1000);
  }

  /** When it serves; rejects when it is not expected to, soon. */
  private async served(): Promise<void> {
    const untilMs = performance.now() + PATIENCE_MS;
    while (this.process?.serving !== true) {
      const leftMs = untilMs - performance.now();
      if (!this.wanted || this.isLooping() || leftMs <= 0) throw this.failure();
      await this.change(leftMs);
    }
  }

  /** The one that runs now has not yet lived long enough to show that it is over. */
  private isLooping(): boolean {
    return this.quickEnds >= CRASH_LOOP && (this.process?.livedSeconds ?? 0) < QUICK_END_SECONDS;
  }

  private change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, withinMs);
      this.waiting.add(done);
    });
  }

  private wake(): void {
    for (const done of this.waiting) done();
  }

  private failure(): VacError {
    const { what } = this.options;
    const message =
      this.quickEnds === 0
        ? `${what} does not run`
        : `${what} does not stay up: ${this.quickEnds} ended soon after their start, the last one ${this.lastEnd}`;
    return new VacError('helper-failed', message);
  }
}
