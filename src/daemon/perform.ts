/**
 * Carries out actions, and chooses nothing. Each action runs by itself; while it does, its subject is `busy`, so the
 * next passes leave it alone. What comes of it is written into the Memory, and the loop is woken.
 */

import type { Action, ActionOf } from '../factory/plan.js';
import type { StopRequest } from '../factory/types.js';
import { exportsOf } from '../machines/create.js';
import { writeShutdownTime } from '../machines/features.js';
import type { MachineTools, StepListener } from '../machines/tools.js';
import { createMachine } from './creating.js';
import { accountMonthOf, clearMachine, endMachine, forgetIfRemoved } from './finishing.js';
import { holdMachine, keepMemory, releaseMachine } from './holding.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
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
        return createMachine(action, this.parts);
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
        if (machine.gone && (await forgetIfRemoved(machine, this.parts))) return;
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
        await endMachine(machine, action.end, this.parts);
        return;
      case 'clearMachine':
        await clearMachine(machine, this.parts);
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
        await accountMonthOf(machine, action, this.parts);
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

  private async fetchImage({ machinetype }: ActionOf<'fetchImage'>): Promise<void> {
    const type = this.parts.memory.config.machinetypes.find(({ name }) => name === machinetype);
    if (type !== undefined) await this.parts.tools.images.refresh(type);
  }

  private async ensureService(action: ActionOf<'ensureService'>): Promise<void> {
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

  private async destroyZombie(action: ActionOf<'destroyZombie'>): Promise<void> {
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
