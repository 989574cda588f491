/**
 * The number of this start of vacd, by which the others tell later news of this factory from earlier (VacQuery 02):
 * later than every one before it, so it is written down before it is first used.
 */

import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import { MAX_AHEAD_SECONDS, nextIncarnation } from '../vacquery/index.js';
import type { Logger } from './log.js';

export class Incarnation {
  /** The one that was used last, or found; null: none yet. */
  private last: number | null = null;
  private isRead = false;
  /** Writes follow one another. */
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly path: string,
    private readonly log: Logger,
  ) {}

  /** A new one, which is on disk when this resolves, unless the disk does not take it: then the log says so. */
  async next(unixSeconds: number): Promise<number> {
    if (!this.isRead) {
      this.last = await this.read(unixSeconds);
      this.isRead = true;
    }
    const isUsable = this.last !== null && this.last <= unixSeconds + MAX_AHEAD_SECONDS;
    const next = nextIncarnation(isUsable ? this.last : null, unixSeconds);
    await this.keep(next);
    return next;
  }

  /** One that others, or a calendar that was set back, made necessary; resolves when it is on disk, or cannot be. */
  keep(incarnation: number): Promise<void> {
    this.last = incarnation;
    this.writing = this.writing.then(() => this.write(incarnation));
    return this.writing;
  }

  /** Nothing is being written any more. */
  settled(): Promise<void> {
    return this.writing;
  }

  private async write(incarnation: number): Promise<void> {
    try {
      await writeFileAtomic(this.path, `${incarnation}\n`);
    } catch (error) {
      this.log.warn(
        `the number of this start cannot be kept (${(error as Error).message}): should the clock be set back, the others may take the next start's news for old`,
      );
    }
  }

  private async read(unixSeconds: number): Promise<number | null> {
    const text = await readTextIfThere(this.path).catch((error: Error) => error);
    if (text === null) return null;
    const problem = text instanceof Error ? text.message : problemOf(text, unixSeconds);
    if (problem === null) return Number(text);
    this.log.warn(`${this.path}: ${problem}; the time is taken instead, which is right unless the clock was set back`);
    return null;
  }
}

function problemOf(text: unknown, unixSeconds: number): string | null {
  if (typeof text !== 'string' || !/^[1-9]\d{0,11}\n?$/.test(text)) return 'not the number that vacd wrote';
  // Nobody believes such a one, so it is no use to be later than that.
  if (Number(text) > unixSeconds + MAX_AHEAD_SECONDS)
    return `${text.trim()} is in the future, the clock was wrong then`;
  return null;
}
