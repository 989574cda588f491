/**
 * When something was last typed at each terminal: the kernel keeps the time at which input of a tty was read (to eight
 * seconds). Text consoles belong to the seat; pseudo terminals are remote logins, or windows of the desktop.
 */

import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { Repeated, type Sensor } from './sensor.js';

const LOOK_MS = 1_000;

export interface Terminal {
  /** `tty1`, `pts/3`. */
  readonly name: string;
  readonly uid: number;
  readonly idleForSeconds: number;
}

interface Seen {
  readonly uid: number;
  /** As the file has it, on the wall clock. */
  readonly atimeMs: number;
  /** When it was last typed at, on the monotonic clock: steps of the wall clock make nobody look idle, or active. */
  readonly typedMs: number;
}

export class TerminalSensor implements Sensor<readonly Terminal[]> {
  private readonly terminals = new Map<string, Seen>();
  private changed = () => {};
  private readonly looks = new Repeated(() => this.look(), LOOK_MS);

  /** @param directory where terminals are */
  constructor(private readonly directory = '/dev') {}

  start(changed: () => void): void {
    this.changed = changed;
    this.looks.start();
  }

  read(nowMs: number): readonly Terminal[] {
    return [...this.terminals].map(([name, { uid, typedMs }]) => ({
      name,
      uid,
      idleForSeconds: Math.max(0, nowMs - typedMs) / 1000,
    }));
  }

  close(): void {
    this.looks.close();
  }

  private async look(): Promise<void> {
    const consoles = await namesIn(this.directory, /^tty[1-9]\d?$/);
    const pseudo = await namesIn(`${this.directory}/pts`, /^\d+$/);
    const names = [...consoles, ...pseudo.map((name) => `pts/${name}`)];
    let isNews = false;
    for (const name of this.terminals.keys()) if (!names.includes(name)) this.terminals.delete(name);
    for (const name of names) {
      const info = await stat(`${this.directory}/${name}`).catch(() => null);
      if (info !== null && this.take(name, info)) isNews = true;
    }
    if (isNews) this.changed();
  }

  /** Whether it was typed at since the last look. */
  private take(name: string, { uid, atimeMs }: Stats): boolean {
    const before = this.terminals.get(name);
    if (before?.atimeMs === atimeMs && before.uid === uid) return false;
    const nowMs = performance.now();
    // At the first look the wall clock is all there is to tell how long ago.
    const typedMs = before === undefined ? nowMs - Math.max(0, Date.now() - atimeMs) : nowMs;
    this.terminals.set(name, { uid, atimeMs, typedMs });
    return before !== undefined;
  }
}

async function namesIn(directory: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(directory).catch(() => []);
  return names.filter((name) => pattern.test(name));
}
