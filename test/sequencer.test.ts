import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GUESTS, inTurns, WAITING } from './sequencer.js';

describe('the order of test files', () => {
  it('gives turns to the lane that has had the least time, to the end of all', () => {
    const row = inTurns([
      { long: 100, second: 10, third: 1 },
      { a: 30, b: 30, c: 30, d: 30 },
    ]);
    expect(row).toEqual(['long', 'a', 'b', 'c', 'd', 'second', 'third']);
    expect(inTurns([{}, { only: 1 }])).toEqual(['only']);
  });

  it('names files that there are, each in one lane', () => {
    const paths = [GUESTS, WAITING].flatMap((lane) => Object.keys(lane));
    expect(paths.filter((path) => !existsSync(join(import.meta.dirname, '..', path)))).toEqual([]);
    expect(new Set(paths).size).toBe(paths.length);
  });
});
