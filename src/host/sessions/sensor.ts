/**
 * What overnight mode knows of the owner comes from sensors, a file each. A sensor looks in its own way and at its own
 * pace, and keeps what it saw last; reading it costs nothing and never waits. What it cannot know it says so, with the
 * reason: unknown counts as in use (SPEC 12).
 */

import { NOT_LOOKED_AT_YET } from '../../factory/overnight-owner.js';
import type { Sensed } from '../../factory/overnight-types.js';

export interface Sensor<Seen> {
  /** Begins to look; until the first look is over, what it knows is unknown. `changed` is called when there is news. */
  start(changed: () => void): void;
  /** @param nowMs on the clock of performance.now() */
  read(nowMs: number): Seen;
  close(): void;
}

/** Before the first look. */
export const NOT_YET: { readonly unknown: string } = { unknown: NOT_LOOKED_AT_YET };

export function known<T>(value: T): Sensed<T> {
  return { value };
}

/** Looks again and again, one look at a time; a look that fails is the sensor's to report. */
export class Repeated {
  private timer: NodeJS.Timeout | null = null;
  private isLooking = false;

  constructor(
    private readonly look: () => Promise<void>,
    private readonly periodMs: number,
  ) {}

  /** The first look is made at once. */
  start(): void {
    void this.now();
    this.timer = setInterval(() => void this.now(), this.periodMs);
  }

  async now(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      await this.look();
    } finally {
      this.isLooking = false;
    }
  }

  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }
}

/** A sensor that asks again and again, and has news where the answer is another one. */
export abstract class AskingSensor<Seen> implements Sensor<Seen> {
  protected readonly looks: Repeated;
  private changed = () => {};

  /** @param seen what it knows before the first answer */
  constructor(
    private seen: Seen,
    periodMs: number,
  ) {
    this.looks = new Repeated(() => this.look(), periodMs);
  }

  start(changed: () => void): void {
    this.changed = changed;
    this.looks.start();
  }

  read(): Seen {
    return this.seen;
  }

  close(): void {
    this.looks.close();
  }

  /** Never rejects: what it cannot know is an answer too. */
  protected abstract ask(): Promise<Seen>;

  private async look(): Promise<void> {
    const before = JSON.stringify(this.seen);
    this.seen = await this.ask();
    if (JSON.stringify(this.seen) !== before) this.changed();
  }
}
