import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { parseTime, saySpan, sayTime } from '../../src/cli/time.js';

afterEach(() => vi.unstubAllEnvs());

/** Seconds of an ISO time with its zone. */
const at = (iso: string): number => Date.parse(iso) / 1000;
const zone = (name: string): void => void vi.stubEnv('TZ', name);

describe('a time of day', () => {
  it('is the next time that the clock shows it', () => {
    zone('Europe/Berlin');
    expect(parseTime('18:00', at('2026-11-22T14:40+01:00'))).toBe(at('2026-11-22T18:00+01:00'));
    expect(parseTime('18:00', at('2026-11-22T18:00+01:00'))).toBe(at('2026-11-23T18:00+01:00'));
    expect(parseTime('8:05', at('2026-12-31T14:40+01:00'))).toBe(at('2027-01-01T08:05+01:00'));
  });

  it('keeps its hour over a change of the clocks', () => {
    zone('Europe/Berlin');
    expect(parseTime('18:00', at('2026-10-24T20:00+02:00'))).toBe(at('2026-10-25T18:00+01:00'));
    expect(parseTime('18:00', at('2026-03-28T20:00+01:00'))).toBe(at('2026-03-29T18:00+02:00'));
  });

  it('that comes twice is the next of the two', () => {
    zone('Europe/Berlin');
    expect(parseTime('02:30', at('2026-10-25T01:00+02:00'))).toBe(at('2026-10-25T02:30+02:00'));
    expect(parseTime('02:30', at('2026-10-25T02:45+02:00'))).toBe(at('2026-10-25T02:30+01:00'));
  });

  it('that the next night does not have is refused, and said why', () => {
    zone('Europe/Berlin');
    const night = at('2026-03-29T00:30+01:00');
    expect(() => parseTime('02:30', night)).toThrow(
      '"02:30" does not exist on 2026-03-29: the clocks go forward over it',
    );
    // In the evening before, or after it was missing, other nights are meant.
    expect(parseTime('02:30', at('2026-03-29T12:00+02:00'))).toBe(at('2026-03-30T02:30+02:00'));
  });
});

describe('a date and time', () => {
  it.each([
    ['2026-11-22 18:00', '2026-11-22T18:00+01:00'],
    ['2026-11-22T18:00', '2026-11-22T18:00+01:00'],
    ['2026-07-22 18:00:30', '2026-07-22T18:00:30+02:00'],
    ['2026-11-22T18:00Z', '2026-11-22T18:00Z'],
    ['2026-11-22T18:00:00-0500', '2026-11-22T18:00-05:00'],
    ['2026-11-22 18:00 +05:30', '2026-11-22T18:00+05:30'],
    [' 1795372200 ', '2026-11-22T19:50+01:00'],
  ])('%s is %s', (text, iso) => {
    zone('Europe/Berlin');
    const expected = text.includes('1795') ? 1_795_372_200 : at(iso);
    expect(parseTime(text, at('2026-06-01T00:00Z'))).toBe(expected);
  });

  it('that comes twice must have its zone', () => {
    zone('Europe/Berlin');
    expect(() => parseTime('2026-10-25 02:30', at('2026-06-01T00:00Z'))).toThrow(
      '"2026-10-25 02:30" comes twice that day (CEST and CET): give it with its zone, as 2026-10-25T02:30+02:00 or 2026-10-25T02:30+01:00',
    );
  });

  it('that does not exist is refused', () => {
    zone('Europe/Berlin');
    const now = at('2026-01-01T00:00Z');
    expect(() => parseTime('2026-03-29 02:30', now)).toThrow('the clocks go forward over it');
    expect(() => parseTime('2026-02-30 02:30', now)).toThrow('is no time');
  });

  it('changes by half an hour where the clocks do', () => {
    zone('Australia/Lord_Howe');
    expect(() => parseTime('2026-04-05 01:45', at('2026-01-01T00:00Z'))).toThrow('comes twice');
  });
});

describe('a span from now', () => {
  it.each([
    ['+2h', 7200],
    ['+30m', 1800],
    ['+1d12h', 129_600],
    ['+90s', 90],
  ])('%s is %d s', (text, seconds) => {
    expect(parseTime(text, 1_800_000_000)).toBe(1_800_000_000 + seconds);
  });
});

it.each([
  ...['', 'tomorrow', '18', '25:00', '18:60', '+', '+2', '2h', '+2w', '2026-11-22', '12345', '18:00 CET', '-5'],
])('%j is no time, and it is said what is one', (text) => {
  expect(() => parseTime(text, 1_795_000_000)).toThrow(
    `"${text}" is no time; give one like 18:00, "2026-11-22 18:00", 2026-11-22T18:00+01:00, +2h, +1d12h or Unix seconds`,
  );
});

it.each(['2026-01-01 00:00', '1700000000', '+0m'])('%s is past, and it is said when that was', (text) => {
  zone('UTC');
  expect(() => parseTime(text, 1_795_000_000)).toThrow(/is past: it was 202\d-\d\d-\d\d \d\d:\d\d.* UTC/);
});

it('what is said of a time is understood as that time again, wherever and whenever it is', () => {
  const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Australia/Lord_Howe', 'Asia/Kathmandu'];
  fc.assert(
    fc.property(fc.constantFrom(...zones), fc.integer({ min: 1_800_000_000, max: 2_000_000_000 }), (name, seconds) => {
      zone(name);
      const local = sayTime(seconds).split(' ').slice(0, 2).join(' ');
      try {
        expect(parseTime(local, 1_795_000_000)).toBe(seconds);
      } catch (error) {
        // An hour that comes twice is asked for with its zone, and that is one of those offered.
        const offered = /as (\S+) or (\S+)/.exec((error as Error).message)!.slice(1);
        expect(offered.map((text) => parseTime(text!, 1_795_000_000))).toContain(seconds - (seconds % 60));
      }
    }),
  );
});

it.each([
  [5, '5 s'],
  [119, '119 s'],
  [600, '10 min'],
  [12_000, '3 h 20 min'],
  [7200, '2 h'],
  [3_599, '1 h'],
  [100 * 3600, '4 d 4 h'],
  [-5, '0 s'],
])('%d seconds are said as %s', (seconds, text) => {
  expect(saySpan(seconds)).toBe(text);
});

it('a time is said with its zone, and with seconds where it has some', () => {
  zone('Europe/Berlin');
  expect(sayTime(at('2026-11-22T18:00+01:00'))).toBe('2026-11-22 18:00 CET');
  expect(sayTime(at('2026-07-22T18:00:07+02:00'))).toBe('2026-07-22 18:00:07 CEST');
});
