/**
 * What overnight mode is decided from, and what comes of it: plain data between the sensors (facts), the policy
 * (overnight.ts: verdict) and those who act on it or show it (decide, `vac overnight`).
 *
 * Ages are seconds on the monotonic clock, so that a step of the wall clock makes nobody look idle; `…Seconds` of moments
 * are Unix time, for people.
 */

export type { OvernightConfig, ReturnStep, WindowDay, WindowRange, WindowSchedule } from '../config/types.js';

/** Something a sensor knows, or why it does not. What is unknown counts as in use (SPEC 12). */
export type Sensed<T> = { readonly value: T } | { readonly unknown: string };

/** One place at which somebody may be using the host: a seat, a text terminal, a remote session. */
export interface OwnerSource {
  /** As reasons name it: `seat0`, `tty2`, `ssh from 192.0.2.7`. */
  readonly name: string;
  readonly kind: 'local' | 'remote';
  /** Who is logged in there; null: nobody, or it is not known. */
  readonly user: string | null;
  /** Since the last key, movement or other input there. */
  readonly idleForSeconds: Sensed<number>;
  /** When the present stretch of use began (Unix time); null: it is not known, or there is none. */
  readonly activeSinceSeconds: number | null;
  /** Whether the screen is locked; `{value: false}` where nothing could be locked. */
  readonly locked: Sensed<boolean>;
}

/** What the sensors say of the owner and the host at one moment. A sensor that has not answered yet says so as unknown. */
export interface OwnerFacts {
  /** All places of use. No place at all is as good as unknown: a desktop has a seat. */
  readonly sources: Sensed<readonly OwnerSource[]>;
  /** CPU that processes other than machines used of late, in percent of all processors of the host (0 to 100). */
  readonly otherCpuPercent: Sensed<number>;
  /** True on hosts without a battery. */
  readonly onMains: Sensed<boolean>;
  /** False on hosts without a lid. */
  readonly lidClosed: Sensed<boolean>;
  readonly metered: Sensed<boolean>;
}

/** `vac overnight pause`: the owner wants the host for himself until then, whatever the sensors say. */
export interface OvernightPause {
  readonly who: string;
  /** Unix time. */
  readonly sinceSeconds: number;
  /** Unix time. */
  readonly untilSeconds: number;
}

/** Where the policy is; drawing: overnight.ts. */
export type OvernightStateName = 'closed' | 'waiting' | 'open' | 'running' | 'throttled' | 'suspended' | 'stopping';

/** What speaks against machines now. */
export interface OvernightBlocker {
  readonly code: 'window' | 'owner' | 'unknown' | 'other-cpu' | 'battery' | 'lid' | 'metered' | 'paused';
  /** As "owner active on seat0 since 08:12". */
  readonly reason: string;
}

/** What the policy remembers from one moment to the next; made by `nextOvernight` alone. */
export interface OvernightState {
  readonly name: OvernightStateName;
  /** Unix time of the last transition. */
  readonly sinceSeconds: number;
  /** The reason of the last transition. */
  readonly reason: string;
  /** Wall clock as the calendar saw it last: small steps back do not reopen what is over. */
  readonly calendarSeconds: number;
  /** Monotonic seconds at which the owner returned, or what else interrupts machines began; null: they are not interrupted. */
  readonly blockedAtSteady: number | null;
  /** Monotonic seconds since which nothing but input speaks against machines; null: something does. */
  readonly clearAtSteady: number | null;
  /** Unix time at which the window that is open was seen to open; null: it was open already when vacd started, or none is. */
  readonly openedSeconds: number | null;
}

/** The policy's word on this moment. */
export interface OvernightVerdict {
  readonly state: OvernightStateName;
  /** Unix time of the transition into it. */
  readonly sinceSeconds: number;
  /** One sentence: why it is so. */
  readonly reason: string;
  /** Who or what speaks against machines now, most telling first; empty: nothing. */
  readonly blockers: readonly OvernightBlocker[];
  readonly windowOpen: boolean;
  /** When the window opens or closes next (Unix time); null: never, or windows do not matter. */
  readonly windowChangeSeconds: number | null;
  /** What will come next if nobody does anything, and when (Unix time); null: nothing will. */
  readonly next: { readonly timeSeconds: number; readonly what: string } | null;
  /** Whether machines may be started. */
  readonly mayStart: boolean;
  /** What is wanted of the machines that are there. */
  readonly machines: 'run' | 'throttle' | 'suspend' | 'stop';
  /** By when every machine must have shut down (Unix time), a minute before the window's end; null: there is no such time. */
  readonly goneBySeconds: number | null;
  /** Limits for each machine; one that exceeds them is stopped instead of being resumed. */
  readonly maxSuspensions: number;
  readonly maxSuspendedSeconds: number;
}
