/**
 * What is due for one machine, from its phase and what libvirt says of its domain (drawing: types.ts).
 *
 * Level-triggered: the same facts give the same action again, until its effect is seen. So a crash between an
 * action and its effect needs no memory, only another pass.
 */

import type { Settings } from '../config/types.js';
import { monthName, monthStart } from './months.js';
import { shutdownLimit, utcTime } from './orders.js';
import { endMessage, stoppedReason } from './outcome.js';
import { overnightAction } from './overnight-machines.js';
import type { Action } from './plan.js';
import { quarantineAction } from './quarantine.js';
import type { FactoryState, Machine, MachineEnd, StopRequest } from './types.js';

/** A machine asked to stop by ACPI has this long before it is destroyed (SPEC 5). */
export const STOP_SECONDS = 30;

/** A machine paused by nobody we know is over after this: long enough for an administrator's quick look. */
export const MAX_PAUSED_SECONDS = 60;

/** A machine that QEMU paused over a disk error is given this long for the disk to have space again. */
export const MAX_PAUSED_BY_IO_ERROR_SECONDS = 600;

/** Free space with which a machine that was paused over a full disk may go on. */
const MIN_RESUME_FREE_BYTES = 100_000_000;

/** It is paused again at once where the space that it lacks is not the one we see: so it is not resumed at once. */
const MIN_PAUSED_BEFORE_RESUME_SECONDS = 5;

/** Heartbeat rules wait at least this long after the NFS server is back, or a pause is over: neither is their fault. */
const MIN_BACK_SECONDS = 60;

/** At most one action a machine and pass; null when nothing is due. */
export function machineAction(machine: Machine, state: FactoryState, settings: Settings): Action | null {
  if (machine.busy || machine.retryInSeconds > 0) return null;
  const held = quarantineAction(machine, state.nowSeconds);
  if (held !== undefined) return held;
  switch (machine.phase) {
    case 'starting':
      return recoverStart(machine, state);
    case 'running':
      return lookAfter(machine, state, settings);
    case 'ended':
      return { kind: 'clearMachine', machine: machine.record.id, reason: 'it ended: account for it and clean up' };
    case 'cleared':
      return forgetWhenOld(machine, state);
  }
}

/** A start that nobody is carrying out: it failed, or an earlier vacd died in the middle of it. */
function recoverStart(machine: Machine, state: FactoryState): Action | null {
  const id = machine.record.id;
  switch (machine.domain) {
    case 'running':
    case 'paused':
    case 'shutdown':
      return { kind: 'recordStarted', machine: id, reason: 'libvirt runs it, its start was not recorded' };
    case 'gone': {
      // It left traces, so it ran: its start is written down first, and then it has ended like any other.
      if (machine.lastTraceTimeSeconds !== null) {
        return { kind: 'recordStarted', machine: id, reason: 'it left traces of having run' };
      }
      const reason = machine.creationProblem ?? 'its creation was interrupted before libvirt had it';
      return {
        kind: 'endMachine',
        machine: id,
        end: { timeSeconds: state.nowSeconds, message: null, cpuSeconds: 0, reason },
        reason,
      };
    }
    case 'unknown':
      return null;
  }
}

