/**
 * Windows of time as an administrator writes them, `mon-fri 19:00-07:30, sat,sun all`, and steps with times, as
 * `suspend 0s, stop 10m`. Both tell where in the value something is wrong, as no regular expression could.
 */

import type { ReturnStep, WindowDay, WindowRange, WindowSchedule } from './overnight-types.js';
import type { ValueType } from './values.js';

const WEEK: readonly WindowDay[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const LONG_NAMES: Readonly<Record<string, WindowDay>> = {
  monday: 'mon',
  tuesday: 'tue',
  wednesday: 'wed',
  thursday: 'thu',
  friday: 'fri',
  saturday: 'sat',
  sunday: 'sun',
  holidays: 'holiday',
  holiday: 'holiday',
};
const DAY_MINUTES = 1440;
const WHOLE_DAY: WindowRange = { startMinute: 0, endMinute: DAY_MINUTES };

/** A word of the value, and its place, from 1. */
interface Word {
  readonly text: string;
  readonly at: number;
}

class Fault extends Error {
  constructor(
    { text, at }: Word,
    readonly what: string,
  ) {
    super(`at character ${at}, "${text}": ${what}`);
  }
}

/** `undefined` from `parse`, and in words from `fault`, by one reader that throws. */
function explained<T>(kind: string, expected: string, read: (text: string) => T): ValueType<T> {
  const attempt = (text: string): { value: T } | { fault: string } => {
    try {
      return { value: read(text) };
    } catch (error) {
      if (error instanceof Fault) return { fault: error.message };
      throw error;
    }
  };
  return {
    kind,
    expected,
    parse: (text) => {
      const result = attempt(text);
      return 'value' in result ? result.value : undefined;
    },
    fault: (text) => {
      const result = attempt(text);
      return 'fault' in result ? result.fault : null;
    },
  };
}

export const windowSchedule: ValueType<WindowSchedule> = explained(
  'windows',
  'days and times such as "mon-fri 19:00-07:30, sat,sun all"',
  readSchedule,
);

function readSchedule(text: string): WindowSchedule {
  const schedule = new Map<WindowDay, WindowRange[]>();
  let days: WindowDay[] = [];
  let daysWord: Word | null = null;
  let hasTimes = false;
  for (const word of wordsOf(text)) {
    const named = /^\d/.test(word.text) || word.text === 'all' || word.text === 'none' ? null : daysOf(word);
    if (named !== null) {
      // Days after times begin a new entry; days after days join them.
      days = hasTimes ? named : [...days, ...named];
      [daysWord, hasTimes] = [word, false];
      continue;
    }
    if (days.length === 0) throw new Fault(word, 'days must come before it, as in "mon-fri 19:00-07:30"');
    hasTimes = true;
    const range = word.text === 'all' ? WHOLE_DAY : word.text === 'none' ? null : rangeOf(word);
    for (const day of days) {
      const known = schedule.get(day) ?? [];
      if (range === null && known.length > 0) throw new Fault(word, `${day} has times already`);
      const clash = range === null ? undefined : known.find((other) => overlap(range, other));
      if (clash !== undefined) throw new Fault(word, `${day} has ${rangeText(clash)} already, which overlaps with it`);
      schedule.set(day, range === null ? known : [...known, range]);
    }
  }
  if (daysWord !== null && !hasTimes) throw new Fault(daysWord, 'times must follow it, as in "mon-fri 19:00-07:30"');
  return Object.fromEntries(schedule);
}

function daysOf(word: Word): WindowDay[] {
  if (word.text === 'daily') return [...WEEK];
  const [first = '', last, ...more] = word.text.split('-');
  if (more.length > 0) throw new Fault(word, 'expected a day or two with "-" between them');
  const from = dayOf(word, first);
  if (last === undefined) return [from];
  const to = dayOf(word, last);
  if (from === 'holiday' || to === 'holiday') throw new Fault(word, 'holiday stands alone, it is no day of the week');
  const days: WindowDay[] = [];
  // fri-mon goes over the week's end.
  for (let at = WEEK.indexOf(from); ; at = (at + 1) % WEEK.length) {
    days.push(WEEK[at]!);
    if (WEEK[at] === to) return days;
  }
}

function dayOf(word: Word, name: string): WindowDay {
  const day = WEEK.find((known) => known === name) ?? (Object.hasOwn(LONG_NAMES, name) ? LONG_NAMES[name] : undefined);
  if (day === undefined) {
    throw new Fault(word, 'expected mon, tue, wed, thu, fri, sat, sun, daily or holiday, or times such as 19:00-07:30');
  }
  return day;
}

function rangeOf(word: Word): WindowRange {
  const [from, to, ...more] = word.text.split('-');
  if (from === undefined || to === undefined || more.length > 0) {
    throw new Fault(word, 'expected two times with "-" between them, as 19:00-07:30, or all');
  }
  const startMinute = minuteOf(word, from);
  const endMinute = minuteOf(word, to);
  if (startMinute === DAY_MINUTES) throw new Fault(word, '24:00 can only be an end; write 00:00, and the day after');
  if (startMinute === endMinute) throw new Fault(word, 'it begins and ends at one time; write all for a whole day');
  // What ends before it begins ends on the day after.
  return { startMinute, endMinute: endMinute < startMinute ? endMinute + DAY_MINUTES : endMinute };
}

function minuteOf(word: Word, time: string): number {
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(time) ?? [];
  const minute = Number(hours) * 60 + Number(minutes);
  if (hours === undefined || Number(minutes) > 59 || minute > DAY_MINUTES) {
    throw new Fault(word, `"${time}" is no time of day from 00:00 to 24:00`);
  }
  return minute;
}

function overlap(a: WindowRange, b: WindowRange): boolean {
  return a.startMinute < b.endMinute && b.startMinute < a.endMinute;
}

function rangeText({ startMinute, endMinute }: WindowRange): string {
  const time = (minute: number) =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`;
  return `${time(startMinute)}-${time(endMinute > DAY_MINUTES ? endMinute - DAY_MINUTES : endMinute)}`;
}

export const returnSteps: ValueType<readonly ReturnStep[]> = explained(
  'steps',
  'throttle, suspend and stop, each with a time, such as "suspend 0s, stop 10m"; the last is stop',
  readSteps,
);

const ACTIONS = ['throttle', 'suspend', 'stop'] as const;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };

function readSteps(text: string): readonly ReturnStep[] {
  const steps: ReturnStep[] = [];
  const words = wordsOf(text);
  for (let at = 0; at < words.length; at += 2) {
    const [name, time] = [words[at]!, words[at + 1]];
    const rank = (ACTIONS as readonly string[]).indexOf(name.text);
    const action = ACTIONS[rank];
    if (action === undefined) throw new Fault(name, 'expected throttle, suspend or stop');
    if (time === undefined) throw new Fault(name, 'a time must follow it, as in "stop 10m"');
    const [, number, unit] = /^(\d{1,6})([smh])$/.exec(time.text) ?? [];
    if (number === undefined) throw new Fault(time, 'expected a time in seconds, minutes or hours, as 30s, 10m or 2h');
    const afterSeconds = Number(number) * UNIT_SECONDS[unit!]!;
    const last = steps.at(-1);
    if (last !== undefined && rank <= ACTIONS.indexOf(last.action)) {
      throw new Fault(name, `it comes after ${last.action}; the order is ${ACTIONS.join(', ')}`);
    }
    if (last !== undefined && afterSeconds <= last.afterSeconds) {
      throw new Fault(time, `it is not later than the time of ${last.action}`);
    }
    steps.push({ action, afterSeconds });
  }
  if (steps.at(-1)?.action !== 'stop') {
    throw new Fault(words.at(-1) ?? { text: '', at: 1 }, 'the last step must be stop');
  }
  return steps;
}

/** Separated by white space or commas. */
function wordsOf(text: string): Word[] {
  return [...text.matchAll(/[^\s,]+/g)].map((match) => ({ text: match[0].toLowerCase(), at: match.index + 1 }));
}

/** A name of the time zone database that this host's runtime knows. */
export const timeZone: ValueType<string> = {
  kind: 'time zone',
  expected: 'the name of a time zone, such as Europe/Berlin',
  parse: (value) => {
    if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(value)) return undefined;
    try {
      new Intl.DateTimeFormat('en-US', { timeZone: value });
      return value;
    } catch {
      return undefined;
    }
  },
};
