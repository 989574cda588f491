/**
 * What comes of a decision on a host of the model: as daemon/perform.ts, but each effect is one step on the virtual
 * clock, and vacd may die between any two.
 */

import { withEnd } from '../factory/early-deaths.js';
import { lastEndFrom } from '../factory/news.js';
import type { Action, ActionOf } from '../factory/plan.js';
import type { CreationFailure, StopRequest } from '../factory/types.js';
import type { SimDaemon } from './daemon.js';
import { newDirectory, SimMachine } from './machine.js';
import { draw } from './random.js';

/** Writing a small file; asking libvirt; libvirt making or ending a domain. Milliseconds. */
const WRITE_MS = 5;
const ASK_MS = 20;
const LIBVIRT_MS = 300;
/** Accounting, exports, disks. */
const CLEAR_MS = 100;

type MachineAction = Extract<Action, { machine: string }>;

/** Begins an action; its subject is busy when this returns. */
export function perform(daemon: SimDaemon, action: Action): void {
  switch (action.kind) {
    case 'createMachine':
      create(daemon, action);
      return;
    case 'destroyZombie':
      daemon.zombiesBusy.add(action.uuid);
      daemon.after(LIBVIRT_MS, () => {
        const { world, index } = daemon.parts;
        world.trace.add('zombie', world.clock.nowMs(), index, 0);
        daemon.host.destroyDomain(action.uuid);
        daemon.zombiesBusy.delete(action.uuid);
        daemon.listSoon();
      });
      return;
    case 'fetchImage':
      throw new Error(`images of the model are files, and that of ${action.machinetype} is not`);
    case 'ensureService':
      throw new Error(`services of the model are always ready, and ${action.service} is not`);
    default: {
      const machine = daemon.machines.get(action.machine);
      if (machine === undefined) throw new Error(`action ${action.kind} on unknown machine ${action.machine}`);
      onMachine(daemon, machine, action);
    }
  }
}

function create(daemon: SimDaemon, action: ActionOf<'createMachine'>): void {
  const { world, index, name } = daemon.parts;
  const { host, rng, config } = daemon;
  const model = world.scenario.host;
  const type = config.machinetypes.find((candidate) => candidate.name === action.machinetype)!;
  const nowSeconds = Math.floor(daemon.nowSeconds());
  const serial = world.nextSerial();
  const directory = newDirectory(type, config.settings, { ...action, factory: name, nowSeconds, serial });
  const machine = new SimMachine(directory);
  machine.busy = true;
  daemon.add(machine);
  world.trace.add('create', world.clock.nowMs(), index, serial);
  world.watchers.onStart(index, machine.record);
  daemon.newsChanged();

  const failed = (problem: string): void => {
    world.trace.add('refused', world.clock.nowMs(), index, serial);
    machine.creationProblem = `creation failed: ${problem}`;
    noteFailure(daemon, machine, problem);
    machine.busy = false;
    daemon.listSoon();
  };
  const isRefused = rng() < model.creationFailureRate;
  const preparationMs = draw(model.creationSeconds, rng) * 1000;
  daemon.after(WRITE_MS, () => host.directories.set(machine.record.id, directory));
  daemon.after(WRITE_MS + preparationMs, () => {
    directory.askedTimeSeconds = Math.floor(daemon.nowSeconds());
    let isMade = false;
    // libvirt carries on with what it was asked, whether or not vacd lives to hear of it.
    world.clock.at(world.clock.nowMs() + LIBVIRT_MS, () => {
      isMade = !isRefused && host.createDomain(directory);
    });
    daemon.after(LIBVIRT_MS + ASK_MS, () => {
      if (!isMade) {
        failed(isRefused ? 'refused by chance' : 'the name is in use');
        return;
      }
      daemon.after(WRITE_MS, () => {
        machine.journal({ phase: 'running', startedTimeSeconds: Math.floor(daemon.nowSeconds()) });
        machine.busy = false;
        daemon.creationFailures.delete(type.name);
        daemon.slotFailures.delete(machine.record.slot);
        started(daemon, machine);
      });
    });
  });
}

