/**
 * Keeps what each machine has used (accounting/use.ts) in the memory and beside its heartbeat, and moves its start with
 * the calendar's clock: a machine that started at noon by a clock that is then set back an hour, started at eleven.
 */

import { clockStep, looked, redated, type TwoClocks } from '../accounting/use.js';
import { writeUse } from '../accounting/use-file.js';
import type { Journal } from '../machines/journal.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';

export interface MachineUseParts {
  readonly memory: Memory;
  readonly journal: Journal;
  readonly log: Logger;
}

/** After libvirt showed it. @returns when what must be written of it at once is, if anything */
export function noteUse(
  machine: MachineMemory,
  isPaused: boolean,
  now: TwoClocks,
  parts: MachineUseParts,
): Promise<void> | null {
  const written = redate(machine, now, parts);
  const { entry, cpuSeconds } = machine;
  parts.memory.update(machine, { use: looked(entry.use ?? null, { cpuSeconds, isPaused }, now) });
  return written;
}

/** Also for one that libvirt does not show any more, whose end is about to be dated. */
export function redate(
  machine: MachineMemory,
  now: TwoClocks,
  { memory, journal, log }: MachineUseParts,
): Promise<void> | null {
  const { record, use, startedTimeSeconds } = machine.entry;
  const stepSeconds = use == null ? 0 : clockStep(use, now);
  if (use == null || stepSeconds === 0) return null;
  const moved = redated(use, stepSeconds, startedTimeSeconds);
  memory.update(machine, { use: moved, startedTimeSeconds: moved.startedTimeSeconds ?? null });
  if (machine.seenTimeSeconds !== null) machine.seenTimeSeconds += stepSeconds;
  if (moved.startedTimeSeconds === undefined) return null;
  log.warn(
    { machine: record.id },
    `${record.hostname}: the clock was set by ${stepSeconds} s while it ran; its start is now dated ${moved.startedTimeSeconds}`,
  );
  // The first of the two is what counts; the other is what site monitoring reads.
  return keepUse(machine, journal).then(() => journal.started(record, moved.startedTimeSeconds!));
}

/** Beside its heartbeat. */
export async function keepUse({ entry: { record, use } }: MachineMemory, journal: Journal): Promise<void> {
  if (use != null) await writeUse(journal.layout.machine(record.id), use);
}
