/** The windows of overnight mode as they fall in the coming week, for `vac check-config`: what was meant, or what was not. */

import type { Config, MachinetypeConfig } from '../config/types.js';
import { WINDOW_END_SECONDS } from '../factory/overnight.js';
import { type Calendar, type Opening, overnightCalendar } from '../factory/overnight-calendar.js';
import { duration } from './views/text.js';

const WEEK_SECONDS = 7 * 86_400;

/** Lines such as `  overnight: mon 2026-11-23 19:00 to tue 07:30`; none without windows. */
export function overnightWeekLines(
  { overnight, machinetypes }: Config,
  holidays: ReadonlySet<string>,
  nowSeconds: number,
): string[] {
  if (overnight === null) return [];
  const whileIdle = ', while nobody uses this host';
  if (overnight.use === 'idle') return [`  overnight: at any time${whileIdle}`];
  const calendar = overnightCalendar(overnight.windows, overnight.timeZone, holidays);
  const idle = {
    windows: '',
    'windows-and-idle': whileIdle,
    'windows-or-idle': ', and at other times while nobody uses this host',
  }[overnight.use];
  const zone = overnight.timeZone ?? new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const { open, changeSeconds } = calendar.at(nowSeconds);
  if (open && changeSeconds === null) return [`  overnight: the window is always open${idle}`];
  const openings = calendar.openings(nowSeconds, nowSeconds + WEEK_SECONDS);
  if (openings.length === 0) return [`  overnight: no window in the coming week (${zone})`];
  return [
    `  overnight: windows of the coming week (${zone})${idle}`,
    ...openings.map(
      ({ startSeconds, endSeconds }) =>
        `    ${day(calendar, startSeconds)} to ${until(calendar, startSeconds, endSeconds)}`,
    ),
    ...(overnight.use === 'windows-or-idle' ? [] : machinetypes.flatMap((type) => tooLong(type, openings))),
  ];
}

/** min_wallclock_seconds is a day by default, and most windows are shorter: then nothing starts, and nobody knows why. */
function tooLong(
  { name, targetShare, minWallclockSeconds }: MachinetypeConfig,
  openings: readonly Opening[],
): string[] {
  const needed = minWallclockSeconds + WINDOW_END_SECONDS;
  const fitting = openings.filter(({ startSeconds, endSeconds }) => endSeconds - startSeconds >= needed).length;
  if (targetShare <= 0 || fitting === openings.length) return [];
  const which = fitting === 0 ? 'none' : `${fitting}`;
  return [
    `  overnight: machinetype ${name} can start in ${which} of these ${openings.length} windows: it needs ${duration(minWallclockSeconds)} (min_wallclock_seconds)`,
  ];
}

function day(calendar: Calendar, seconds: number): string {
  const { day: name, date, time } = calendar.wall(seconds);
  return `${name} ${date} ${time}`;
}

/** Midnight as the end of the day before, as people say it. */
function until(calendar: Calendar, start: number, end: number): string {
  const last = calendar.wall(end - 1);
  const { day: name, time } = calendar.wall(end);
  const isMidnight = time === '00:00';
  const shownDay = isMidnight ? last.day : name;
  const shownTime = isMidnight ? '24:00' : time;
  return shownDay === calendar.wall(start).day && end - start <= 86_400 ? shownTime : `${shownDay} ${shownTime}`;
}
