/**
 * Times as an administrator types them, and as they are said back: local, with the zone. Local times are those of the
 * process's time zone; where the clocks change, a time of day may be missing or come twice, and is never guessed.
 */

import { VacError } from '../errors.js';

const EXAMPLES = '18:00, "2026-11-22 18:00", 2026-11-22T18:00+01:00, +2h, +1d12h or Unix seconds';

const UNIT_SECONDS: Readonly<Record<string, number>> = { d: 86_400, h: 3_600, m: 60, s: 1 };
/** VacQuery and the files of a machine have ten-digit Unix times (SPEC 3, 5). */
const MAX_TIME_SECONDS = 9_999_999_999;
const HOUR_MS = 3_600_000;

interface LocalMinute {
  readonly year: number;
  /** From 0, as JavaScript counts. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/**
 * The time that `text` means, in Unix seconds, later than now:
 *
 * - `18:00`: the next time that the clock here shows this
 * - `2026-11-22 18:00` (or with `T`, or with seconds): local time
 * - `2026-11-22T18:00Z`, `2026-11-22T18:00+01:00`
 * - `+2h`, `+30m`, `+1d12h`: from now
 * - Unix seconds, ten digits
 *
 * @throws VacError `usage`, with examples, when it means none, or one that is past
 */
export function parseTime(text: string, nowSeconds: number): number {
  const given = text.trim();
  const seconds =
    unixSeconds(given) ?? fromNow(given, nowSeconds) ?? timeOfDay(given, nowSeconds) ?? dateAndTime(given);
  if (seconds === null) throw wrong(text, `is no time; give one like ${EXAMPLES}`);
  if (seconds <= nowSeconds) throw wrong(text, `is past: it was ${sayTime(seconds)}; give a time that is to come`);
  if (seconds > MAX_TIME_SECONDS) throw wrong(text, `is too far away; give a time like ${EXAMPLES}`);
  return seconds;
}

/**
 * As `parseTime`, for what has happened: `18:00` is the last time that the clock here showed this, and `-2h` is that long
 * ago. Other zones are given as in 2026-11-22T03:12Z.
 *
 * @throws VacError `usage`
 */
export function parsePastTime(text: string, nowSeconds: number): number {
  const given = text.trim();
  const ago = given.startsWith('-') ? fromNow(`+${given.slice(1)}`, 0) : null;
  const seconds =
    unixSeconds(given) ??
    (ago === null ? null : nowSeconds - ago) ??
    lastTimeOfDay(given, nowSeconds) ??
    dateAndTime(given);
  if (seconds === null) {
    throw wrong(text, 'is no time; give one like 03:12, "2026-11-22 03:12", 2026-11-22T02:12Z, -2h or Unix seconds');
  }
  if (seconds > nowSeconds) throw wrong(text, `is to come: it will be ${sayTime(seconds)}; give a time that is past`);
  return seconds;
}

/** A time in local words, with the zone that holds then: `2026-11-22 18:00 CET`, with seconds only where there are any. */
export function sayTime(seconds: number): string {
  const time = new Date(seconds * 1000);
  const [date, clock] = [time.toLocaleDateString('sv'), time.toLocaleTimeString('sv')];
  const zone = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })
    .formatToParts(time)
    .find(({ type }) => type === 'timeZoneName')!.value;
  return `${date} ${clock.replace(/:00$/, '')} ${zone}`;
}

