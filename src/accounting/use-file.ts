/**
 * What a machine has used, kept in its directory (`use.json`) beside `heartbeat`, whose form is fixed, so that the next
 * vacd counts on. Never durable: after a crash of the host the machine is over, and what is missing is estimated.
 */

import { join } from 'node:path';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import type { UsePoint } from './pieces.js';
import type { MachineUse } from './use.js';

export const USE_FILE = 'use.json';

export async function writeUse(machineDirectory: string, use: MachineUse): Promise<void> {
  await writeFileAtomic(join(machineDirectory, USE_FILE), `${JSON.stringify(use)}\n`, { durable: false });
}

/** Null: there is none, or none that can be understood; the machine's end tells of the whole anyway. */
export async function readUse(machineDirectory: string): Promise<MachineUse | null> {
  const text = await readTextIfThere(join(machineDirectory, USE_FILE));
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as MachineUse;
    const { unixSeconds, bootSeconds, bootId, cpuSeconds, suspendedSeconds, isPaused, marks } = value;
    const isSound =
      areTimes(unixSeconds, bootSeconds, cpuSeconds, suspendedSeconds) &&
      typeof bootId === 'string' &&
      typeof isPaused === 'boolean' &&
      (value.startedTimeSeconds === undefined || areTimes(value.startedTimeSeconds)) &&
      marks.every((mark: UsePoint) => areTimes(mark.timeSeconds, mark.cpuSeconds, mark.suspendedSeconds));
    return isSound ? value : null;
  } catch {
    return null;
  }
}

function areTimes(...values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === 'number' && Number.isFinite(value) && value >= 0);
}