function lookAfter(machine: Machine, state: FactoryState, settings: Settings): Action | null {
  const id = machine.record.id;
  if (machine.domain === 'gone') {
    const end = endOf(machine, state.nowSeconds);
    return { kind: 'endMachine', machine: id, end, reason: end.reason };
  }
  // What libvirt does not tell us now we do not judge: it may only be libvirt that is in trouble.
  if (machine.domain === 'unknown') return null;

  if (machine.stop !== null) return overnightAction(machine, state) ?? carryOnStop(machine, machine.stop);
  const stop = reasonToStop(machine, state);
  if (stop !== null) {
    return { kind: stop.politely ? 'requestStop' : 'destroyMachine', machine: id, stop, reason: stop.reason };
  }

  const overnight = overnightAction(machine, state);
  if (overnight !== null) return overnight;
  if (
    machine.domain === 'paused' &&
    machine.suspension === null &&
    machine.pausedByIoError &&
    machine.pausedForSeconds >= MIN_PAUSED_BEFORE_RESUME_SECONDS &&
    state.host.stateFreeBytes > MIN_RESUME_FREE_BYTES
  ) {
    return { kind: 'resumeMachine', machine: id, reason: 'its disk can be written again' };
  }
  const limit = shutdownLimit(state, settings);
  const promised = Math.max(limit?.timeSeconds ?? 0, state.nowSeconds + machine.record.graceSeconds);
  if (limit !== null && promised < machine.shutdownTimeSeconds) {
    return {
      kind: 'lowerShutdownTime',
      machine: id,
      shutdownTimeSeconds: promised,
      reason: `${limit.by} is ${utcTime(limit.timeSeconds)}, with ${machine.record.graceSeconds} s of notice`,
    };
  }
  if (machine.exported === false && state.host.services.nfs.ready) {
    return { kind: 'exportMachine', machine: id, reason: 'the NFS server no longer exports its directories' };
  }
  return monthToAccount(machine, state.nowSeconds, settings);
}

/** Its use until the last month's end, once it is sure to be accounted at all and was looked at since. */
function monthToAccount(machine: Machine, nowSeconds: number, settings: Settings): Action | null {
  const { record, startedTimeSeconds: started, heartbeatTimeSeconds: seen, accountedUntilSeconds: until } = machine;
  if (!settings.accountingPartial || started === null || seen === null) return null;
  const untilSeconds = monthStart(nowSeconds);
  const isDue = started < untilSeconds && (until ?? 0) < untilSeconds && seen >= untilSeconds;
  if (!isDue || nowSeconds - started < record.fizzleSeconds) return null;
  const reason = `it runs on from ${monthName(untilSeconds - 1)} into the next month`;
  return { kind: 'accountMonth', machine: record.id, untilSeconds, reason };
}

function carryOnStop(machine: Machine, stop: StopRequest): Action | null {
  const id = machine.record.id;
  // Asked by a vacd that died since: ask again, its 30 s begin anew.
  if (machine.stopAskedForSeconds === null && stop.politely) {
    return { kind: 'requestStop', machine: id, stop, reason: stop.reason };
  }
  if (!stop.politely || (machine.stopAskedForSeconds ?? 0) >= STOP_SECONDS) {
    const reason = stop.politely ? `${stop.reason}; it did not stop within ${STOP_SECONDS} s` : stop.reason;
    return { kind: 'destroyMachine', machine: id, stop, reason };
  }
  return null;
}

/** The rules of SPEC 5 ("A machine is over when …"); null when it may go on. */
export function reasonToStop(machine: Machine, state: FactoryState): StopRequest | null {
  const now = state.nowSeconds;
  const stop = (
    reason: string,
    message: string,
    how: { overrides?: boolean; politely?: boolean } = {},
  ): StopRequest => ({
    reason,
    message,
    overrides: how.overrides ?? false,
    politely: how.politely ?? true,
    requestedTimeSeconds: now,
  });

  // A paused machine cannot answer ACPI.
  const politely = machine.domain !== 'paused';
  if (state.orders.stopAll) return stop('this factory is being stopped', '100 Factory is being stopped', { politely });
  if (state.orders.stopMachines.has(machine.record.id)) {
    return stop('an administrator asked for it (vac stop)', '100 Stopped by an administrator', { politely });
  }
  if (now >= machine.shutdownTimeSeconds) {
    return stop(`its shutdowntime ${machine.shutdownTimeSeconds} has come`, '100 Past shutdowntime', { politely });
  }
  if (machine.domain === 'paused') {
    if (machine.suspension !== null) return null;
    const limit = machine.pausedByIoError ? MAX_PAUSED_BY_IO_ERROR_SECONDS : MAX_PAUSED_SECONDS;
    if (machine.pausedForSeconds < limit) return null;
    return machine.pausedByIoError
      ? stop(`paused for ${limit} s because its disk could not be written`, '500 Disk could not be written', {
          politely: false,
        })
      : stop(`paused for ${limit} s, and not by this factory`, '700 Paused from outside', { politely: false });
  }
  return heartbeatStop(machine, state, stop);
}

