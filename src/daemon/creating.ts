/** Making one machine, from its record to the domain that runs, and what is remembered of one that could not be made. */

import { isVacError, VacError } from '../errors.js';
import type { ActionOf } from '../factory/plan.js';
import { NO_SUSPENSIONS } from '../factory/suspension.js';
import type { CreationFailure, MachineRecord } from '../factory/types.js';
import { CommandError } from '../host/exec.js';
import { CREATE_STEPS, newCreation } from '../machines/create.js';
import { newRecord } from '../machines/record.js';
import { runSteps, StepError } from '../machines/tools.js';
import { directoryIsThere, giveStartBack } from './finishing.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';
import type { PerformerParts } from './perform.js';

/** What goes wrong is remembered of the type and the slot, and is no failure of the action: ending the machine is another one. */
export async function createMachine(action: ActionOf<'createMachine'>, parts: PerformerParts): Promise<void> {
  const { memory, tools, log } = parts;
  const settings = tools.settings();
  const type = memory.config.machinetypes.find((candidate) => candidate.name === action.machinetype);
  if (type === undefined) throw new Error(`createMachine of unknown machinetype ${action.machinetype}`);
  const nowSeconds = Math.floor(Date.now() / 1000);
  const record = newRecord(memory.factory, type, settings, { ...action, nowSeconds });
  const machine = memory.remember(
    {
      record,
      phase: 'starting',
      startedTimeSeconds: null,
      heartbeatTimeSeconds: null,
      cpuSeconds: 0,
      shutdownTimeSeconds: record.firstShutdownTimeSeconds,
      stop: null,
      suspension: null,
      pastSuspensions: NO_SUSPENSIONS,
      end: null,
    },
    performance.now(),
  );
  if (memory.orders.startsLeft !== null) memory.orders = { ...memory.orders, startsLeft: memory.orders.startsLeft - 1 };
  machine.busy = true;
  const beganMs = performance.now();
  try {
    const volumeGroup = await tools.volumes.groupFor(settings.volumeGroup);
    const creation = newCreation(tools, type, settings, record, volumeGroup);
    await runSteps(CREATE_STEPS, creation, record.id, parts.listen);
    memory.update(machine, { phase: 'running', startedTimeSeconds: await tools.journal.startedTimeSeconds(record) });
    machine.exported = tools.nfs.name === 'none' ? null : true;
    parts.onStarted?.(machine);
    memory.creationFailures.delete(type.name);
    memory.slotFailures.delete(record.slot);
    const tookMs = Math.round(performance.now() - beganMs);
    log.info({ machine: record.id }, `${record.hostname}: ${type.name} created in ${tookMs} ms: ${action.reason}`);
  } catch (error) {
    const { message } = error as Error;
    machine.creationProblem = `creation failed: ${message}`;
    log.error({ machine: record.id }, `${record.hostname}: ${type.name} could not be created: ${message}`);
    parts.onCreationFailed?.(machine);
    noteCreationFailure(record, error as Error, memory);
    await dropIfNeverOpened(machine, parts);
  } finally {
    machine.busy = false;
    machine.changedAtMs = performance.now();
    void parts.relist();
  }
}

/**
 * Machines that were begun before the last failure tell nothing new: one hiccup under eight starts is one failure.
 * What is the host's own trouble (libvirt or NFS away, a full disk) does not make the type wait longer and longer.
 */
function noteCreationFailure(record: MachineRecord, error: Error, memory: Memory): void {
  const { creationFailures, slotFailures } = memory;
  const timeSeconds = Math.floor(Date.now() / 1000);
  const cause = error instanceof StepError ? error.cause : error;
  const next = (known: CreationFailure | undefined): CreationFailure => {
    const sameWave = known !== undefined && record.createdTimeSeconds <= known.timeSeconds;
    const count = (known?.count ?? 0) + (sameWave || (known !== undefined && isHostTrouble(cause)) ? 0 : 1);
    return { count, timeSeconds, message: error.message };
  };
  creationFailures.set(record.machinetype, next(creationFailures.get(record.machinetype)));
  if (isVacError(cause, 'hypervisor-refused')) slotFailures.set(record.slot, next(slotFailures.get(record.slot)));
}

/** A creation that failed before its directory existed left nothing to clean up. */
async function dropIfNeverOpened(machine: MachineMemory, parts: PerformerParts): Promise<void> {
  if (await directoryIsThere(machine, parts)) return;
  parts.memory.machines.delete(machine.entry.record.id);
  giveStartBack(parts.memory);
}

const HOST_TROUBLE: ReadonlySet<string> = new Set([
  'hypervisor-unreachable',
  'nfs-unavailable',
  'nfs-refused',
  'syslog-unavailable',
]);

function isHostTrouble(cause: unknown): boolean {
  // What makes disks tells of a full one in its own words.
  if (cause instanceof CommandError && /No space left on device/.test(cause.message)) return true;
  if (cause instanceof VacError) return HOST_TROUBLE.has(cause.code);
  return (cause as NodeJS.ErrnoException | null)?.code === 'ENOSPC';
}
