/**
 * A child of a vacd that is no more. It ends by itself when its channel closes, within milliseconds; one that hung when
 * vacd was killed would keep the ports from the next vacd for ever.
 */

import { basename } from 'node:path';
import { findHelperProcess } from '../host/helper-process.js';

const TRIES = 100;
const TRY_MS = 20;

/**
 * Ends all children that have this mark, whatever network they see; whoever calls holds the lock of the state directory,
 * so they are nobody's.
 *
 * @returns how many there were
 */
export async function endLeftovers(mark: string): Promise<number> {
  const seen = new Set<number>();
  for (let tries = 0; tries < TRIES; tries += 1) {
    const found = await findHelperProcess({ command: basename(process.execPath), mark, isApart: true });
    if (found === null) break;
    seen.add(found.pid);
    try {
      process.kill(found.pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
    await new Promise((resolve) => setTimeout(resolve, TRY_MS));
  }
  return seen.size;
}
