/**
 * `vac overnight pause`: the owner wants the host for himself for a while. Kept in a file, so that it holds over restarts
 * of vacd and of the host.
 */

import { rm } from 'node:fs/promises';
import { VacError } from '../errors.js';
import type { OvernightPause } from '../factory/overnight-types.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';

/** What a pause is where its file cannot be read: the owner's wish counts more than our machines. */
const UNREADABLE_SECONDS = 12 * 3600;

export interface PauseParts {
  readonly memory: Memory;
  readonly path: string;
  readonly log: Logger;
  readonly wake: () => void;
}

export class PauseBook {
  constructor(private readonly parts: PauseParts) {}

  /** Takes up what was ordered from an earlier vacd. Never throws. */
  async restore(nowSeconds: number): Promise<void> {
    const { memory, path, log } = this.parts;
    try {
      const text = await readTextIfThere(path);
      memory.overnight.pause = text === null ? null : parsePause(text);
    } catch (error) {
      log.error(
        `${path} cannot be read (${(error as Error).message}): it is taken for a pause of ${UNREADABLE_SECONDS / 3600} h; vac overnight resume ends it`,
      );
      const untilSeconds = nowSeconds + UNREADABLE_SECONDS;
      memory.overnight.pause = { who: 'an unreadable file', sinceSeconds: nowSeconds, untilSeconds };
    }
  }

  /** @param pause null: it is over. @throws VacError `orders-not-kept`; it holds all the same until vacd ends */
  async set(pause: OvernightPause | null): Promise<void> {
    const { memory, path, log, wake } = this.parts;
    memory.overnight.pause = pause;
    log.info(
      pause === null
        ? 'overnight: the pause is over, as ordered'
        : `overnight: paused until ${new Date(pause.untilSeconds * 1000).toISOString()} by ${pause.who}`,
    );
    wake();
    try {
      if (pause === null) await rm(path, { force: true });
      else await writeFileAtomic(path, JSON.stringify(pause));
    } catch (cause) {
      throw new VacError(
        'orders-not-kept',
        `it holds now, but ${path} cannot be written, so not after a restart of vacd: ${(cause as Error).message}`,
        { cause },
      );
    }
  }
}

function parsePause(text: string): OvernightPause {
  const { who, sinceSeconds, untilSeconds } = JSON.parse(text) as Partial<OvernightPause>;
  if (typeof who !== 'string' || !Number.isSafeInteger(sinceSeconds) || !Number.isSafeInteger(untilSeconds)) {
    throw new Error('it holds no pause');
  }
  return { who, sinceSeconds: sinceSeconds!, untilSeconds: untilSeconds! };
}
