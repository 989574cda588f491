import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Io } from '../../src/cli/io.js';
import { wantsColour } from '../../src/cli/io.js';
import { Waiting } from '../../src/cli/waiting.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it.each([
  [{}, true],
  [{ NO_COLOR: '' }, true],
  [{ NO_COLOR: '1' }, false],
  [{ TERM: 'dumb' }, false],
])('with %j in the environment colours are wanted: %s', (env, wanted) => {
  expect(wantsColour(env)).toBe(wanted);
});

function waiting(factories: readonly string[]): { shown: (string | null)[]; waiting: Waiting } {
  const shown: (string | null)[] = [];
  const io = { passing: (text: string | null) => shown.push(text) } as unknown as Io;
  return { shown, waiting: new Waiting({ factories, timeoutSeconds: 10 }, io) };
}

it('nothing is said of a wait of less than a second', () => {
  const { shown, waiting: it } = waiting(['wn01.example.com']);
  vi.advanceTimersByTime(900);
  it.end();
  vi.advanceTimersByTime(5000);
  expect(shown).toEqual([]);
});

it('of a longer one it is said who is waited for, as long as they are', () => {
  const { shown, waiting: it } = waiting(['wn01', 'wn02', 'wn03', 'wn04', 'wn05'].map((name) => `${name}.example.com`));
  vi.advanceTimersByTime(1000);
  it.answered('wn01.example.com');
  it.answered('wn03.example.com');
  vi.advanceTimersByTime(1000);
  it.end();
  expect(shown).toEqual([
    '0 of 5 answered; waiting up to 10 s for wn01, wn02, wn03 and 2 more',
    '2 of 5 answered; waiting up to 10 s for wn02, wn04, wn05',
    null,
  ]);
});
