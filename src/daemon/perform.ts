/**
 * Carries out actions, and chooses nothing. Each action runs by itself; while it does, its subject is `busy`, so the
 * next passes leave it alone. What comes of it is written into the Memory, and the loop is woken.
 */

import { access } from 'node:fs/promises';
import { isVacError, VacError } from '../errors.js';
import { NO_SUSPENSIONS } from '../factory/suspension.js';
import type { Action, CreationFailure, MachineEnd, MachineRecord, StopRequest } from '../factory/types.js';
import { removeDisks } from '../host/disks.js';
import { CommandError } from '../host/exec.js';
import { CREATE_STEPS, exportsOf, newCreation } from '../machines/create.js';
import { writeShutdownTime } from '../machines/features.js';
import { accountMonth, CLEAR_STEPS } from '../machines/finish.js';
import { diskPaths } from '../machines/layout.js';
import { newRecord } from '../machines/record.js';
import { type MachineTools, runSteps, StepError, type StepListener } from '../machines/tools.js';
import { holdMachine, isHeldMachine, keepMemory, releaseMachine } from './holding.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
import { keepUse } from './machine-use.js';
import { type Memory, retryDelayMs } from './memory.js';
import type { Service } from './services.js';
import { resumeMachine, suspendMachine, throttleMachine } from './suspending.js';

export interface PerformerParts {
  readonly memory: Memory;
  readonly tools: MachineTools;
  readonly services: Readonly<Record<Service['name'], Service>>;
  readonly log: Logger;
  readonly wake: () => void;
  /** Asks for a fresh listing of domains: after anything that may have changed which there are. */
  readonly relist: () => Promise<void>;
  readonly listen: StepListener;
  /** Told of each machine that was started, or found started by an earlier vacd that could not write it down. */
  readonly onStarted?: (machine: MachineMemory) => void;
  /** Told of each machine that could not be created. */
  readonly onCreationFailed?: (machine: MachineMemory) => void;
  /** Told of each machine that has ended; it is still to be accounted for and cleaned up. */
  readonly onEnded?: (machine: MachineMemory) => void;
  /** Told what became of the memory of a machine in quarantine. */
  readonly onMemoryKept?: (machineId: string, words: string) => Promise<void>;
  /** Told of each machine that has been cleared. */
  readonly onCleared: (machine: MachineMemory) => void;
}

export class Performer {
  private readonly underWay = new Set<Promise<void>>();

  constructor(private readonly parts: PerformerParts) {}

