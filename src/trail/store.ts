/**
 * Writing the trail: appended, on the disk before the caller goes on, each entry once whatever crashes.
 *
 * An entry is known again by its key. After a restart the days since the oldest machine that is not over are read, so a
 * step that is repeated finds what it wrote before. All that wait at one moment share one fsync.
 */

import { constants } from 'node:fs';
import { mkdir, open, readFile, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeFileAtomic } from '../host/files.js';
import { dayOf, dayPath, digestOf, HEAD, type Link, linesOf, REMOVED, readLink, trailDays } from './files.js';
import { entryKey, NO_DIGEST, parseTrailLine, type TrailEntry, trailLine } from './record.js';

/** Keys that are remembered; what is older than so many entries is not repeated any more. */
const MAX_KEYS = 50_000;
const SECONDS_PER_DAY = 86_400;

interface Waiting {
  readonly entry: TrailEntry;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

export interface TrailLog {
  info(line: string): void;
  error(line: string): void;
}

export class TrailStore {
  #last: Link = { seq: 0, digest: NO_DIGEST };
  #lastDay = '';
  readonly #keys = new Set<string>();
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | null = null;
  #problem: string | null = null;
  #damage: string | null = null;

  constructor(
    readonly directory: string,
    private readonly log: TrailLog,
    private readonly nowSeconds: () => number = () => Math.floor(Date.now() / 1000),
  ) {}

  /** Number and digest of the last line. */
  get last(): Link {
    return this.#last;
  }

  /** Why it could not be written when last tried; null: it could. */
  get problem(): string | null {
    return this.#problem;
  }

  /** That it was not as it had been left, when it was opened; null: it was. */
  get damage(): string | null {
    return this.#damage;
  }

  /**
   * Takes up where an earlier vacd ended.
   *
   * @param sinceSeconds creation of the oldest machine that may still have something to be written
   */
  async open(sinceSeconds: number): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const days = await trailDays(this.directory);
    const removed = await readLink(this.directory, REMOVED);
    this.#last = removed ?? this.#last;
    this.#lastDay = days.at(-1) ?? '';
    for (const day of days.slice(-1)) await this.#mend(day);
    // Of an empty last file the chain goes on from the one before.
    for (const day of days.toReversed()) {
      const line = await lastLine(dayPath(this.directory, day));
      if (line === null) continue;
      this.#last = { seq: parseTrailLine(line)?.seq ?? this.#last.seq, digest: digestOf(line) };
      break;
    }
    await this.#compareWithHead();
    const oldest = dayOf(Math.max(0, sinceSeconds - SECONDS_PER_DAY));
    for (const day of days.filter((each) => each >= oldest)) {
      for await (const line of linesOf(this.directory, day)) {
        const record = parseTrailLine(line);
        if (record !== null) this.#remember(entryKey(record));
      }
    }
    this.log.info(`trail: ${this.#last.seq} records so far, the last has the digest ${this.#last.digest}`);
  }

  /** Resolves when the entry is on the disk, or was before. @throws when it cannot be written */
  append(entry: TrailEntry): Promise<void> {
    return new Promise((done, failed) => {
      this.#waiting.push({ entry, done, failed });
      this.#flushing ??= this.#flush();
    });
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#flushing;
  }

  /** Removes days that are older than so many days; 0: none. */
  async removeOlderThan(days: number): Promise<void> {
    if (days === 0) return;
    const oldest = dayOf(Math.max(0, this.nowSeconds() - days * SECONDS_PER_DAY));
    const all = await trailDays(this.directory);
    // The last file holds the end of the chain.
    for (const day of all.slice(0, -1).filter((each) => each < oldest)) {
      const line = await lastLine(dayPath(this.directory, day));
      if (line !== null) {
        const link = { seq: parseTrailLine(line)?.seq ?? 0, digest: digestOf(line) };
        await writeFileAtomic(join(this.directory, REMOVED), `${JSON.stringify(link)}\n`, { mode: 0o600 });
      }
      await rm(dayPath(this.directory, day), { force: true });
    }
  }

