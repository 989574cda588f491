/** What vacd remembers of one machine, and the facts that it makes of it for decisions and views. */

import type { Machine, Quarantine } from '../factory/types.js';
import type { DomainFact } from '../host/hypervisor.js';
import type { JournalEntry } from '../machines/journal.js';

/** Monotonic clock, milliseconds: for waits and ages that a step of the wall clock must not touch. */
export type MonotonicMs = number;

/** A machine's journal entry, kept up to date in memory, and what only this process knows of it. */
export interface MachineMemory {
  entry: JournalEntry;
  /** An operation on it is under way. */
  busy: boolean;
  /** Listings asked for before this cannot tell that its domain is gone. */
  changedAtMs: MonotonicMs;
  retryAtMs: MonotonicMs;
  failures: number;
  domain: DomainFact | null;
  /** True once a listing asked after `changedAtMs` lacked it and its last words were read. */
  gone: boolean;
  goneTimeSeconds: number | null;
  goneDetail: string | null;
  shutdownMessage: string | null;
  /** Latest sign that its guest ran, Unix seconds. */
  lastTraceTimeSeconds: number | null;
  pausedSinceMs: MonotonicMs | null;
  resumedAtMs: MonotonicMs | null;
  stopAskedAtMs: MonotonicMs | null;
  heartbeatFile: HeartbeatFile | null;
  cpuSeconds: number;
  cpuPercent: number;
  /** When it was last seen running, Unix seconds. */
  seenTimeSeconds: number | null;
  heartbeatWrittenAtMs: MonotonicMs;
  exported: boolean | null;
  throttled: boolean | null;
  /** Why this process could not finish creating it. */
  creationProblem: string | null;
}

/**
 * joboutputs/<heartbeat_file> as last looked at. Its age runs on the monotonic clock from the last change that was
 * seen, so that a step of the wall clock does not make it look stale.
 */
export interface HeartbeatFile {
  readonly mtimeMs: number;
  readonly changedAtMs: MonotonicMs;
}

/** Of a machine of which nothing is known yet but what its directory tells. */
export function newMachineMemory(entry: JournalEntry, nowMs: MonotonicMs): MachineMemory {
  return {
    entry,
    busy: false,
    changedAtMs: nowMs,
    retryAtMs: 0,
    failures: 0,
    domain: null,
    gone: false,
    goneTimeSeconds: null,
    goneDetail: null,
    shutdownMessage: null,
    lastTraceTimeSeconds: null,
    pausedSinceMs: null,
    resumedAtMs: null,
    stopAskedAtMs: null,
    heartbeatFile: null,
    cpuSeconds: entry.cpuSeconds,
    cpuPercent: 0,
    seenTimeSeconds: entry.heartbeatTimeSeconds,
    heartbeatWrittenAtMs: nowMs,
    exported: null,
    throttled: null,
    creationProblem: null,
  };
}

export interface FactsAround {
  readonly quarantine: Quarantine | null;
  /** libvirt answers, so what it said last of the domain is so. */
  readonly isHypervisorKnown: boolean;
}

/** Facts of this moment: ages instead of moments of the monotonic clock. */
export function machineFacts(
  memory: MachineMemory,
  nowMs: MonotonicMs,
  { quarantine, isHypervisorKnown }: FactsAround,
): Machine {
  const { entry } = memory;
  return {
    ...entry,
    quarantine,
    heartbeatTimeSeconds: memory.seenTimeSeconds,
    cpuSeconds: memory.cpuSeconds,
    ...(entry.use == null ? {} : { suspendedSeconds: Math.round(entry.use.suspendedSeconds) }),
    cpuPercent: memory.cpuPercent,
    domain: isHypervisorKnown ? domainState(memory) : 'unknown',
    pausedForSeconds: memory.pausedSinceMs === null ? 0 : Math.floor((nowMs - memory.pausedSinceMs) / 1000),
    resumedForSeconds: memory.resumedAtMs === null ? null : Math.floor((nowMs - memory.resumedAtMs) / 1000),
    pausedByIoError: memory.domain?.pausedByIoError ?? false,
    goneTimeSeconds: memory.goneTimeSeconds,
    goneDetail: memory.goneDetail,
    lastTraceTimeSeconds: memory.lastTraceTimeSeconds,
    stopAskedForSeconds: memory.stopAskedAtMs === null ? null : Math.floor((nowMs - memory.stopAskedAtMs) / 1000),
    heartbeatFileAgeSeconds:
      memory.heartbeatFile === null ? null : Math.floor((nowMs - memory.heartbeatFile.changedAtMs) / 1000),
    shutdownMessage: memory.shutdownMessage,
    creationProblem: memory.creationProblem,
    busy: memory.busy,
    retryInSeconds: Math.max(0, (memory.retryAtMs - nowMs) / 1000),
    exported: memory.exported,
    throttled: memory.throttled,
  };
}

function domainState(memory: MachineMemory): Machine['domain'] {
  if (memory.gone) return 'gone';
  return memory.domain?.state ?? 'unknown';
}