  /** Begins an action and returns; its subject is busy when this returns. */
  start(action: Action): void {
    const done = this.carryOut(action)
      .catch((error: Error) => this.parts.log.error(`${action.kind}: ${error.stack ?? error.message}`))
      .finally(() => {
        this.underWay.delete(done);
        this.parts.wake();
      });
    this.underWay.add(done);
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.underWay.size > 0) await Promise.all(this.underWay);
  }

  private carryOut(action: Action): Promise<void> {
    const { memory, tools } = this.parts;
    switch (action.kind) {
      case 'createMachine':
        return this.create(action);
      case 'fetchImage':
        return this.fetchImage(action);
      case 'ensureService':
        return this.ensureService(action);
      case 'destroyZombie':
        return this.destroyZombie(action);
      default: {
        const machine = memory.machines.get(action.machine) ?? memory.cleared.get(action.machine);
        if (machine === undefined) throw new Error(`action ${action.kind} on unknown machine ${action.machine}`);
        return this.onMachine(machine, action.kind, () => this.operate(machine, action, tools));
      }
    }
  }

  private async operate(
    machine: MachineMemory,
    action: Exclude<Action, { kind: 'createMachine' | 'fetchImage' | 'ensureService' | 'destroyZombie' }>,
    tools: MachineTools,
  ): Promise<void> {
    const { memory, log } = this.parts;
    const { record } = machine.entry;
    switch (action.kind) {
      case 'recordStarted': {
        if (machine.gone && !(await this.directoryIsThere(machine))) {
          await this.forgetRemoved(machine);
          return;
        }
        const timeSeconds = await tools.journal.askedTimeSeconds(record);
        await tools.journal.started(record, timeSeconds);
        memory.update(machine, { phase: 'running', startedTimeSeconds: timeSeconds });
        machine.throttled = false;
        this.parts.onStarted?.(machine);
        log.info({ machine: record.id }, `${record.hostname}: found again, ${action.reason}`);
        return;
      }
      case 'requestStop':
        await this.noteStop(machine, action.stop);
        // From here on it counts as asked, even if libvirt is slow to answer: its 30 s run.
        machine.stopAskedAtMs = performance.now();
        log.info({ machine: record.id }, `${record.hostname}: asked to stop: ${action.reason}`);
        await tools.hypervisor.shutdownDomain(record.uuid);
        return;
      case 'destroyMachine':
        await this.noteStop(machine, action.stop);
        log.warn({ machine: record.id }, `${record.hostname}: destroyed: ${action.reason}`);
        await tools.hypervisor.destroyDomain(record.uuid);
        // Only then is it no longer busy, and the next pass sees that it is gone.
        await this.parts.relist();
        return;
      case 'endMachine':
        await this.end(machine, action.end);
        return;
      case 'clearMachine':
        await this.clear(machine);
        return;
      case 'forgetMachine':
        await tools.outputsArchive?.giveUp(record);
        await tools.journal.forget(record);
        memory.forget(machine);
        return;
      case 'lowerShutdownTime':
        await writeShutdownTime(tools.layout.machine(record.id), action.shutdownTimeSeconds);
        memory.update(machine, { shutdownTimeSeconds: action.shutdownTimeSeconds });
        log.info(
          { machine: record.id },
          `${record.hostname}: shutdowntime is now ${action.shutdownTimeSeconds}: ${action.reason}`,
        );
        return;
      case 'accountMonth':
        await this.accountMonth(machine, action);
        return;
      case 'exportMachine':
        await tools.directories.restore(record);
        await tools.nfs.add(exportsOf(tools.layout, record));
        machine.exported = true;
        log.info({ machine: record.id }, `${record.hostname}: exported again: ${action.reason}`);
        return;
      case 'suspendMachine':
        await suspendMachine(machine, action, this.parts);
        return;
      case 'holdMachine':
        await holdMachine(machine, this.parts);
        return;
      case 'keepMemory':
        await keepMemory(machine, this.parts);
        return;
      case 'releaseMachine':
        await releaseMachine(machine, this.parts);
        return;
      case 'resumeMachine':
        await resumeMachine(machine, action, this.parts);
        return;
      case 'throttleMachine':
        await throttleMachine(machine, action, this.parts);
        return;
    }
  }

  private async create(action: Extract<Action, { kind: 'createMachine' }>): Promise<void> {
    const { memory, tools, log } = this.parts;
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
    if (memory.orders.startsLeft !== null)
      memory.orders = { ...memory.orders, startsLeft: memory.orders.startsLeft - 1 };
    machine.busy = true;
    const beganMs = performance.now();
    try {
      const volumeGroup = await tools.volumes.groupFor(settings.volumeGroup);
      const creation = newCreation(tools, type, settings, record, volumeGroup);
      await runSteps(CREATE_STEPS, creation, record.id, this.parts.listen);
      memory.update(machine, { phase: 'running', startedTimeSeconds: await tools.journal.startedTimeSeconds(record) });
      machine.exported = tools.nfs.name === 'none' ? null : true;
      this.parts.onStarted?.(machine);
      memory.creationFailures.delete(type.name);
      memory.slotFailures.delete(record.slot);
      const tookMs = Math.round(performance.now() - beganMs);
      log.info({ machine: record.id }, `${record.hostname}: ${type.name} created in ${tookMs} ms: ${action.reason}`);
    } catch (error) {
      const { message } = error as Error;
      machine.creationProblem = `creation failed: ${message}`;
      log.error({ machine: record.id }, `${record.hostname}: ${type.name} could not be created: ${message}`);
      this.parts.onCreationFailed?.(machine);
      this.noteCreationFailure(record, error as Error);
      await this.dropIfNeverOpened(machine);
    } finally {
      machine.busy = false;
      machine.changedAtMs = performance.now();
      void this.parts.relist();
    }
  }

  /**
   * Machines that were begun before the last failure tell nothing new: one hiccup under eight starts is one failure.
   * What is the host's own trouble (libvirt or NFS away, a full disk) does not make the type wait longer and longer.
   */
  private noteCreationFailure(record: MachineRecord, error: Error): void {
    const { creationFailures, slotFailures } = this.parts.memory;
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
  private async dropIfNeverOpened(machine: MachineMemory): Promise<void> {
    if (await this.directoryIsThere(machine)) return;
    this.parts.memory.machines.delete(machine.entry.record.id);
    this.giveStartBack();
  }

  private async directoryIsThere({ entry }: MachineMemory): Promise<boolean> {
    return access(this.parts.tools.layout.machine(entry.record.id)).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
  }

  /** Somebody removed the directory of a machine that is over: what it held is given back, the rest is lost. */
  private async forgetRemoved(machine: MachineMemory): Promise<void> {
    const { memory, tools, log } = this.parts;
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
  }

  /** A start that was ordered but came to nothing does not count against the order. */
  private giveStartBack(): void {
    const { memory } = this.parts;
    const { startsLeft } = memory.orders;
    if (startsLeft !== null) memory.orders = { ...memory.orders, startsLeft: startsLeft + 1 };
  }

  /** Written before libvirt is asked; where it cannot be (a full disk), the machine is stopped all the same. */
  private async noteStop(machine: MachineMemory, stop: StopRequest): Promise<void> {
    const { memory, tools, log } = this.parts;
    const known = machine.entry.stop !== null;
    memory.update(machine, { stop });
    if (known) return;
    await tools.journal.stopping(machine.entry.record, stop).catch((error: Error) => {
      log.error(`${machine.entry.record.hostname}: why it is stopped could not be written down: ${error.message}`);
    });
  }

  private async end(machine: MachineMemory, end: MachineEnd): Promise<void> {
    const { memory, tools, log } = this.parts;
    const { record, startedTimeSeconds } = machine.entry;
    if (!(await this.directoryIsThere(machine))) {
      await this.forgetRemoved(machine);
      return;
    }
    const beganMs = performance.now();
    await this.parts.listen(record.id, 'finished', 'begin', 0);
    // What a machine that is over had on its disks is of no use, and its space may be what is missing to write this.
    if (!isHeldMachine(memory, record.id)) await removeDisks(Object.values(diskPaths(tools.layout, record)));
    await keepUse(machine, tools.journal);
    await tools.journal.finished(record, end);
    memory.update(machine, { phase: 'ended', end });
    memory.noteLife(machine.entry, Math.floor(Date.now() / 1000));
    this.parts.onEnded?.(machine);
    await this.parts.listen(record.id, 'finished', 'end', performance.now() - beganMs);
    if (startedTimeSeconds === null && machine.creationProblem !== null) this.giveStartBack();
    const ran = startedTimeSeconds === null ? 'never ran' : `ran ${end.timeSeconds - startedTimeSeconds} s`;
    log.info(
      { machine: record.id },
      `${record.hostname}: ended, ${ran}, "${end.message ?? 'no message'}" (${end.reason})`,
    );
  }

  private async accountMonth(machine: MachineMemory, action: Extract<Action, { kind: 'accountMonth' }>): Promise<void> {
    const { memory, tools, log, listen } = this.parts;
    const { record } = machine.entry;
    const accountedUntilSeconds = await accountMonth(machine.entry, action.untilSeconds, tools, listen);
    memory.update(machine, { accountedUntilSeconds });
    log.info({ machine: record.id }, `${record.hostname}: accounted for the month: ${action.reason}`);
  }

  private async clear(machine: MachineMemory): Promise<void> {
    const { memory, tools, listen } = this.parts;
    const { record, startedTimeSeconds, end } = machine.entry;
    if (end === null) throw new Error(`clearMachine of ${record.id}, which has not ended`);
    if (!(await this.directoryIsThere(machine))) {
      await this.forgetRemoved(machine);
      return;
    }
    await runSteps(
      CLEAR_STEPS,
      { tools, settings: tools.settings(), record, startedTimeSeconds, end, listen },
      record.id,
      listen,
    );
    memory.setCleared(machine);
    memory.keepLastEnd(record, startedTimeSeconds, end, Math.floor(Date.now() / 1000));
    this.parts.onCleared(machine);
  }

  private async fetchImage({ machinetype }: Extract<Action, { kind: 'fetchImage' }>): Promise<void> {
    const type = this.parts.memory.config.machinetypes.find(({ name }) => name === machinetype);
    if (type !== undefined) await this.parts.tools.images.refresh(type);
  }

  private async ensureService(action: Extract<Action, { kind: 'ensureService' }>): Promise<void> {
    const { memory, services, log } = this.parts;
    const state = memory.services[action.service];
    state.busy = true;
    try {
      await services[action.service].ensure();
      memory.serviceReady(action.service, performance.now());
      log.info(`${action.service} is ready`);
    } catch (error) {
      const { message } = error as Error;
      if (message !== state.problem) log.error(`${action.service} is not ready: ${message}`);
      memory.serviceFailed(action.service, message, performance.now());
    } finally {
      state.busy = false;
    }
  }

  private async destroyZombie(action: Extract<Action, { kind: 'destroyZombie' }>): Promise<void> {
    const { memory, tools, log } = this.parts;
    const failures = memory.zombieEfforts.get(action.uuid)?.failures ?? 0;
    memory.zombieEfforts.set(action.uuid, { busy: true, failures, retryAtMs: 0 });
    if (failures === 0) log.warn(`destroying a domain: ${action.reason}`);
    try {
      await tools.hypervisor.destroyDomain(action.uuid);
      // What the old listing says of it is no longer true.
      memory.listing = null;
      memory.zombieEfforts.delete(action.uuid);
    } catch (error) {
      if (failures === 0)
        log.error(`domain ${action.name} could not be destroyed, will be tried again: ${(error as Error).message}`);
      const retryAtMs = performance.now() + retryDelayMs(failures);
      memory.zombieEfforts.set(action.uuid, { busy: false, failures: failures + 1, retryAtMs });
    }
    await this.parts.relist();
  }

  /** Runs an operation on a machine; a failure is logged once and tried again after a growing wait. */
  private async onMachine(machine: MachineMemory, what: string, operation: () => Promise<void>): Promise<void> {
    machine.busy = true;
    try {
      await operation();
      machine.failures = 0;
      machine.retryAtMs = 0;
    } catch (error) {
      machine.retryAtMs = performance.now() + retryDelayMs(machine.failures);
      machine.failures += 1;
      if (machine.failures === 1) {
        this.parts.log.error(
          { machine: machine.entry.record.id },
          `${machine.entry.record.hostname}: ${what} failed, will be tried again: ${(error as Error).message}`,
        );
      }
    } finally {
      machine.busy = false;
    }
  }
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
