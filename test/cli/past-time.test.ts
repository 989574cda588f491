import { afterEach, beforeEach, expect, test } from 'vitest';
import { parsePastTime } from '../../src/cli/time.js';

/** 2026-11-22 12:00 in Zürich, an hour ahead of UTC. */
const NOW = Date.parse('2026-11-22T11:00:00Z') / 1000;
let zone: string | undefined;

beforeEach(() => {
  zone = process.env.TZ;
  process.env.TZ = 'Europe/Zurich';
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

test.each([
  ['03:12', '2026-11-22T02:12:00Z'],
  ['12:00', '2026-11-22T11:00:00Z'],
  ['12:01', '2026-11-21T11:01:00Z'],
  ['-2h', '2026-11-22T09:00:00Z'],
  ['-1d12h', '2026-11-20T23:00:00Z'],
  ['2026-11-22 03:12', '2026-11-22T02:12:00Z'],
  ['2026-11-22T02:12Z', '2026-11-22T02:12:00Z'],
  ['1795300000', '2026-11-21T22:26:40Z'],
])('%s is %s', (text, iso) => {
  expect(new Date(parsePastTime(text, NOW) * 1000).toISOString()).toBe(iso.replace('Z', '.000Z'));
});

test('a time of day that a night has twice is the later one', () => {
  const morning = Date.parse('2026-10-25T08:00:00Z') / 1000;
  expect(parsePastTime('02:30', morning)).toBe(Date.parse('2026-10-25T01:30:00Z') / 1000);
});

test.each(['yesterday', '25:00', '+2h', '-', ''])('%j is no time', (text) => {
  expect(() => parsePastTime(text, NOW)).toThrow('give one like 03:12');
});

test('what is to come has not happened', () => {
  expect(() => parsePastTime('2026-11-23 03:12', NOW)).toThrow('is to come');
});
