/**
 * What a machine has used, as it is looked at again and again: CPU time, time it was paused, and both at the ends of
 * months (UTC). Pure. Moments are told by two clocks: the calendar's (Unix time), which records are written in, and the
 * host's since its boot, which nobody sets; where they disagree, the calendar was set, and what is dated by it moves.
 */

import { monthEndsBetween } from '../factory/months.js';
import type { UsePoint } from './pieces.js';

/** A moment on both clocks. */
export interface TwoClocks {
  readonly unixSeconds: number;
  /** Which boot of the host `bootSeconds` counts from. */
  readonly bootId: string;
  readonly bootSeconds: number;
}

/** The latest look at a machine, and what earlier ones told. */
export interface MachineUse extends TwoClocks {
  readonly cpuSeconds: number;
  /** Of its life so far. */
  readonly suspendedSeconds: number;
  readonly isPaused: boolean;
  /** At the ends of months that it lived through. */
  readonly marks: readonly UsePoint[];
  /** When it started by the calendar of now, if that was set since; goes before its `started` file. Unix seconds. */
  readonly startedTimeSeconds?: number;
}

export interface Look {
  readonly cpuSeconds: number;
  readonly isPaused: boolean;
}

/** Clocks that disagree by less drift apart, or are read one after the other. */
const MIN_STEP_SECONDS = 2;
const MAX_DRIFT = 0.002;

/**
 * How far the calendar was set since the last look: positive, forward. 0 as well where it cannot be known, as after a
 * boot of the host. Whole seconds.
 */
export function clockStep(use: TwoClocks, now: TwoClocks): number {
  if (use.bootId !== now.bootId) return 0;
  const elapsed = now.bootSeconds - use.bootSeconds;
  const step = now.unixSeconds - use.unixSeconds - elapsed;
  return Math.abs(step) < MIN_STEP_SECONDS + MAX_DRIFT * Math.max(0, elapsed) ? 0 : Math.round(step);
}

/** The same as if the calendar had always been as it is now. @param startedTimeSeconds as it was dated until now */
export function redated(use: MachineUse, stepSeconds: number, startedTimeSeconds: number | null): MachineUse {
  const marks = use.marks.map((mark) => ({ ...mark, timeSeconds: mark.timeSeconds + stepSeconds }));
  return {
    ...use,
    unixSeconds: use.unixSeconds + stepSeconds,
    marks,
    ...(startedTimeSeconds === null ? {} : { startedTimeSeconds: Math.max(1, startedTimeSeconds + stepSeconds) }),
  };
}

/**
 * What is known after another look. Between two looks use is taken to have been even, and a machine to have been paused
 * if the first one saw it so.
 *
 * @param use null: this is the first look; else dated by the calendar of now ({@link redated})
 */
export function looked(use: MachineUse | null, look: Look, now: TwoClocks): MachineUse {
  if (use === null) return { ...now, ...look, suspendedSeconds: 0, marks: [] };
  const elapsed = Math.max(0, now.unixSeconds - use.unixSeconds);
  // libvirt counts from the domain's creation, so it stays right over restarts of either daemon.
  const cpuSeconds = Math.max(use.cpuSeconds, look.cpuSeconds);
  const suspendedSeconds = use.suspendedSeconds + (use.isPaused ? elapsed : 0);
  const marks = monthEndsBetween(use.unixSeconds, now.unixSeconds + 1e-3).map((timeSeconds): UsePoint => {
    const part = elapsed === 0 ? 0 : Math.min(1, (timeSeconds - use.unixSeconds) / elapsed);
    return {
      timeSeconds,
      cpuSeconds: use.cpuSeconds + (cpuSeconds - use.cpuSeconds) * part,
      suspendedSeconds: use.suspendedSeconds + (suspendedSeconds - use.suspendedSeconds) * part,
    };
  });
  return {
    ...use,
    ...now,
    cpuSeconds,
    suspendedSeconds,
    isPaused: look.isPaused,
    marks: marks.length === 0 ? use.marks : [...use.marks, ...marks],
  };
}

/** What is known of its use, for dividing it. */
export function pointsOf(use: MachineUse | null): UsePoint[] {
  if (use === null) return [];
  const { unixSeconds, cpuSeconds, suspendedSeconds } = use;
  return [...use.marks, { timeSeconds: unixSeconds, cpuSeconds, suspendedSeconds }];
}