/** How long that is, in the two largest units that matter: `3 h 20 min`, `2 d 4 h`, `45 s`. */
export function saySpan(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const minutes = Math.round(whole / 60);
  const hours = Math.round(whole / 3600);
  if (whole < 120) return `${whole} s`;
  if (minutes < 60) return `${minutes} min`;
  if (hours < 48) return join(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  return join(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

/** `2026-11-22 18:00 CET (in 3 h 20 min)`. */
export function sayDeadline(seconds: number, nowSeconds: number): string {
  return `${sayTime(seconds)} (in ${saySpan(seconds - nowSeconds)})`;
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

function wrong(text: string, what: string): VacError {
  return new VacError('usage', `"${text}" ${what}`);
}

function unixSeconds(text: string): number | null {
  return /^\d{10}$/.test(text) ? Number(text) : null;
}

function fromNow(text: string, nowSeconds: number): number | null {
  if (!/^\+(\d+[dhms])+$/.test(text)) return null;
  const parts = [...text.matchAll(/(\d+)([dhms])/g)];
  return nowSeconds + parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_SECONDS[unit!]!, 0);
}

/** The next time of day, today or on one of the days after (one may lack it, where the clocks go forward). */
function timeOfDay(text: string, nowSeconds: number): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (match === null) return null;
  const [hour, minute] = [Number(match[1]), Number(match[2])];
  if (hour > 23 || minute > 59) return null;
  const today = new Date(nowSeconds * 1000);
  for (let ahead = 0; ahead <= 2; ahead += 1) {
    const date = new Date(today.getFullYear(), today.getMonth(), today.getDate() + ahead, 12);
    const local = { year: date.getFullYear(), month: date.getMonth(), day: date.getDate(), hour, minute, second: 0 };
    const times = timesOf(local);
    const isAhead = new Date(local.year, local.month, local.day, hour, minute).getTime() / 1000 > nowSeconds;
    if (times.length === 0 && isAhead) {
      throw wrong(text, `does not exist on ${date.toLocaleDateString('sv')}: the clocks go forward over it`);
    }
    const next = times.find((time) => time > nowSeconds);
    if (next !== undefined) return next;
  }
  return null;
}

/** The last time of day, today or on one of the days before; of two in one night the later one. */
function lastTimeOfDay(text: string, nowSeconds: number): number | null {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text);
  if (match === null) return null;
  const [hour, minute] = [Number(match[1]), Number(match[2])];
  if (hour > 23 || minute > 59) return null;
  const today = new Date(nowSeconds * 1000);
  for (let back = 0; back <= 2; back += 1) {
    const date = new Date(today.getFullYear(), today.getMonth(), today.getDate() - back, 12);
    const local = { year: date.getFullYear(), month: date.getMonth(), day: date.getDate(), hour, minute, second: 0 };
    const last = timesOf(local).findLast((time) => time <= nowSeconds);
    if (last !== undefined) return last;
  }
  return null;
}

function dateAndTime(text: string): number | null {
  const match = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})(?::(\d{2}))?\s*(Z|[+-]\d{2}:?\d{2})?$/i.exec(text);
  if (match === null) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  // As UTC, which has every minute: whether there is such a date at all.
  const utc = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  if (utc.getUTCMonth() !== month - 1 || utc.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    return null;
  const zone = match[7];
  if (zone !== undefined) return utc.getTime() / 1000 - zoneSeconds(zone);
  const times = timesOf({ year, month: month - 1, day, hour, minute, second });
  if (times.length === 0) throw wrong(text, 'does not exist: the clocks go forward over it');
  if (times.length > 1) {
    const zones = times.map((time) => sayTime(time).split(' ').at(-1)).join(' and ');
    throw wrong(text, `comes twice that day (${zones}): give it with its zone, as ${times.map(isoTime).join(' or ')}`);
  }
  return times[0]!;
}

function zoneSeconds(zone: string): number {
  const match = /^([+-])(\d{2}):?(\d{2})$/.exec(zone);
  if (match === null) return 0;
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3]) * 60);
}

/** All Unix times at which the local clock shows this, earliest first: none, one or two. */
function timesOf(local: LocalMinute): number[] {
  const { year, month, day, hour, minute, second } = local;
  // Of two the earlier one; of none, another time.
  const first = new Date(year, month, day, hour, minute, second).getTime();
  // Clocks change by an hour, or by half of one (Lord Howe Island).
  const candidates = [0, HOUR_MS / 2, HOUR_MS].map((shift) => first + shift);
  const shows = (ms: number): boolean => {
    const time = new Date(ms);
    return time.getDate() === day && time.getHours() === hour && time.getMinutes() === minute;
  };
  return candidates.filter(shows).map((ms) => ms / 1000);
}

/** Local time with its offset, to the minute: 2026-10-25T01:30+01:00. */
function isoTime(seconds: number): string {
  const offset = -new Date(seconds * 1000).getTimezoneOffset();
  const size = Math.abs(offset);
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
  return `${new Date((seconds + offset * 60) * 1000).toISOString().slice(0, 16)}${zone}`;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
