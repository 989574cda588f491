import { describe, expect, it } from 'vitest';
import { returnSteps, timeZone, windowSchedule } from '../../src/config/windows.js';

const range = (startMinute: number, endMinute: number) => ({ startMinute, endMinute });
const DAY = range(0, 1440);
const NIGHT = range(19 * 60, 1440 + 7 * 60 + 30);

describe('windows', () => {
  it.each([
    ['', {}],
    [
      'mon-fri 19:00-07:30, sat,sun all',
      { mon: [NIGHT], tue: [NIGHT], wed: [NIGHT], thu: [NIGHT], fri: [NIGHT], sat: [DAY], sun: [DAY] },
    ],
    ['sat all\nsun 00:00-24:00', { sat: [DAY], sun: [DAY] }],
    ['mon 00:00-07:30 12:00-13:00 19:00-24:00', { mon: [range(0, 450), range(720, 780), range(1140, 1440)] }],
    ['fri-mon 0:00-1:00', Object.fromEntries(['fri', 'sat', 'sun', 'mon'].map((day) => [day, [range(0, 60)]]))],
    ['Monday 22:00-06:00, holidays all', { mon: [range(1320, 1800)], holiday: [DAY] }],
    ['holiday none', { holiday: [] }],
    ['mon 22:00-00:00', { mon: [range(1320, 1440)] }],
    ['mon 01:00-02:00, mon 03:00-04:00', { mon: [range(60, 120), range(180, 240)] }],
  ])('%j', (text, schedule) => {
    expect(windowSchedule.parse(text)).toEqual(schedule);
    expect(windowSchedule.fault!(text)).toBeNull();
  });

  it('every day has its own', () => {
    expect(Object.keys(windowSchedule.parse('daily 20:00-06:00')!)).toHaveLength(7);
  });

  it.each([
    ['mon-fri 19:00-25:00', 'at character 9, "19:00-25:00": "25:00" is no time of day from 00:00 to 24:00'],
    ['mon 19:60-20:00', 'at character 5, "19:60-20:00": "19:60" is no time of day from 00:00 to 24:00'],
    ['19:00-07:30', 'at character 1, "19:00-07:30": days must come before it, as in "mon-fri 19:00-07:30"'],
    ['mon-fri', 'at character 1, "mon-fri": times must follow it, as in "mon-fri 19:00-07:30"'],
    ['mon all, tue', 'at character 10, "tue": times must follow it, as in "mon-fri 19:00-07:30"'],
    ['mon 08:00-08:00', 'at character 5, "08:00-08:00": it begins and ends at one time; write all for a whole day'],
    ['mon 24:00-08:00', 'at character 5, "24:00-08:00": 24:00 can only be an end; write 00:00, and the day after'],
    ['mon 19:00', 'at character 5, "19:00": expected two times with "-" between them, as 19:00-07:30, or all'],
    ['mon 19:00 - 07:30', 'at character 5, "19:00": expected two times with "-" between them, as 19:00-07:30, or all'],
    [
      'mon 18:00-20:00 19:00-21:00',
      'at character 17, "19:00-21:00": mon has 18:00-20:00 already, which overlaps with it',
    ],
    ['mon 18:00-20:00 none', 'at character 17, "none": mon has times already'],
    ['mon-holiday all', 'at character 1, "mon-holiday": holiday stands alone, it is no day of the week'],
    ['mon-tue-wed all', 'at character 1, "mon-tue-wed": expected a day or two with "-" between them'],
    [
      'weekend all',
      'at character 1, "weekend": expected mon, tue, wed, thu, fri, sat, sun, daily or holiday, or times such as 19:00-07:30',
    ],
  ])('are refused with their place: %j', (text, fault) => {
    expect(windowSchedule.parse(text)).toBeUndefined();
    expect(windowSchedule.fault!(text)).toBe(fault);
  });
});

describe('steps', () => {
  it.each([
    ['stop 0s', [{ action: 'stop', afterSeconds: 0 }]],
    [
      'throttle 0s, suspend 10s, stop 2h',
      [
        { action: 'throttle', afterSeconds: 0 },
        { action: 'suspend', afterSeconds: 10 },
        { action: 'stop', afterSeconds: 7200 },
      ],
    ],
  ])('%j', (text, steps) => expect(returnSteps.parse(text)).toEqual(steps));

  it.each([
    ['', 'at character 1, "": the last step must be stop'],
    ['suspend 0s', 'at character 9, "0s": the last step must be stop'],
    ['kill 0s', 'at character 1, "kill": expected throttle, suspend or stop'],
    ['suspend 0s, stop', 'at character 13, "stop": a time must follow it, as in "stop 10m"'],
    ['suspend 0s, stop 10', 'at character 18, "10": expected a time in seconds, minutes or hours, as 30s, 10m or 2h'],
    ['stop 0s, suspend 10s', 'at character 10, "suspend": it comes after stop; the order is throttle, suspend, stop'],
    ['suspend 10s, stop 10s', 'at character 19, "10s": it is not later than the time of suspend'],
  ])('are refused with their place: %j', (text, fault) => {
    expect(returnSteps.parse(text)).toBeUndefined();
    expect(returnSteps.fault!(text)).toBe(fault);
  });
});

it.each([
  ['Europe/Berlin', 'Europe/Berlin'],
  ['UTC', 'UTC'],
  ['Europe/Atlantis', undefined],
  ['', undefined],
])('time zone %j', (text, zone) => expect(timeZone.parse(text)).toBe(zone));
