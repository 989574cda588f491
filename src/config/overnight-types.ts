/** The section `[overnight]` as the rest of the program sees it. */

/** One opening: `[start, end)` in minutes after the midnight at which its day begins; the end may be in the next day. */
export interface WindowRange {
  readonly startMinute: number;
  /** Above `startMinute`; over 1440 where it wraps midnight. */
  readonly endMinute: number;
}

export type WindowDay = 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat' | 'sun' | 'holiday';

/** Openings by the day on which they begin. A holiday without openings of its own is as a Sunday. */
export type WindowSchedule = Readonly<Partial<Record<WindowDay, readonly WindowRange[]>>>;

/** What is done, so many seconds after the owner's return. */
export interface ReturnStep {
  readonly action: 'throttle' | 'suspend' | 'stop';
  readonly afterSeconds: number;
}

/** The section `[overnight]`. */
export interface OvernightConfig {
  readonly use: 'windows' | 'idle' | 'windows-or-idle' | 'windows-and-idle';
  readonly windows: WindowSchedule;
  /** IANA name; null: the host's own. */
  readonly timeZone: string | null;
  /** Path of a file with a date to a line; null: there are no holidays. */
  readonly holidaysFile: string | null;
  /** Machines are first started within so long after a window opens, each host at a time of its own. */
  readonly startSpreadSeconds: number;
  /** No input for so long, before machines are started. */
  readonly idleSeconds: number;
  /** The same, and nothing else against them, before machines that the owner interrupted go on. */
  readonly resumeIdleSeconds: number;
  /** Percent of all processors of the host; 100: other processes do not matter. */
  readonly otherCpuPercent: number;
  readonly lockedCountsAsIdle: boolean;
  readonly loginCountsAsUse: boolean;
  readonly remoteSessionsCount: boolean;
  readonly runOnBattery: boolean;
  readonly runWithLidClosed: boolean;
  readonly runOnMetered: boolean;
  /** In the order of their times, each action once, the last one `stop`. */
  readonly onReturn: readonly ReturnStep[];
  /** How often a machine may be suspended before it is stopped instead. */
  readonly maxSuspensions: number;
  /** How long it may be suspended in all. */
  readonly maxSuspendedSeconds: number;
  /** Bound of the host's memory for all machines together, percent. */
  readonly memoryPercent: number;
  /** Bound of the host's CPU for all machines together, percent, so that fans stay quiet; null: none. */
  readonly quietCpuPercent: number | null;
  /** Whose members may ask and pause; null: nobody but root. */
  readonly ownerGroup: string | null;
  readonly notifyOwner: boolean;
}
