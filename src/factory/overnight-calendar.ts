/**
 * When the windows of overnight mode are open: from wall times by weekday to moments, in any time zone.
 *
 * Windows are made into stretches of real time, not compared with what the clock shows, so that each is entered and left
 * once in the nights in which clocks are changed too:
 * - a wall time that does not exist (02:30 when clocks jump from 02:00 to 03:00) means the moment of the jump;
 * - one that comes twice (02:30 when 03:00 becomes 02:00) means the first time.
 * A window that lies wholly in a skipped hour is not there that night.
 */

import type { WindowDay, WindowRange, WindowSchedule } from './overnight-types.js';

export interface Calendar {
  /** Whether a window is open at this moment (Unix time), and when that changes next; null: not within a year. */
  at(seconds: number): { readonly open: boolean; readonly changeSeconds: number | null };
  /** Openings that begin before `to` and end after `from`, in their order; one that never ends is cut after a year. */
  openings(from: number, to: number): readonly Opening[];
  /** A moment as people of this time zone say it: `mon 2026-11-23 19:00`. */
  wall(seconds: number): { readonly day: WindowDay; readonly date: string; readonly time: string };
}

/** `[start, end)`, Unix time. */
export interface Opening {
  readonly startSeconds: number;
  readonly endSeconds: number;
}

