/**
 * The trail's directory, `trail/` of the state directory, readable by root alone:
 *
 *     trail/YYYYMMDD.jsonl   a day's records, appended only, each line tied to the one before (across days as well)
 *     trail/head.json        number and digest of the last line: what is missing at the end shows
 *     trail/removed.json     the same of the last line that was removed for its age: what is missing at the beginning shows
 *
 * Whoever is root here can write all of it anew. So vacd also logs the digests, and a site's central log keeps them.
 */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere } from '../host/files.js';

export const HEAD = 'head.json';
export const REMOVED = 'removed.json';

const DAY_FILE = /^\d{8}\.jsonl$/;

/** A place in the chain. */
export interface Link {
  readonly seq: number;
  readonly digest: string;
}

/** YYYYMMDD, in UTC. */
export function dayOf(timeSeconds: number): string {
  return new Date(timeSeconds * 1000).toISOString().slice(0, 10).replaceAll('-', '');
}

export function dayPath(directory: string, day: string): string {
  return join(directory, `${day}.jsonl`);
}

/** Oldest first; empty when there is no trail. @throws when it may not be read */
export async function trailDays(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names
    .filter((name) => DAY_FILE.test(name))
    .map((name) => name.slice(0, 8))
    .sort();
}

export function digestOf(line: string): string {
  return createHash('sha256').update(line).digest('hex');
}

/** The lines of a day, without the beginning of one that vacd is writing this moment: nobody was told that it is there. */
export async function* linesOf(directory: string, day: string): AsyncGenerator<string> {
  let rest = '';
  for await (const part of createReadStream(dayPath(directory, day), 'utf8')) {
    const lines = (rest + part).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}

/** Null: there is none. */
export async function readLink(directory: string, name: typeof HEAD | typeof REMOVED): Promise<Link | null> {
  const text = await readTextIfThere(join(directory, name));
  if (text === null) return null;
  try {
    const { seq, digest } = JSON.parse(text) as Partial<Link>;
    if (Number.isSafeInteger(seq) && typeof digest === 'string') return { seq: seq as number, digest };
  } catch {
    // As below.
  }
  return { seq: -1, digest: '' };
}
