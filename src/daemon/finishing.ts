/** A machine's end: writing it down, accounting for the machine, clearing what it had; and a machine whose directory is gone. */

import { access } from 'node:fs/promises';
import type { ActionOf } from '../factory/plan.js';
import type { MachineEnd } from '../factory/types.js';
import { removeDisks } from '../host/disks.js';
import { accountMonth, CLEAR_STEPS } from '../machines/finish.js';
import { diskPaths } from '../machines/layout.js';
import { runSteps } from '../machines/tools.js';
import { isHeldMachine } from './holding.js';
import type { MachineMemory } from './machine-memory.js';
import { keepUse } from './machine-use.js';
import type { Memory } from './memory.js';
import type { PerformerParts } from './perform.js';

export async function endMachine(machine: MachineMemory, end: MachineEnd, parts: PerformerParts): Promise<void> {
  const { memory, tools, log } = parts;
  const { record, startedTimeSeconds } = machine.entry;
  if (await forgetIfRemoved(machine, parts)) return;
  const beganMs = performance.now();
  await parts.listen(record.id, 'finished', 'begin', 0);
  // What a machine that is over had on its disks is of no use, and its space may be what is missing to write this.
  if (!isHeldMachine(memory, record.id)) await removeDisks(Object.values(diskPaths(tools.layout, record)));
  await keepUse(machine, tools.journal);
  await tools.journal.finished(record, end);
  memory.update(machine, { phase: 'ended', end });
  memory.noteLife(machine.entry, Math.floor(Date.now() / 1000));
  parts.onEnded?.(machine);
  await parts.listen(record.id, 'finished', 'end', performance.now() - beganMs);
  if (startedTimeSeconds === null && machine.creationProblem !== null) giveStartBack(memory);
  const ran = startedTimeSeconds === null ? 'never ran' : `ran ${end.timeSeconds - startedTimeSeconds} s`;
  log.info(
    { machine: record.id },
    `${record.hostname}: ended, ${ran}, "${end.message ?? 'no message'}" (${end.reason})`,
  );
}

export async function clearMachine(machine: MachineMemory, parts: PerformerParts): Promise<void> {
  const { memory, tools, listen } = parts;
  const { record, startedTimeSeconds, end } = machine.entry;
  if (end === null) throw new Error(`clearMachine of ${record.id}, which has not ended`);
  if (await forgetIfRemoved(machine, parts)) return;
  await runSteps(
    CLEAR_STEPS,
    { tools, settings: tools.settings(), record, startedTimeSeconds, end, listen },
    record.id,
    listen,
  );
  memory.setCleared(machine);
  memory.keepLastEnd(record, startedTimeSeconds, end, Math.floor(Date.now() / 1000));
  parts.onCleared(machine);
}

export async function accountMonthOf(
  machine: MachineMemory,
  action: ActionOf<'accountMonth'>,
  parts: PerformerParts,
): Promise<void> {
  const { memory, tools, log, listen } = parts;
  const { record } = machine.entry;
  const accountedUntilSeconds = await accountMonth(machine.entry, action.untilSeconds, tools, listen);
  memory.update(machine, { accountedUntilSeconds });
  log.info({ machine: record.id }, `${record.hostname}: accounted for the month: ${action.reason}`);
}

export async function directoryIsThere({ entry }: MachineMemory, parts: PerformerParts): Promise<boolean> {
  return access(parts.tools.layout.machine(entry.record.id)).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

/**
 * Where somebody removed the directory of a machine that is over, what it held is given back, and the rest is lost.
 *
 * @returns whether it was so
 */
export async function forgetIfRemoved(machine: MachineMemory, parts: PerformerParts): Promise<boolean> {
  if (await directoryIsThere(machine, parts)) return false;
  const { memory, tools, log } = parts;
  const { record } = machine.entry;
  log.error(
    { machine: record.id },
    `${record.hostname}: its directory ${tools.layout.machine(record.id)} was removed by somebody; it is not accounted`,
  );
  await tools.nfs.remove(record.id);
  await tools.images.release(record.id);
  await tools.volumes.removeStray(tools.settings().volumeGroup, record.uuid);
  await tools.logs.release(record.ip, record.id);
  await tools.journal.freeSlot(record);
  memory.machines.delete(record.id);
  return true;
}

/** A start that was ordered but came to nothing does not count against the order. */
export function giveStartBack(memory: Memory): void {
  const { startsLeft } = memory.orders;
  if (startsLeft !== null) memory.orders = { ...memory.orders, startsLeft: startsLeft + 1 };
}
