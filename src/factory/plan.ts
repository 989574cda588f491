/** What comes out of the decision: what to do, and why: plain data, no behaviour. The facts it is made from are in types.ts. */

import type { MachineEnd, MachineSuspension, ServiceName, StopRequest } from './types.js';

/** What to do, as data. `perform` carries these out and chooses nothing. */
export type Action =
  | {
      readonly kind: 'createMachine';
      readonly slot: number;
      readonly machinetype: string;
      readonly processors: number;
      readonly shutdownTimeSeconds: number;
      readonly reason: string;
    }
  /** Libvirt has the domain of a machine whose start was never recorded: write that it started. */
  | { readonly kind: 'recordStarted'; readonly machine: string; readonly reason: string }
  | { readonly kind: 'requestStop'; readonly machine: string; readonly stop: StopRequest; readonly reason: string }
  | { readonly kind: 'destroyMachine'; readonly machine: string; readonly stop: StopRequest; readonly reason: string }
  | { readonly kind: 'endMachine'; readonly machine: string; readonly end: MachineEnd; readonly reason: string }
  | { readonly kind: 'clearMachine'; readonly machine: string; readonly reason: string }
  | { readonly kind: 'forgetMachine'; readonly machine: string; readonly reason: string }
  | {
      readonly kind: 'lowerShutdownTime';
      readonly machine: string;
      readonly shutdownTimeSeconds: number;
      readonly reason: string;
    }
  /** Account for what a machine that runs on has used until the end of a month (Unix seconds, UTC). */
  | { readonly kind: 'accountMonth'; readonly machine: string; readonly untilSeconds: number; readonly reason: string }
  | { readonly kind: 'exportMachine'; readonly machine: string; readonly reason: string }
  | {
      readonly kind: 'suspendMachine';
      readonly machine: string;
      readonly suspension: MachineSuspension;
      readonly reason: string;
    }
  /** Ends a suspension, or a pause by QEMU. */
  | { readonly kind: 'resumeMachine'; readonly machine: string; readonly reason: string }
  /** Halts a machine that is to be held in quarantine, and cuts its network. */
  | { readonly kind: 'holdMachine'; readonly machine: string; readonly reason: string }
  /** Writes the memory of a held machine to a file. */
  | { readonly kind: 'keepMemory'; readonly machine: string; readonly reason: string }
  /** Ends a quarantine: the machine goes on. */
  | { readonly kind: 'releaseMachine'; readonly machine: string; readonly reason: string }
  /** Holds its CPU down for the owner's sake, or lets it go. */
  | { readonly kind: 'throttleMachine'; readonly machine: string; readonly throttled: boolean; readonly reason: string }
  | { readonly kind: 'destroyZombie'; readonly uuid: string; readonly name: string; readonly reason: string }
  /** Compare the image of a machinetype with the server's, and fetch it where that is newer. */
  | { readonly kind: 'fetchImage'; readonly machinetype: string; readonly reason: string }
  | { readonly kind: 'ensureService'; readonly service: ServiceName; readonly reason: string };

/** The action of one kind. */
export type ActionOf<Kind extends Action['kind']> = Extract<Action, { kind: Kind }>;

/** One thing that was decided, or decided against, and why; what `vac why` prints. */
export interface Decision {
  readonly timeSeconds: number;
  readonly slot: number | null;
  readonly machinetype: string | null;
  readonly machine: string | null;
  /** Stable word for counting: `started`, `overloaded`, `backoff`, … */
  readonly code: DecisionCode;
  readonly reason: string;
}

export type DecisionCode =
  | 'started'
  | 'all-taken'
  | 'draining'
  | 'overloaded'
  | 'io-pressure'
  | 'disk-full'
  | 'hypervisor-down'
  | 'service-down'
  | 'shutdown-time'
  | 'overnight'
  | 'space-unheard'
  | 'query-port'
  | 'starts-limit'
  | 'starting-limit'
  | 'no-share'
  | 'backoff'
  | 'scouting'
  | 'creation-failed'
  | 'black-hole'
  | 'too-big'
  | 'type-full'
  | 'memory-full'
  | 'min-wallclock'
  | 'may-start'
  | 'nothing-eligible'
  | 'unsupported-model'
  | 'image-checking'
  | 'image-fetching'
  | 'image-unavailable'
  | 'same-second'
  | 'blocked-slot'
  | 'machine';

/** Why a factory starts nothing at all now. */
export interface Standstill {
  readonly code: DecisionCode;
  readonly reason: string;
}

export interface Plan {
  readonly actions: readonly Action[];
  readonly decisions: readonly Decision[];
  readonly standstill: Standstill | null;
}
