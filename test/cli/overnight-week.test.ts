import { describe, expect, it } from 'vitest';
import { overnightWeekLines } from '../../src/cli/overnight-week.js';
import { windowSchedule } from '../../src/config/windows.js';
import { config, machinetype } from '../factory/builders.js';
import { overnightConfig } from '../factory/desk.js';

/** A Friday evening. */
const NOW = Date.parse('2026-11-20T21:00Z') / 1000;

const lines = (windows: string, use: 'windows' | 'idle' | 'windows-and-idle' | 'windows-or-idle' = 'windows') =>
  overnightWeekLines(
    { ...config([]), overnight: overnightConfig({ use, windows: windowSchedule.parse(windows)!, timeZone: 'UTC' }) },
    new Set(['2026-11-25']),
    NOW,
  );

describe('the coming week in words', () => {
  it('windows as they fall, joined where they touch, holidays as Sundays', () => {
    expect(lines('mon-fri 19:00-07:30, sat,sun all', 'windows-and-idle')).toEqual([
      '  overnight: windows of the coming week (UTC), while nobody uses this host',
      '    fri 2026-11-20 19:00 to sun 24:00',
      '    mon 2026-11-23 19:00 to tue 07:30',
      '    tue 2026-11-24 19:00 to wed 24:00',
      '    thu 2026-11-26 19:00 to fri 07:30',
      '    fri 2026-11-27 19:00 to sun 24:00',
    ]);
  });

  it.each([
    ['daily all', 'windows', '  overnight: the window is always open'],
    ['holiday none', 'windows', '  overnight: no window in the coming week (UTC)'],
    ['', 'idle', '  overnight: at any time, while nobody uses this host'],
  ] as const)('%j with use = %s', (windows, use, line) => expect(lines(windows, use)).toEqual([line]));

  it('tells of machinetypes that need longer than windows are', () => {
    const types = [machinetype('long'), machinetype('short', { minWallclockSeconds: 3600 })];
    const told = (windows: string) =>
      overnightWeekLines(
        { ...config(types), overnight: overnightConfig({ windows: windowSchedule.parse(windows)!, timeZone: 'UTC' }) },
        new Set(),
        NOW,
      ).filter((line) => line.includes('machinetype'));
    expect(told('mon-fri 19:00-07:30, sat,sun all')).toEqual([
      '  overnight: machinetype long can start in 2 of these 6 windows: it needs 1d0h (min_wallclock_seconds)',
    ]);
    expect(told('daily 22:00-23:00')).toHaveLength(2);
  });

  it('nothing without [overnight]', () => {
    expect(overnightWeekLines(config([]), new Set(), NOW)).toEqual([]);
  });
});
