/**
 * Suspending machines and letting them go on, as overnight mode and quarantine ask for it: the intent is written first, so
 * that a restarted vacd neither forgets such a machine, nor resumes it, nor ends it as "paused without reason".
 */

import type { ActionOf } from '../factory/plan.js';
import type { MachineRecord, MachineSuspension } from '../factory/types.js';
import { writeFeatures } from '../machines/features.js';
import { type Gentleness, gentleness } from '../machines/gentle.js';
import type { MachineTools } from '../machines/tools.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';

/** Of a processor, what a machine may use while its owner works beside it. */
const THROTTLED_PART = 0.05;

interface Parts {
  readonly memory: Memory;
  readonly tools: MachineTools;
  readonly log: Logger;
  readonly relist: () => Promise<void>;
}

/** For machines that are made now. */
export function gentlenessOf(memory: Memory): Gentleness | null {
  return gentleness(memory.config.overnight, memory.host.processors, memory.totalProcessors());
}

/** The owner came back while a machine was made: it begins suspended, and has no second of his. */
export function heldFromStart({ id }: MachineRecord, memory: Memory): MachineSuspension | null {
  const { latest } = memory.overnight;
  const machine = memory.machines.get(id);
  if (latest === null || latest.machines === 'run' || latest.machines === 'throttle' || machine === undefined)
    return null;
  const sinceSeconds = Math.floor(Date.now() / 1000);
  const suspension: MachineSuspension = { by: 'overnight', sinceSeconds, reason: latest.reason };
  memory.update(machine, { suspension });
  return suspension;
}

/** Where the intent cannot be written (a full disk), it is suspended all the same: the owner comes first. */
export async function suspendMachine(
  machine: MachineMemory,
  { suspension, reason }: ActionOf<'suspendMachine'>,
  { memory, tools, log, relist }: Parts,
): Promise<void> {
  const { record } = machine.entry;
  const isNew = machine.entry.suspension === null;
  memory.update(machine, { suspension });
  if (isNew) {
    await tools.journal.suspended(record, suspension).catch((error: Error) => {
      log.error(`${record.hostname}: that it is suspended could not be written down: ${error.message}`);
    });
  }
  // Paused by somebody else it is only noted as ours.
  if (machine.domain?.state !== 'paused') await tools.hypervisor.suspendDomain(record.uuid);
  log.info({ machine: record.id }, `${record.hostname}: suspended: ${reason}`);
  await relist();
}

/** Also for a pause by QEMU, which no file tells of; and for a machine that somebody else has let go on. */
export async function resumeMachine(
  machine: MachineMemory,
  { reason }: ActionOf<'resumeMachine'>,
  { memory, tools, log, relist }: Parts,
): Promise<void> {
  const { record, suspension } = machine.entry;
  const runsAlready = suspension !== null && machine.domain?.state === 'running';
  if (suspension !== null) await tellSuspendedTime(machine, suspension, tools, log);
  if (!runsAlready) await tools.hypervisor.resumeDomain(record.uuid);
  if (suspension !== null) {
    const pastSuspensions = await tools.journal.resumed(record, suspension, Math.floor(Date.now() / 1000));
    memory.update(machine, { suspension: null, pastSuspensions });
    setClock(record, tools, log);
  }
  log.info({ machine: record.id }, `${record.hostname}: resumed: ${reason}`);
  await relist();
}

/** Before it goes on, so that it finds how long it stood still in all as soon as it can ask. */
async function tellSuspendedTime(
  { entry: { record, pastSuspensions } }: MachineMemory,
  { sinceSeconds }: MachineSuspension,
  { layout }: MachineTools,
  log: Logger,
): Promise<void> {
  const lasted = Math.max(0, Math.floor(Date.now() / 1000) - sinceSeconds);
  const jobfeatures = { suspended_secs: String(pastSuspensions.seconds + lasted) };
  await writeFeatures(layout.machine(record.id), { machinefeatures: {}, jobfeatures }).catch((error: Error) =>
    log.warn(`${record.hostname}: could not be told for how long it was suspended: ${error.message}`),
  );
}

/** One after the other: agents that hang, or mean to, then hold one worker of libvirtd and not all. */
let clocksSet: Promise<void> = Promise.resolve();

/** Its guest's clock still shows when it was suspended. Best effort, and nobody waits for it: most images have no agent. */
function setClock({ uuid, hostname }: MachineRecord, { hypervisor }: MachineTools, log: Logger): void {
  clocksSet = clocksSet.then(() =>
    hypervisor
      .setGuestClock(uuid, Date.now() / 1000)
      .catch((error: Error) => log.debug(`${hostname}: its clock was not set: ${error.message}`)),
  );
}

/** A host that cannot cap machines (no CPU controller) is told of, and its machines count as done: suspending still works. */
export async function throttleMachine(
  machine: MachineMemory,
  { throttled, reason }: ActionOf<'throttleMachine'>,
  { tools, log }: Parts,
): Promise<void> {
  const { record } = machine.entry;
  const wasHeldDown = machine.throttled === true;
  machine.throttled = throttled;
  const done = throttled ? 'throttled' : 'no longer throttled';
  await tools.hypervisor.capDomain(record.uuid, throttled ? THROTTLED_PART : 1).then(
    () => log.info({ machine: record.id }, `${record.hostname}: ${done}: ${reason}`),
    (error: Error) => {
      // Found running by a vacd that does not know: very likely there was no cap to lift.
      const level = throttled || wasHeldDown ? 'warn' : 'debug';
      log[level](`${record.hostname}: could not be ${done}: ${error.message}`);
    },
  );
}