function started(daemon: SimDaemon, machine: SimMachine): void {
  const { world, index } = daemon.parts;
  world.trace.add('started', world.clock.nowMs(), index, machine.record.slot);
  daemon.newsChanged();
  daemon.newsWhenProven(machine);
  daemon.listSoon();
}

/** As daemon/perform.ts counts them: several machines that were begun before one failure are one failure. */
function noteFailure(daemon: SimDaemon, { record }: SimMachine, message: string): void {
  const timeSeconds = Math.floor(daemon.nowSeconds());
  const next = (known: CreationFailure | undefined): CreationFailure => {
    const sameWave = known !== undefined && record.createdTimeSeconds <= known.timeSeconds;
    return { count: (known?.count ?? 0) + (sameWave ? 0 : 1), timeSeconds, message };
  };
  daemon.creationFailures.set(record.machinetype, next(daemon.creationFailures.get(record.machinetype)));
  daemon.slotFailures.set(record.slot, next(daemon.slotFailures.get(record.slot)));
}

function onMachine(daemon: SimDaemon, machine: SimMachine, action: MachineAction): void {
  const { host } = daemon;
  const { uuid } = machine.record;
  machine.busy = true;
  const done = (delayMs: number, effect: () => void): void =>
    daemon.after(delayMs, () => {
      machine.busy = false;
      effect();
      daemon.wake();
    });
  switch (action.kind) {
    case 'recordStarted':
      done(WRITE_MS, () => {
        machine.journal({ phase: 'running', startedTimeSeconds: machine.directory.askedTimeSeconds });
        started(daemon, machine);
      });
      return;
    case 'requestStop':
      noteStop(machine, action.stop);
      machine.stopAskedAtMs = daemon.parts.world.clock.nowMs();
      done(ASK_MS, () => host.shutdownDomain(uuid));
      return;
    case 'destroyMachine':
      noteStop(machine, action.stop);
      daemon.after(LIBVIRT_MS, () => {
        host.destroyDomain(uuid);
        done(LIBVIRT_MS, () => daemon.listSoon());
      });
      return;
    case 'endMachine':
      done(WRITE_MS, () => end(daemon, machine, action.end));
      return;
    case 'clearMachine':
      daemon.after(CLEAR_MS, () => {
        host.account(machine.directory);
        done(CLEAR_MS, () => clear(daemon, machine));
      });
      return;
    case 'lowerShutdownTime':
      done(WRITE_MS, () => machine.journal({ shutdownTimeSeconds: action.shutdownTimeSeconds }));
      return;
    case 'forgetMachine':
    case 'accountMonth':
    case 'exportMachine':
    case 'resumeMachine':
    case 'suspendMachine':
    case 'throttleMachine':
      throw new Error(`${action.kind} of ${machine.record.id}: nothing in the model calls for it`);
  }
}

function noteStop(machine: SimMachine, stop: StopRequest): void {
  if (machine.stop === null) machine.journal({ stop });
}

function end(daemon: SimDaemon, machine: SimMachine, ended: ActionOf<'endMachine'>['end']): void {
  const { world, index } = daemon.parts;
  machine.journal({ phase: 'ended', end: ended });
  const { record, startedTimeSeconds } = machine;
  const run = withEnd(daemon.earlyDeaths.get(record.machinetype), record, startedTimeSeconds, ended);
  daemon.earlyDeaths.set(record.machinetype, run);
  world.trace.add('ended', world.clock.nowMs(), index, record.slot);
  daemon.newsChanged();
}

function clear(daemon: SimDaemon, machine: SimMachine): void {
  const { world, index } = daemon.parts;
  const { record, end: ended, startedTimeSeconds } = machine;
  machine.journal({ phase: 'cleared' });
  daemon.host.clear(machine.directory);
  const known = daemon.lastEnds.get(record.machinetype);
  if (ended !== null && startedTimeSeconds !== null && (known?.createdTimeSeconds ?? 0) <= record.createdTimeSeconds) {
    const last = lastEndFrom(record, ended);
    daemon.lastEnds.set(record.machinetype, last);
    daemon.host.finishes.set(record.machinetype, last);
  }
  daemon.cleared(machine);
  world.trace.add('cleared', world.clock.nowMs(), index, record.slot);
}
