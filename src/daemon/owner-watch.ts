/**
 * The owner of a desktop, watched while the configuration has overnight mode: what the sensors say goes into the Memory,
 * and the loop is woken when they say something else. Without [overnight] nothing is looked at.
 */

import type { Config } from '../config/types.js';
import type { OwnerFacts } from '../factory/overnight-types.js';
import { readTextIfThere } from '../host/files.js';
import { OwnerSensors, type OwnProcesses } from '../host/sessions/index.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { NOTHING_KNOWN } from './overnight.js';

/** Idle times grow by themselves; no news of sensors is older than this. */
const LOOK_MS = 1_000;
/** Input while the owner works and machines are down is no news: then the loop is woken once in so long. */
const WAKE_MS = 1_000;
const HOLIDAYS_MS = 60_000;

export interface OwnerWatchParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly wake: () => void;
  /** Instead of those of this host, for tests. */
  readonly sensors?: ((own: OwnProcesses) => OwnerSensors) | undefined;
}

export class OwnerWatch {
  private sensors: OwnerSensors | null = null;
  private readonly timers: NodeJS.Timeout[] = [];
  private wokenMs = Number.NEGATIVE_INFINITY;
  private holidaysProblem: string | null = null;

  constructor(private readonly parts: OwnerWatchParts) {}

  /** Begins, goes on, or stops looking, as the configuration says. */
  configure({ overnight }: Config): void {
    if (overnight === null) {
      this.close();
      return;
    }
    void this.readHolidays();
    if (this.sensors !== null) return;
    const own = { machines: () => this.machineNames() };
    this.sensors =
      this.parts.sensors?.(own) ?? new OwnerSensors({ own, note: (message) => this.parts.log.info(message) });
    this.sensors.start(() => this.changed());
    this.timers.push(setInterval(() => this.look(), LOOK_MS));
    this.timers.push(setInterval(() => void this.readHolidays(), HOLIDAYS_MS));
  }

  close(): void {
    this.sensors?.close();
    this.sensors = null;
    for (const timer of this.timers.splice(0)) clearInterval(timer);
    this.parts.memory.overnight.owner = NOTHING_KNOWN;
  }

  /** Who sits at the host now. */
  users(): { readonly user: string; readonly uid: number }[] {
    return this.sensors?.users() ?? [];
  }

  private changed(): void {
    this.look();
    const nowMs = performance.now();
    // While machines may run each piece of news may be the owner's return, whatever another sensor said a moment ago.
    const mayRun = this.parts.memory.overnight.latest?.machines === 'run';
    if (!mayRun && nowMs - this.wokenMs < WAKE_MS) return;
    this.wokenMs = nowMs;
    this.parts.wake();
  }

  private look(): void {
    if (this.sensors === null) return;
    const facts: OwnerFacts = this.sensors.facts(performance.now(), Date.now() / 1000);
    this.parts.memory.overnight.owner = facts;
  }

  private machineNames(): string[] {
    return [...this.parts.memory.machines.values()].map(({ entry }) => entry.record.hostname);
  }

  /** A file that cannot be read leaves the holidays that were known in force. */
  private async readHolidays(): Promise<void> {
    const { memory, log } = this.parts;
    const path = memory.config.overnight?.holidaysFile ?? null;
    try {
      const text = path === null ? '' : await readTextIfThere(path);
      if (text === null) throw new Error('there is no such file');
      const dates = holidaysIn(text);
      const before = memory.overnight.holidays;
      if (dates.size !== before.size || [...dates].some((date) => !before.has(date))) memory.overnight.holidays = dates;
      this.holidaysProblem = null;
    } catch (error) {
      const problem = `holidays_file ${path}: ${(error as Error).message}`;
      if (problem !== this.holidaysProblem) log.error(`overnight: ${problem}; the holidays known before stay in force`);
      this.holidaysProblem = problem;
    }
  }
}

/** @throws Error naming the line that begins with no date */
export function holidaysIn(text: string): Set<string> {
  const dates = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    const date = /^(\d{4}-\d\d-\d\d)(\s|$)/.exec(content)?.[1];
    if (date === undefined || !isDate(date))
      throw new Error(`line ${index + 1} does not begin with a date such as 2026-12-25`);
    dates.add(date);
  }
  return dates;
}

/** Not 2026-02-30. */
function isDate(date: string): boolean {
  const time = new Date(`${date}T00:00:00Z`);
  return !Number.isNaN(time.getTime()) && time.toISOString().startsWith(date);
}
