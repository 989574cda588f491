/** The real parts of a host that making and ending a machine needs, handed over by whoever composes the daemon. */

import type { Settings } from '../config/types.js';
import type { MachineRecord, MachineSuspension } from '../factory/types.js';
import type { GuestOwner } from '../host/guest-owner.js';
import type { Hypervisor, HypervisorFacts } from '../host/hypervisor.js';
import type { RootImages } from '../host/images/root-images.js';
import type { NfsServer } from '../host/nfs.js';
import type { Trail } from '../trail/trail.js';
import type { Gentleness } from './gentle.js';
import type { GuestDirectories } from './guest-directories.js';
import type { Journal } from './journal.js';
import type { StateLayout } from './layout.js';
import type { MachineVolumes } from './volumes.js';

/** Where log lines of machines go; null on the test driver, where no machine speaks. */
export interface MachineLogs {
  /** From now on lines from this address belong to this machine. */
  assign(record: LoggedRecord): Promise<void>;
  /** Never fails: what could not be said to the receiver yet is said before the address is given away. */
  release(clientIp: string, machineId: string): Promise<void>;
  /** Says all at once whose addresses are whose, as after a restart. Fails as little as {@link release}. */
  restore(records: readonly LoggedRecord[]): Promise<void>;
}

/** What log lines of a machine are tagged with, and the address by which they are told. */
export type LoggedRecord = Pick<MachineRecord, 'ip' | 'id' | 'uuid' | 'machinetype' | 'hostname'>;

export interface MachineTools {
  readonly factory: string;
  readonly layout: StateLayout;
  readonly journal: Journal;
  readonly hypervisor: Hypervisor;
  readonly nfs: NfsServer;
  readonly logs: MachineLogs;
  readonly images: RootImages;
  readonly volumes: MachineVolumes;
  readonly trail: Pick<Trail, 'created' | 'ended' | 'note'>;
  /** Where outputs of machines that are over are sent; left out: nowhere. */
  readonly outputsArchive?: {
    order(record: MachineRecord): Promise<void>;
    giveUp(record: MachineRecord): Promise<void>;
  };
  /** Why a machine that is made now must not run yet; null: it may. Left out: any may. */
  readonly heldFromStart?: (record: MachineRecord) => MachineSuspension | null;
  /** How machines that are made now spare the owner of their host; null or left out: it has none. */
  readonly gentleness?: () => Gentleness | null;
  readonly guestOwner: GuestOwner;
  readonly directories: GuestDirectories;
  readonly networkName: string;
  /** Brings the rules that contain machines up to those that there are, with what their types ask for. */
  readonly contain: () => Promise<void>;
  /** A line of authorized_keys that machines are offered for their root account; null: there is none. */
  readonly rootPublicKey: () => string | null;
  /** The configuration in force; a machine under way keeps what it began with. */
  readonly settings: () => Settings;
  readonly hypervisorFacts: () => Promise<HypervisorFacts>;
}

/** Told of each step as it begins and ends: the source of step times, and of the crash tests' crash points. */
export type StepListener = (
  machineId: string,
  step: string,
  moment: 'begin' | 'end',
  milliseconds: number,
) => void | Promise<void>;

export interface Step<Context> {
  readonly name: string;
  run(context: Context): Promise<void>;
}

/** A step that failed, by name, with its cause. */
export class StepError extends Error {
  constructor(
    readonly step: string,
    override readonly cause: unknown,
  ) {
    super(`${step}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Runs steps one after the other. @throws StepError of the first that fails */
export async function runSteps<Context>(
  steps: readonly Step<Context>[],
  context: Context,
  machineId: string,
  listen: StepListener,
): Promise<void> {
  for (const step of steps) {
    const beganMs = performance.now();
    await listen(machineId, step.name, 'begin', 0);
    try {
      await step.run(context);
    } catch (cause) {
      throw new StepError(step.name, cause);
    }
    await listen(machineId, step.name, 'end', performance.now() - beganMs);
  }
}