const DAY_SECONDS = 86_400;
const QUARTER_SECONDS = 900;
const MAX_KNOWN_OFFSETS = 5_000;
/** By weekday of Date: Sunday is 0. */
const WEEKDAYS: readonly WindowDay[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
/** 1 January 1970 was a Thursday. */
const EPOCH_WEEKDAY = 4;
/** Days that are worked out at a time, from some before a moment on: a window may have begun two days ago. */
const DAYS_BEFORE = 3;
const DAYS_AHEAD = 21;
/** How far ahead a change is looked for. */
const MAX_DAYS_AHEAD = 366;

/**
 * @param timeZone IANA name; null: the host's own
 * @param holidays dates as `2026-12-25`, on which `holiday` windows hold, or those of Sunday where there are none
 * @throws RangeError for a time zone that is not known here
 */
export function overnightCalendar(
  schedule: WindowSchedule,
  timeZone: string | null,
  holidays: ReadonlySet<string> = new Set(),
): Calendar {
  const zone = zoneOf(timeZone);
  let days = daysFrom(0, 0);

  /** The windows that begin on these days (counted from 1970), as one stretch where they touch. */
  function daysFrom(first: number, end: number) {
    const stretches: { startSeconds: number; endSeconds: number }[] = [];
    for (let day = first; day < end; day++) {
      for (const { startMinute, endMinute } of rangesOf(schedule, day, holidays)) {
        const startSeconds = zone.instant(day * DAY_SECONDS + startMinute * 60);
        const endSeconds = zone.instant(day * DAY_SECONDS + endMinute * 60);
        if (startSeconds < endSeconds) stretches.push({ startSeconds, endSeconds });
      }
    }
    // What is said is whole from the third day on: windows of days before the first one may reach into the first two.
    const validFrom = zone.instant((first + 2) * DAY_SECONDS);
    return { first, end, validFrom, validTo: zone.instant(end * DAY_SECONDS), stretches: joined(stretches) };
  }

  /** Makes sure that the windows around a moment, and of so many days after it, are worked out. */
  function lookAt(seconds: number, daysAhead: number): void {
    const isThere = days.validFrom <= seconds && seconds + daysAhead * DAY_SECONDS <= days.validTo;
    if (isThere) return;
    const day = Math.floor((seconds + zone.offset(seconds)) / DAY_SECONDS);
    days = daysFrom(day - DAYS_BEFORE, day + Math.max(DAYS_AHEAD, daysAhead + 2));
  }

  return {
    at(seconds) {
      for (let ahead = 2; ; ahead = MAX_DAYS_AHEAD) {
        lookAt(seconds, ahead);
        const next = days.stretches.find(({ endSeconds }) => endSeconds > seconds);
        const open = next !== undefined && next.startSeconds <= seconds;
        const changeSeconds = open ? next.endSeconds : next?.startSeconds;
        // A stretch that reaches the last day may go on after it.
        if (changeSeconds !== undefined && changeSeconds < days.validTo) return { open, changeSeconds };
        if (ahead === MAX_DAYS_AHEAD) return { open, changeSeconds: null };
      }
    },
    openings(from, to) {
      lookAt(from, Math.min(MAX_DAYS_AHEAD, Math.ceil((to - from) / DAY_SECONDS) + 2));
      return days.stretches.filter(({ startSeconds, endSeconds }) => startSeconds < to && endSeconds > from);
    },
    wall(seconds) {
      const local = seconds + zone.offset(seconds);
      const text = new Date(local * 1000).toISOString();
      return { day: weekdayOf(Math.floor(local / DAY_SECONDS)), date: text.slice(0, 10), time: text.slice(11, 16) };
    },
  };
}

function weekdayOf(day: number): WindowDay {
  return WEEKDAYS[(((day + EPOCH_WEEKDAY) % 7) + 7) % 7]!;
}

function rangesOf(schedule: WindowSchedule, day: number, holidays: ReadonlySet<string>): readonly WindowRange[] {
  const date = new Date(day * DAY_SECONDS * 1000).toISOString().slice(0, 10);
  if (holidays.has(date)) return schedule.holiday ?? schedule.sun ?? [];
  return schedule[weekdayOf(day)] ?? [];
}

function joined(stretches: readonly Opening[]): readonly Opening[] {
  const sorted = [...stretches].sort((a, b) => a.startSeconds - b.startSeconds);
  const whole: { startSeconds: number; endSeconds: number }[] = [];
  for (const { startSeconds, endSeconds } of sorted) {
    const last = whole.at(-1);
    if (last !== undefined && startSeconds <= last.endSeconds) last.endSeconds = Math.max(last.endSeconds, endSeconds);
    else whole.push({ startSeconds, endSeconds });
  }
  return whole;
}

interface Zone {
  /** Seconds that its wall clock is ahead of UTC at a moment. */
  offset(seconds: number): number;
  /** The moment of a wall time, which is given as if it were UTC. */
  instant(wallSeconds: number): number;
}

function zoneOf(timeZone: string | null): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    ...(timeZone === null ? {} : { timeZone }),
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  const known = new Map<number, number>();
  /** Asked of the time zone database once for each quarter of an hour, on which all clocks are changed: it takes its time. */
  const offset = (seconds: number): number => {
    const quarter = Math.floor(seconds / QUARTER_SECONDS);
    const cached = known.get(quarter);
    if (cached !== undefined) return cached;
    if (known.size >= MAX_KNOWN_OFFSETS) known.clear();
    const asked = askedOffset(quarter * QUARTER_SECONDS);
    known.set(quarter, asked);
    return asked;
  };
  const askedOffset = (seconds: number): number => {
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(seconds * 1000)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) / 1000 - seconds;
  };
  const instant = (wallSeconds: number): number => {
    // No zone is a day from UTC, so these are before and after it.
    const before = offset(wallSeconds - DAY_SECONDS);
    const after = offset(wallSeconds + DAY_SECONDS);
    if (before === after) return wallSeconds - before;
    const meant = [before, after].map((each) => ({ seconds: wallSeconds - each, offset: each }));
    const real = meant.filter((each) => offset(each.seconds) === each.offset).map(({ seconds }) => seconds);
    if (real.length > 0) return Math.min(...real);
    return jump(wallSeconds - after, wallSeconds - before, before, offset);
  };
  return { offset, instant };
}

/** The moment in `(from, to]` at which the clock is changed, from an offset to another. */
function jump(from: number, to: number, before: number, offset: (seconds: number) => number): number {
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offset(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}
