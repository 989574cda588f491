import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { accountMany } from './many-machines.js';

/** Files are written through to the disk, so where there is a filesystem in memory it is taken. */
const directory = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

// `npm run bench -- --only accounting` does the same with 10,000 machines and 1,000 crashes.
it.each([1, 2])('the records of many machines are their use, whatever crashes (seed %i)', async (seed) => {
  const outcome = await accountMany(seed, { machines: 300, crashes: 150, directory });
  expect(outcome.problems).toEqual([]);
  expect(outcome.crashes).toBeGreaterThan(100);
}, 60_000);
