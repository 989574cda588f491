/**
 * Lines that wait for the site's collector: files of one minute each that our rsyslogd writes, and how far of them was
 * delivered. A line is in a file before its sender is told that it was taken, and its place is passed only when the
 * collector has it: a crash of anybody in between makes lines come twice, never not at all.
 */

import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere, writeFileAtomic } from './files.js';

/** How far of one file was delivered. A file of the same minute may come again when the clock is set back. */
interface Position {
  readonly inode: number;
  readonly bytes: number;
}

export interface Batch {
  /** Without their line ends; at least one. */
  readonly lines: readonly Buffer[];
  /** What is to be noted once they are delivered. */
  readonly end: Position & { readonly file: string };
}

/** Read and sent at once. */
const BATCH_BYTES = 256 * 1024;
/** `YYYYMMDDHHMM` in UTC; rsyslogd may still write into a file shortly after its minute. */
const FILE_NAME = /^\d{12}$/;
const CLOSED_AFTER_SECONDS = 90;
/** Where the line to a collector is too long for any batch: rsyslogd writes no such, but the file is only a file. */
const MAX_LINE_BYTES = BATCH_BYTES;

export class SyslogSpool {
  /** Lines that were dropped because too many waited, since this process runs. */
  droppedLines = 0;
  private positions: Record<string, Position> | null = null;

  /**
   * @param directory of the files
   * @param positionPath outside of it
   */
  constructor(
    private readonly directory: string,
    private readonly positionPath: string,
  ) {}

  /** The next lines; null when all that is there is delivered. */
  async next(): Promise<Batch | null> {
    for (const file of await this.files()) {
      const path = join(this.directory, file);
      const { ino, size, mtimeMs } = await stat(path);
      const from = await this.deliveredOf(file, ino, size);
      const lines = size > from ? await readLines(path, from) : [];
      if (lines.length > 0) {
        const bytes = from + lines.reduce((sum, line) => sum + line.length + 1, 0);
        return { lines: lines.filter((line) => line.length > 0), end: { file, inode: ino, bytes } };
      }
      // Half a line without an end can be left behind by a full disk.
      if (Date.now() - Math.max(mtimeMs, minuteOf(file)) > CLOSED_AFTER_SECONDS * 1000) await rm(path, { force: true });
    }
    return null;
  }

  /** The batch was delivered. */
  async passed({ end: { file, inode, bytes } }: Batch): Promise<void> {
    const files = new Set(await this.files());
    const others = Object.entries(await this.readPositions()).filter(([name]) => files.has(name));
    this.positions = { ...Object.fromEntries(others), [file]: { inode, bytes } };
    // A lost place only makes lines come twice, and is renewed many times a second.
    await writeFileAtomic(this.positionPath, `${JSON.stringify(this.positions)}\n`, { durable: false });
  }

  /** Drops the oldest files until no more than this waits. Returns how many bytes do. */
  async limit(maxBytes: number): Promise<number> {
    const files = await Promise.all(
      (await this.files()).map(async (file) => {
        const { size, ino } = await stat(join(this.directory, file));
        const from = await this.deliveredOf(file, ino, size);
        return { file, from, bytes: size - from };
      }),
    );
    let waiting = files.reduce((sum, file) => sum + file.bytes, 0);
    // The last one is being written.
    for (const { file, from, bytes } of files.slice(0, -1)) {
      if (waiting <= maxBytes) break;
      this.droppedLines += await countLines(join(this.directory, file), from);
      await rm(join(this.directory, file), { force: true });
      waiting -= bytes;
    }
    return waiting;
  }

  private async files(): Promise<string[]> {
    const names = await readdir(this.directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return names.filter((name) => FILE_NAME.test(name)).sort();
  }

  private async deliveredOf(file: string, inode: number, size: number): Promise<number> {
    const position = (await this.readPositions())[file];
    return position?.inode === inode && position.bytes <= size ? position.bytes : 0;
  }

  private async readPositions(): Promise<Record<string, Position>> {
    if (this.positions === null) {
      const text = (await readTextIfThere(this.positionPath)) ?? '{}';
      try {
        this.positions = JSON.parse(text) as Record<string, Position>;
      } catch {
        this.positions = {};
      }
    }
    return this.positions;
  }
}

function minuteOf(file: string): number {
  const [, year, month, day, hour, minute] = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(file)!;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute));
}

/** Whole lines from a place on, some of them. */
async function readLines(path: string, from: number): Promise<Buffer[]> {
  const file = await open(path);
  try {
    const buffer = Buffer.alloc(BATCH_BYTES);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, from);
    const lines: Buffer[] = [];
    let begin = 0;
    for (let end = buffer.indexOf(10); end !== -1 && end < bytesRead; end = buffer.indexOf(10, begin)) {
      lines.push(buffer.subarray(begin, end));
      begin = end + 1;
    }
    if (lines.length === 0 && bytesRead === MAX_LINE_BYTES) lines.push(buffer.subarray(0, bytesRead - 1));
    return lines;
  } finally {
    await file.close();
  }
}

async function countLines(path: string, from: number): Promise<number> {
  const file = await open(path);
  try {
    let count = 0;
    for await (const chunk of file.createReadStream({ start: from, autoClose: false })) {
      for (const byte of chunk as Buffer) if (byte === 10) count++;
    }
    return count;
  } finally {
    await file.close();
  }
}
