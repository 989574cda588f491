import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { windowSchedule } from '../../src/config/windows.js';
import { overnightCalendar } from '../../src/factory/overnight-calendar.js';
import type { WindowDay, WindowRange, WindowSchedule } from '../../src/factory/overnight-types.js';

const DAYS: readonly WindowDay[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const QUARTER = 900;
const NIGHTS = windowSchedule.parse('mon-fri 19:00-07:30, sat,sun all')!;

const utc = (text: string): number => Date.parse(`${text}Z`) / 1000;

/** Wall time at each quarter of an hour, by another way than the code's, and its maximum so far: clocks may go back. */
function wallTimes(timeZone: string, from: number, to: number): number[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' });
  const walls: number[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  for (let seconds = from; seconds < to; seconds += QUARTER) {
    latest = Math.max(latest, utc(format.format(seconds * 1000).replace(' ', 'T')));
    walls.push(latest);
  }
  return walls;
}

/** What the documentation says: a window begins and ends when the wall clock first shows so late a time. */
function isOpenAt(wall: number, schedule: WindowSchedule, holidays: ReadonlySet<string>): boolean {
  const today = Math.floor(wall / 86_400);
  return [today - 2, today - 1, today].some((day) => {
    const date = new Date(day * 86_400_000).toISOString().slice(0, 10);
    const weekday = DAYS[new Date(day * 86_400_000).getUTCDay()]!;
    const ranges = holidays.has(date) ? (schedule.holiday ?? schedule.sun) : schedule[weekday];
    const minute = (wall - day * 86_400) / 60;
    return (ranges ?? []).some(({ startMinute, endMinute }) => startMinute <= minute && minute < endMinute);
  });
}

const anyRange: fc.Arbitrary<WindowRange> = fc
  .tuple(fc.nat({ max: 95 }), fc.integer({ min: 1, max: 96 }))
  .map(([start, length]) => ({ startMinute: start * 15, endMinute: (start + length) * 15 }));
const anySchedule: fc.Arbitrary<WindowSchedule> = fc
  .dictionary(fc.constantFrom(...DAYS, 'holiday'), fc.array(anyRange, { maxLength: 2 }), { maxKeys: 8 })
  .map((schedule) => schedule as WindowSchedule);

/** Changes in spring and autumn, of an hour and of half of one, at night and at midnight, and none. */
const ZONES: readonly (readonly [string, number])[] = [
  ['Europe/Berlin', 2026],
  ['America/New_York', 2026],
  ['Australia/Lord_Howe', 2026],
  ['Africa/Cairo', 2026],
  ['America/Sao_Paulo', 2018],
  ['Asia/Kathmandu', 2026],
];

describe('over a year with its changes of clocks', () => {
  it.each(ZONES)('windows are entered and left when the wall clock first says so: %s', (zone, year) => {
    const [from, to] = [utc(`${year}-01-01T00:00`), utc(`${year + 1}-01-01T00:00`)];
    const walls = wallTimes(zone, from, to);
    const holidays = new Set([`${year}-12-25`, `${year}-03-29`]);
    fc.assert(
      fc.property(anySchedule, (schedule) => {
        const calendar = overnightCalendar(schedule, zone, holidays);
        let change: number | null = null;
        let before: boolean | null = null;
        for (let at = 0; at < walls.length; at++) {
          const seconds = from + at * QUARTER;
          const { open, changeSeconds } = calendar.at(seconds);
          if (open !== isOpenAt(walls[at]!, schedule, holidays)) throw new Error(`${seconds}: ${open}`);
          // It changes when it was told that it would, and at no other time.
          if (before !== null && (open !== before) !== (change !== null && seconds >= change)) {
            throw new Error(`${seconds}: a change told for ${change}`);
          }
          [before, change] = [open, changeSeconds];
        }
      }),
      { numRuns: 3, seed: year },
    );
  });

  it('each window of a year of minutes is entered once and left once', () => {
    const calendar = overnightCalendar(NIGHTS, 'Europe/Berlin');
    let [entered, left, before] = [0, 0, true];
    for (let seconds = utc('2026-01-01T00:00'); seconds < utc('2027-01-01T00:00'); seconds += 60) {
      const { open } = calendar.at(seconds);
      if (open && !before) entered += 1;
      if (!open && before) left += 1;
      before = open;
    }
    // 261 weekdays have an evening; that of the year before is left on 1 January, the last one in the next year.
    expect([entered, left]).toEqual([261, 261]);
  });
});

describe('the nights in which clocks are changed', () => {
  const at = (schedule: string, zone: string, from: string, to: string) =>
    overnightCalendar(windowSchedule.parse(schedule)!, zone)
      .openings(utc(from), utc(to))
      .map(({ startSeconds, endSeconds }) =>
        [startSeconds, endSeconds].map((seconds) => new Date(seconds * 1000).toISOString().slice(5, 16)),
      );

  it.each([
    // 02:00 becomes 03:00 on 29 March 2026 at 01:00 UTC, and 03:00 becomes 02:00 on 25 October at 01:00 UTC.
    [
      'a time that does not exist is the moment of the change',
      'sat 22:00-02:30',
      '03-28',
      ['03-28T21:00', '03-29T01:00'],
    ],
    ['and so for a beginning', 'sun 02:30-06:00', '03-29', ['03-29T01:00', '03-29T04:00']],
    ['one that comes twice is the first', 'sat 22:00-02:30', '10-24', ['10-24T20:00', '10-25T00:30']],
    ['and so for a beginning', 'sun 02:30-06:00', '10-25', ['10-25T00:30', '10-25T05:00']],
    ['a window over it is an hour shorter', 'sat 22:00-06:00', '03-28', ['03-28T21:00', '03-29T04:00']],
    ['or longer', 'sat 22:00-06:00', '10-24', ['10-24T20:00', '10-25T05:00']],
  ])('%s: %s', (_, schedule, day, opening) => {
    const from = utc(`2026-${day}T00:00`);
    const to = new Date((from + 86_400) * 1000).toISOString().slice(0, 16);
    expect(at(schedule, 'Europe/Berlin', `2026-${day}T00:00`, to)).toEqual([opening]);
  });

  it('a window in the skipped hour is not there', () => {
    expect(at('sun 02:10-02:50', 'Europe/Berlin', '2026-03-28T00:00', '2026-03-30T00:00')).toEqual([]);
  });
});

it.each([
  ['', false],
  ['daily all', true],
])('windows %j never change', (text, open) => {
  const calendar = overnightCalendar(windowSchedule.parse(text)!, 'Europe/Berlin');
  expect(calendar.at(utc('2026-05-01T12:00'))).toEqual({ open, changeSeconds: null });
});

it('holidays alone are found months ahead', () => {
  const calendar = overnightCalendar(
    { holiday: [{ startMinute: 0, endMinute: 1440 }] },
    'UTC',
    new Set(['2026-12-25']),
  );
  expect(calendar.at(utc('2026-05-01T12:00'))).toEqual({ open: false, changeSeconds: utc('2026-12-25T00:00') });
});

it('says moments as the people there do', () => {
  expect(overnightCalendar({}, 'Europe/Berlin').wall(utc('2026-11-23T18:00'))).toEqual({
    day: 'mon',
    date: '2026-11-23',
    time: '19:00',
  });
});
