import { describe, expect, it } from 'vitest';
import { MAX_CLOCK_ERROR_SECONDS } from '../../src/factory/credible-time.js';
import { isBeforeFizzle } from '../../src/factory/news.js';
import { machine, NOW } from './builders.js';

const startedAgo = (seconds: number) => machine({ startedTimeSeconds: NOW - seconds }, { fizzleSeconds: 600 });

describe('a machine before its fizzle_seconds', () => {
  it.each([
    ['that is being created', machine({ phase: 'starting', startedTimeSeconds: null }), true],
    ['that started a moment ago', startedAgo(0), true],
    ['in its last second', startedAgo(599), true],
    ['that outlived it', startedAgo(600), false],
    ['that has ended', { ...startedAgo(1), phase: 'ended' as const }, false],
    ['started a little ahead of now', startedAgo(-MAX_CLOCK_ERROR_SECONDS), true],
    ['started in the future, as the clock was set back', startedAgo(-MAX_CLOCK_ERROR_SECONDS - 1), false],
  ])('%s', (_, which, expected) => expect(isBeforeFizzle(which, NOW)).toBe(expected));
});
