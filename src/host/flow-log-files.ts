/**
 * The log of connections on the disk, for root alone: `flows/<when it begins, UTC>.log`, a new file for each day and
 * whenever one is a tenth of what all may take; the oldest go first.
 */

import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Flow, type Gap, isGap, parseFlowLine } from './flow-log-lines.js';

const NAME = /^(\d{8})T(\d{6})\.log$/;
const FILES = 10;

export interface FlowLogLimits {
  readonly days: number;
  readonly bytes: number;
}

export class FlowLogFiles {
  private file: { readonly handle: FileHandle; readonly day: string; bytes: number } | null = null;
  /** A full disk may have taken a part of the last lines: what follows must not be joined to it. */
  private isTorn = false;

  constructor(
    readonly directory: string,
    private readonly limits: FlowLogLimits,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /** One call at a time. */
  async append(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const file = await this.current();
    const text = `${this.isTorn ? '\n' : ''}${lines.join('\n')}\n`;
    this.isTorn = true;
    await file.handle.writeFile(text);
    this.isTorn = false;
    file.bytes += Buffer.byteLength(text);
  }

  async close(): Promise<void> {
    const { file } = this;
    this.file = null;
    await file?.handle.close();
  }

  /** Removes what is too old or too much. */
  async tidy(): Promise<void> {
    const oldest = nameAt(this.nowMs() - this.limits.days * 86_400_000);
    const names = await flowFiles(this.directory);
    let left = this.limits.bytes;
    for (const name of names.toReversed()) {
      const { size } = await stat(join(this.directory, name));
      left -= size;
      const isNewest = name === names.at(-1);
      if (!isNewest && (name < oldest || left < 0)) await rm(join(this.directory, name), { force: true });
    }
  }

  private async current() {
    const name = nameAt(this.nowMs());
    const day = name.slice(0, 8);
    if (this.file !== null && this.file.day === day && this.file.bytes < this.limits.bytes / FILES) return this.file;
    await this.close();
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const handle = await open(join(this.directory, name), 'a', 0o600);
    this.file = { handle, day, bytes: (await handle.stat()).size };
    await this.tidy();
    return this.file;
  }
}

function nameAt(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '')}.log`;
}

/** Oldest first. */
export async function flowFiles(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => NAME.test(name)).sort();
}

export interface FlowQuery {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  /** Beside the time. */
  readonly matches: (flow: Flow) => boolean;
  readonly most: number;
}

/** What the log says of a stretch of time; `isCut`: there is more. */
export async function readFlows(
  directory: string,
  { fromSeconds, toSeconds, matches, most }: FlowQuery,
): Promise<{ readonly flows: Flow[]; readonly gaps: Gap[]; readonly isCut: boolean }> {
  const flows: Flow[] = [];
  const gaps: Gap[] = [];
  const names = await flowFiles(directory);
  for (const [index, name] of names.entries()) {
    const next = names[index + 1];
    // A file holds what came from its beginning to that of the next one.
    if (name > nameAt(toSeconds * 1000 + 60_000)) break;
    if (next !== undefined && next < nameAt(Math.max(0, fromSeconds * 1000 - 60_000))) continue;
    const input = createReadStream(join(directory, name), 'latin1');
    try {
      for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
        const line = parseFlowLine(text);
        if (line === null || line.timeSeconds < fromSeconds || line.timeSeconds > toSeconds) continue;
        if (isGap(line)) gaps.push(line);
        else if (matches(line)) flows.push(line);
        if (flows.length > most) return { flows: flows.slice(0, most), gaps, isCut: true };
      }
    } finally {
      input.destroy();
    }
  }
  return { flows, gaps, isCut: false };
}
