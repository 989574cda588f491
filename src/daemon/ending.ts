/** How a daemon ends: all its parts beside each other, and none of them keeps it for long. */

import type { Logger } from './log.js';

/**
 * Begins to end all of these now, and waits until they have, or the time is up: what hangs is left to the end of the
 * process, and to the next vacd as after a crash. Never rejects.
 *
 * @param work by what it is called in the log
 */
export async function endAll(
  work: Readonly<Record<string, () => Promise<unknown>>>,
  seconds: number,
  log: Logger,
): Promise<void> {
  const left = new Set(Object.keys(work));
  const end = async (name: string): Promise<void> => {
    try {
      await work[name]!();
    } catch (error) {
      log.warn(`${name} did not end well: ${(error as Error).message}`);
    }
    left.delete(name);
  };
  const ends = Promise.all(Object.keys(work).map(end));
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([ends, timeUp]);
  clearTimeout(timer);
  for (const name of left) log.warn(`${name} did not end within ${seconds} s and is left`);
}
