import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { machineAction } from '../../src/factory/lifecycle.js';
import { monthEnd, monthEndsBetween, monthName, monthStart, parseMonth } from '../../src/factory/months.js';
import type { Machine } from '../../src/factory/types.js';
import { machine, settings, state } from './builders.js';

const NOVEMBER = Date.UTC(2026, 10) / 1000;
const DAY = 86_400;

it('months are those of UTC', () => {
  expect(monthStart(NOVEMBER - 1)).toBe(Date.UTC(2026, 9) / 1000);
  expect(monthStart(NOVEMBER)).toBe(NOVEMBER);
  expect(monthEnd(NOVEMBER - 1)).toBe(NOVEMBER);
  expect(monthEnd(Date.UTC(2026, 11, 31) / 1000)).toBe(Date.UTC(2027, 0) / 1000);
  expect([monthName(NOVEMBER - 1), monthName(NOVEMBER)]).toEqual(['202610', '202611']);
  expect(parseMonth('202611')).toBe(NOVEMBER);
  expect(['202600', '202613', '20261', '2026111', 'x'].map(parseMonth)).toEqual([null, null, null, null, null]);
});

it('months end strictly between two moments, in their order', () => {
  expect(monthEndsBetween(NOVEMBER, NOVEMBER + 30 * DAY)).toEqual([]);
  expect(monthEndsBetween(NOVEMBER - 1, NOVEMBER + 1)).toEqual([NOVEMBER]);
  const time = fc.integer({ min: 0, max: 4_000_000_000 });
  fc.assert(
    fc.property(time, fc.integer({ min: 0, max: 400 * DAY }), (from, seconds) => {
      const ends = monthEndsBetween(from, from + seconds);
      expect(ends).toEqual([...new Set(ends)].sort((one, other) => one - other));
      for (const end of ends) {
        expect(end).toBeGreaterThan(from);
        expect(end).toBeLessThan(from + seconds);
        expect(monthStart(end)).toBe(end);
      }
    }),
  );
});

describe('a machine that runs on into the next month', () => {
  const due = (changes: Partial<Machine>, nowSeconds = NOVEMBER + 600, accountingPartial = true) => {
    const running = machine(
      {
        startedTimeSeconds: NOVEMBER - DAY,
        heartbeatTimeSeconds: nowSeconds - 2,
        shutdownTimeSeconds: NOVEMBER + 10 * DAY,
        ...changes,
      },
      { fizzleSeconds: 600 },
    );
    const action = machineAction(running, state({ nowSeconds }), settings({ accountingPartial }));
    return action?.kind === 'accountMonth' ? action.untilSeconds : null;
  };

  it.each<[string, Partial<Machine>, number, boolean, number | null]>([
    ['is accounted until the month’s end', {}, NOVEMBER + 600, true, NOVEMBER],
    ['is so for all the time that vacd was away', {}, NOVEMBER + 40 * DAY, true, NOVEMBER + 30 * DAY],
    ['is not where months do not matter', {}, NOVEMBER + 600, false, null],
    ['is not twice', { accountedUntilSeconds: NOVEMBER }, NOVEMBER + 600, true, null],
    ['is again a month later', { accountedUntilSeconds: NOVEMBER }, NOVEMBER + 30 * DAY + 9, true, NOVEMBER + 30 * DAY],
    ['is not before the month has ended', {}, NOVEMBER - 1, true, null],
    ['is not before it was looked at since', { heartbeatTimeSeconds: NOVEMBER - 1 }, NOVEMBER + 1, true, null],
    ['is not when it began with the month', { startedTimeSeconds: NOVEMBER }, NOVEMBER + 600, true, null],
    ['is not while it might still fizzle', { startedTimeSeconds: NOVEMBER - 10 }, NOVEMBER + 589, true, null],
    ['is once it cannot any more', { startedTimeSeconds: NOVEMBER - 10 }, NOVEMBER + 590, true, NOVEMBER],
    ['is when its time is over first of all stopped', { shutdownTimeSeconds: NOVEMBER }, NOVEMBER + 600, true, null],
    ['is not while nothing is known of its domain', { domain: 'unknown' }, NOVEMBER + 600, true, null],
  ])('%s', (_, changes, nowSeconds, partial, expected) => {
    const machine_ = { ...changes };
    if (nowSeconds > NOVEMBER + DAY) machine_.shutdownTimeSeconds = NOVEMBER + 60 * DAY;
    expect(due(machine_, nowSeconds, partial)).toBe(expected);
  });
});
