/** How much waits in apel-outgoing, and for how long: a sender that does not run is seen by nothing else on this host. */

import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { StateLayout } from '../machines/layout.js';

export interface WaitingMessages {
  /** Records and sync messages. */
  readonly count: number;
  /** Since when the one waits that waits longest (Unix seconds); null: none waits. */
  readonly oldestTimeSeconds: number | null;
}

/** Of so many, earliest names first, it is looked up since when they wait: with a sender that is away for weeks there are many. */
const MAX_LOOKED_AT = 1000;

/** @throws Error with the `code` of the system where the directory cannot be read */
export async function waitingMessages(layout: StateLayout): Promise<WaitingMessages> {
  const directory = layout.apelOutgoing();
  const days = (await namesIn(directory)).filter((name) => /^\d{8}$/.test(name)).sort();
  let count = 0;
  let oldestTimeSeconds: number | null = null;
  for (const day of days) {
    const names = (await namesIn(join(directory, day))).filter((name) => /^\d{14}$/.test(name)).sort();
    for (const name of names.slice(0, Math.max(0, MAX_LOOKED_AT - count))) {
      // The sender may have taken it meanwhile.
      const stats = await stat(join(directory, day, name)).catch(() => null);
      if (stats === null) continue;
      const sinceSeconds = Math.floor(stats.mtimeMs / 1000);
      oldestTimeSeconds = Math.min(oldestTimeSeconds ?? sinceSeconds, sinceSeconds);
    }
    count += names.length;
  }
  return { count, oldestTimeSeconds };
}

/** Empty where there is no such directory: the sender removes days that it has emptied. */
async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
