/**
 * A week of a department's desktops in overnight mode: the real policy and decision for each, with owners that come and go,
 * beside a naive policy on the same owners: the same windows, and nothing asked of who is there.
 */

import { type Config, type OvernightConfig, originKey } from '../config/types.js';
import { VacError } from '../errors.js';
import { type Calendar, overnightCalendar } from '../factory/overnight-calendar.js';
import { Desktop } from './desktop.js';
import { type DesktopFigures, noFigures } from './desktop-figures.js';
import { ownerWeek } from './desktop-owner.js';
import { stream } from './random.js';

export interface DesktopsOptions {
  readonly desktops: number;
  readonly days: number;
  readonly seed: number;
  /** Processors that machines may have on each. */
  readonly slots: number;
  /** With a section [overnight], and at least one machinetype that may start. */
  readonly config: Config;
  readonly holidays: ReadonlySet<string>;
  /** A moment of the week that is simulated; it begins on the Monday at or before it. */
  readonly nowSeconds: number;
  /** Told after each desktop how many are done. */
  readonly onProgress?: (done: number) => void;
}

export interface DesktopsReport {
  readonly desktops: number;
  readonly days: number;
  readonly seed: number;
  /** The local date of the first day. */
  readonly firstDay: string;
  readonly ours: DesktopFigures;
  /** Windows alone. */
  readonly naive: DesktopFigures;
  /** Processor-hours that machines could have had, had nobody ever been there. */
  readonly processorHours: number;
  /** Rules of decisions that were broken, a line each. */
  readonly problems: readonly string[];
  readonly wallSeconds: number;
}

const DAY_SECONDS = 86_400;

/** @throws VacError `usage` where the configuration has no overnight mode */
export function simulateDesktops(options: DesktopsOptions): DesktopsReport {
  const { config, desktops, days, seed, slots, holidays, nowSeconds } = options;
  const { overnight } = config;
  if (overnight === null) {
    const file = config.origins[originKey('settings', 'vac_space')]?.file ?? 'the configuration';
    throw new VacError('usage', `--desktops: ${file} has no section [overnight]; add one with windows`);
  }
  const beganMs = performance.now();
  const calendar = overnightCalendar(overnight.windows, overnight.timeZone, holidays);
  const startSeconds = mondayBefore(calendar, nowSeconds);
  const ours = noFigures();
  const naive = noFigures();
  const problems: string[] = [];
  const runs = [
    { figures: ours, policy: overnight, isOurs: true },
    { figures: naive, policy: windowsAlone(overnight), isOurs: false },
  ];
  for (let index = 0; index < desktops; index++) {
    const owner = ownerWeek(stream(seed, 'owner', index), days);
    for (const { figures, policy, isOurs } of runs) {
      const desktop = new Desktop({
        name: `desk${String(index + 1).padStart(2, '0')}.example.com`,
        config: { ...config, overnight: policy },
        overnight: policy,
        calendar,
        slots,
        owner,
        startSeconds,
        seconds: days * DAY_SECONDS,
        rng: stream(seed, 'desktop', index),
      });
      desktop.run();
      for (const key of Object.keys(figures) as (keyof DesktopFigures)[]) figures[key] += desktop.figures[key];
      if (isOurs) problems.push(...desktop.problems);
    }
    options.onProgress?.(index + 1);
  }
  return {
    desktops,
    days,
    seed,
    firstDay: calendar.wall(startSeconds).date,
    ours,
    naive,
    processorHours: desktops * slots * days * 24,
    problems,
    wallSeconds: (performance.now() - beganMs) / 1000,
  };
}

/** What a cron job would do that starts and stops vacd. */
function windowsAlone(overnight: OvernightConfig): OvernightConfig {
  return { ...overnight, use: 'windows', runOnBattery: true, runWithLidClosed: true, runOnMetered: true };
}

/** The local midnight of the Monday at or before a moment. */
function mondayBefore(calendar: Calendar, seconds: number): number {
  let midnight = startOfDay(calendar, seconds);
  // At noon of the day before, a change of clocks moves it to no other day.
  while (calendar.wall(midnight).day !== 'mon') midnight = startOfDay(calendar, midnight - DAY_SECONDS / 2);
  return midnight;
}

function startOfDay(calendar: Calendar, seconds: number): number {
  const { date } = calendar.wall(seconds);
  let start = Math.floor(seconds / 900) * 900;
  while (calendar.wall(start - 900).date === date) start -= 900;
  return start;
}