function heartbeatStop(
  machine: Machine,
  state: FactoryState,
  stop: (reason: string, message: string, how: { overrides: boolean }) => StopRequest,
): StopRequest | null {
  const { heartbeatFile, heartbeatSeconds, fizzleSeconds } = machine.record;
  if (heartbeatFile === null || machine.startedTimeSeconds === null) return null;
  if (state.nowSeconds < machine.startedTimeSeconds + fizzleSeconds) return null;
  const { nfs } = state.host.services;
  const patience = Math.max(heartbeatSeconds, MIN_BACK_SECONDS);
  if (!nfs.ready || nfs.readyForSeconds < patience) return null;
  if (machine.resumedForSeconds !== null && machine.resumedForSeconds < patience) return null;

  const age = machine.heartbeatFileAgeSeconds;
  if (age === null) {
    return stop(
      `joboutputs/${heartbeatFile} is not there ${fizzleSeconds} s after its start`,
      '700 Heartbeat file not created',
      { overrides: true },
    );
  }
  if (heartbeatSeconds > 0 && age > heartbeatSeconds) {
    return stop(
      `joboutputs/${heartbeatFile} is ${age} s old, over ${heartbeatSeconds} s`,
      '700 Heartbeat file not updated',
      { overrides: true },
    );
  }
  return null;
}

/** How a running machine whose domain is gone has ended. */
function endOf(machine: Machine, nowSeconds: number): MachineEnd {
  const startedTime = machine.startedTimeSeconds ?? machine.record.createdTimeSeconds;
  // If it went while nobody watched, its last trace is the best evidence.
  const traceTime = Math.max(startedTime, machine.heartbeatTimeSeconds ?? 0, machine.lastTraceTimeSeconds ?? 0);
  const seenTime = machine.goneTimeSeconds ?? traceTime;
  // A clock that was set back while nobody watched says that it starts in the future: how long it ran holds all the same.
  const latest = startedTime > nowSeconds ? seenTime : Math.min(nowSeconds, seenTime);
  // Nothing has run for less than no time.
  const timeSeconds = Math.max(startedTime, latest);
  const message = endMessage({
    own: machine.shutdownMessage,
    asked: machine.stop,
    ranSeconds: timeSeconds - startedTime,
    // A host that went down under its machines says nothing about the experiments' queues.
    fizzleSeconds: machine.goneTimeSeconds === null ? 0 : machine.record.fizzleSeconds,
  });
  const why = machine.stop !== null ? stoppedReason(machine.stop.reason) : howItWent(machine.goneDetail);
  const unseen = machine.goneTimeSeconds === null ? ' while vacd was not watching' : '';
  const suspended = machine.suspendedSeconds ?? 0;
  return {
    timeSeconds,
    message,
    cpuSeconds: machine.cpuSeconds,
    ...(suspended === 0 ? {} : { suspendedSeconds: Math.min(suspended, timeSeconds - startedTime) }),
    reason: `${why}${unseen}`,
  };
}

function howItWent(detail: string | null): string {
  switch (detail) {
    case 'crashed':
      return 'QEMU or the guest in it crashed';
    case 'destroyed':
      return 'it was destroyed, and not by this factory';
    case 'failed':
      return 'QEMU failed';
    case null:
      return 'its domain is gone';
    default:
      return 'it shut down by itself';
  }
}

function forgetWhenOld(machine: Machine, state: FactoryState): Action | null {
  const days = machine.record.machinesDirDays;
  if (days <= 0 || machine.end === null) return null;
  if (state.nowSeconds < machine.end.timeSeconds + days * 86_400) return null;
  return { kind: 'forgetMachine', machine: machine.record.id, reason: `it ended more than ${days} days ago` };
}
