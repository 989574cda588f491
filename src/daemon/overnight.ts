/**
 * Overnight mode in a running vacd: holds what the sensors say last and what the owner ordered, and has the policy
 * (factory/overnight.ts) judge each moment in which a picture of the factory is taken.
 */

import type { Config } from '../config/types.js';
import { nextOvernight, spreadPart } from '../factory/overnight.js';
import { type Calendar, overnightCalendar } from '../factory/overnight-calendar.js';
import { NOT_LOOKED_AT_YET } from '../factory/overnight-owner.js';
import type {
  OvernightConfig,
  OvernightPause,
  OvernightState,
  OvernightVerdict,
  OwnerFacts,
} from '../factory/overnight-types.js';
import type { MachinePhase, MachineSuspension } from '../factory/types.js';

const NOT_YET = { unknown: NOT_LOOKED_AT_YET };

/** Before any sensor has answered: all of it counts as in use. */
export const NOTHING_KNOWN: OwnerFacts = {
  sources: NOT_YET,
  otherCpuPercent: NOT_YET,
  onMains: NOT_YET,
  lidClosed: NOT_YET,
  metered: NOT_YET,
};

interface SuspendableMachine {
  readonly phase: MachinePhase;
  readonly suspension: MachineSuspension | null;
}

export class Overnight {
  /** Written by the sensors, which wake the loop when it changes. */
  owner: OwnerFacts = NOTHING_KNOWN;
  /** `vac overnight pause`; one whose time is over does no harm. */
  pause: OvernightPause | null = null;
  /** Dates of the configuration's holidays_file, as `2026-12-25`. */
  holidays: ReadonlySet<string> = new Set();
  /** The verdict of the last picture, for views; null: there is no section [overnight]. */
  latest: OvernightVerdict | null = null;
  private state: OvernightState | null = null;
  private calendar: { readonly of: readonly unknown[]; readonly calendar: Calendar } | null = null;

  /** @param factory its name sets its turn at the beginning of windows */
  constructor(private readonly factory: string) {}

  /**
   * @param machines all that are not cleared
   * @returns null: this configuration has no overnight mode
   */
  verdict(
    { overnight }: Config,
    nowSeconds: number,
    nowMs: number,
    machines: Iterable<{ readonly entry: SuspendableMachine }>,
  ): OvernightVerdict | null {
    if (overnight === null) {
      this.state = null;
      this.latest = null;
      return null;
    }
    const living = [...machines].map(({ entry }) => entry).filter(({ phase }) => LIVING.has(phase));
    const suspended = living.flatMap(({ suspension }) =>
      suspension?.by === 'overnight' ? [suspension.sinceSeconds] : [],
    );
    const { state, verdict } = nextOvernight(this.state, {
      nowSeconds,
      steadySeconds: nowMs / 1000,
      config: overnight,
      calendar: this.calendarOf(overnight),
      owner: this.owner,
      pause: this.pause,
      spreadPart: spreadPart(this.factory),
      machines: living.filter(({ suspension }) => suspension?.by !== 'quarantine').length,
      suspendedSinceSeconds: suspended.length === 0 ? null : Math.min(...suspended),
    });
    this.state = state;
    this.latest = verdict;
    return verdict;
  }

  /** Of the windows in force. */
  calendarOf({ windows, timeZone }: OvernightConfig): Calendar {
    const of = [windows, timeZone, this.holidays];
    if (this.calendar === null || this.calendar.of.some((part, at) => part !== of[at])) {
      this.calendar = { of, calendar: overnightCalendar(windows, timeZone, this.holidays) };
    }
    return this.calendar.calendar;
  }
}

const LIVING: ReadonlySet<MachinePhase> = new Set(['starting', 'running']);