  async #flush(): Promise<void> {
    // A turn later, so that starts which run beside each other share what follows.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch.map(({ entry }) => entry));
        this.#problem = null;
        for (const { done } of batch) done();
      } catch (error) {
        this.#problem = (error as Error).message;
        for (const { failed } of batch) failed(error);
      }
    }
    this.#flushing = null;
  }

  async #write(entries: readonly TrailEntry[]): Promise<void> {
    const fresh = new Map(entries.map((entry) => [entryKey(entry), entry]));
    for (const key of fresh.keys()) if (this.#keys.has(key)) fresh.delete(key);
    if (fresh.size === 0) return;
    let { seq, digest } = this.#last;
    const lines = [...fresh.values()].map((entry) => {
      const line = trailLine(entry, seq + 1, digest);
      seq += 1;
      digest = digestOf(line);
      return line;
    });
    // With the clock set back, the last file goes on: the order of files is the order of lines.
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const today = dayOf(this.nowSeconds());
    const day = today > this.#lastDay ? today : this.#lastDay;
    await this.#appendTo(day, `${lines.join('\n')}\n`);
    this.#last = { seq, digest };
    for (const key of fresh.keys()) this.#remember(key);
    await writeFileAtomic(join(this.directory, HEAD), `${JSON.stringify(this.#last)}\n`, {
      mode: 0o600,
      durable: false,
    });
    if (day !== this.#lastDay) {
      if (this.#lastDay !== '') this.log.info(`trail: ${day} begins; record ${seq} has the digest ${digest}`);
      this.#lastDay = day;
    }
  }

  async #appendTo(day: string, text: string): Promise<void> {
    const path = dayPath(this.directory, day);
    const handle = await open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
    try {
      const { size } = await handle.stat();
      try {
        await handle.writeFile(text);
        await handle.datasync();
      } catch (error) {
        // A full disk may have taken a part of it; what follows must not be joined to that.
        await handle.truncate(size).catch(() => {});
        throw error;
      }
      if (size === 0) await syncDirectory(this.directory);
    } finally {
      await handle.close();
    }
  }

  /** Takes off a line that was being written when the host went down: whoever wrote it never heard that it is there. */
  async #mend(day: string): Promise<void> {
    const path = dayPath(this.directory, day);
    const { size } = await stat(path);
    const whole = await wholeLength(path, size);
    if (whole === size) return;
    this.log.info(`trail: ${path} ended in the middle of a line (${size - whole} bytes), which is taken off`);
    await truncate(path, whole);
  }

  async #compareWithHead(): Promise<void> {
    const head = await readLink(this.directory, HEAD);
    if (head === null || head.seq < this.#last.seq) return;
    if (head.seq === this.#last.seq && head.digest === this.#last.digest) return;
    this.#damage = 'records were removed or changed while vacd did not run';
    this.log.error(
      `TRAIL DAMAGED: the last record in ${this.directory} is ${this.#last.seq} (${this.#last.digest}) and should be ${head.seq} (${head.digest}); records were removed or changed. vac trace --verify says where; the trail goes on with number ${head.seq + 1}`,
    );
    this.#last = { ...this.#last, seq: Math.max(head.seq, this.#last.seq) };
  }

  #remember(key: string): void {
    this.#keys.add(key);
    const [oldest = key] = this.#keys;
    if (this.#keys.size > MAX_KEYS) this.#keys.delete(oldest);
  }
}

/** The longest beginning that ends with a line's end. */
async function wholeLength(path: string, size: number): Promise<number> {
  const handle = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(65_536);
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - buffer.length);
      const { bytesRead } = await handle.read(buffer, 0, end - start, start);
      const newline = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
      if (newline >= 0) return start + newline + 1;
      end = start;
    }
    return 0;
  } finally {
    await handle.close();
  }
}

/** Null: the file has none. */
async function lastLine(path: string): Promise<string | null> {
  const text = await readFile(path, 'utf8');
  const lines = text.trimEnd().split('\n');
  return lines.at(-1) || null;
}
