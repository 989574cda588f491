/** A machine as the model of a daemon remembers it, and what its directory keeps of it when the daemon dies. */

import type { MachinetypeConfig, Settings } from '../config/types.js';
import { NO_SUSPENSIONS } from '../factory/suspension.js';
import type { DomainState, Machine, MachineEnd, MachinePhase, MachineRecord, StopRequest } from '../factory/types.js';
import { newRecord, type StartOrder } from '../machines/record.js';

/** The journal: what is written to disk, and so outlives vacd (drawing: factory/types.ts). */
export interface Directory {
  readonly record: MachineRecord;
  phase: MachinePhase;
  /** When libvirt was asked: a start that was not recorded is dated so (machines/journal.ts). */
  askedTimeSeconds: number;
  startedTimeSeconds: number | null;
  shutdownTimeSeconds: number;
  stop: StopRequest | null;
  end: MachineEnd | null;
  /** joboutputs/shutdown_message. */
  lastWords: string | null;
  /** When its console was last written to, on the host's clock; null: its guest never ran. */
  lastTraceTimeSeconds: number | null;
}

export class SimMachine implements Machine {
  readonly record: MachineRecord;
  phase: MachinePhase;
  startedTimeSeconds: number | null;
  shutdownTimeSeconds: number;
  stop: StopRequest | null;
  end: MachineEnd | null;

  domain: DomainState = 'unknown';
  goneTimeSeconds: number | null = null;
  goneDetail: string | null = null;
  lastTraceTimeSeconds: number | null = null;
  shutdownMessage: string | null = null;
  creationProblem: string | null = null;
  stopAskedForSeconds: number | null = null;
  retryInSeconds = 0;
  busy = false;
  readonly heartbeatTimeSeconds = null;
  readonly cpuSeconds = 0;
  readonly cpuPercent = 0;
  readonly pausedForSeconds = 0;
  readonly resumedForSeconds = null;
  readonly pausedByIoError = false;
  readonly heartbeatFileAgeSeconds = null;
  readonly exported = true;
  readonly suspension = null;
  readonly pastSuspensions = NO_SUSPENSIONS;
  readonly throttled = null;

  /** On the simulation's clock; null: this vacd has not asked it. */
  stopAskedAtMs: number | null = null;
  /** This vacd has seen its domain. */
  seen = false;
  /** When libvirt told this vacd that its domain stopped, on the host's clock; null: it did not. */
  stoppedTimeSeconds: number | null = null;

  constructor(readonly directory: Directory) {
    this.record = directory.record;
    this.phase = directory.phase;
    this.startedTimeSeconds = directory.startedTimeSeconds;
    this.shutdownTimeSeconds = directory.shutdownTimeSeconds;
    this.stop = directory.stop;
    this.end = directory.end;
  }

  /** Writes into the directory what this vacd has just found out or done. */
  journal(change: Partial<Pick<Directory, 'phase' | 'startedTimeSeconds' | 'shutdownTimeSeconds' | 'stop' | 'end'>>) {
    Object.assign(this.directory, change);
    Object.assign(this, change);
  }

  get isLiving(): boolean {
    return this.phase === 'starting' || this.phase === 'running';
  }
}

/** What a machine is made by in the model. */
export interface Order extends StartOrder {
  readonly factory: string;
  /** Counts the machines of the run, and so makes their UUIDs. */
  readonly serial: number;
}

/** A new machine's directory. No heartbeat file is asked for: guests of the model would keep it fresh. */
export function newDirectory(type: MachinetypeConfig, settings: Settings, order: Order): Directory {
  const uuid = `00000000-0000-4000-8000-${order.serial.toString(16).padStart(12, '0')}`;
  return {
    record: { ...newRecord(order.factory, type, settings, order, uuid), heartbeatFile: null, heartbeatSeconds: 0 },
    phase: 'starting',
    askedTimeSeconds: order.nowSeconds,
    startedTimeSeconds: null,
    shutdownTimeSeconds: order.shutdownTimeSeconds,
    stop: null,
    end: null,
    lastWords: null,
    lastTraceTimeSeconds: null,
  };
}
