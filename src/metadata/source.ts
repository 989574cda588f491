/**
 * All that the HTTP server asks of the rest of the program. It runs in the child without root and asks vacd through the
 * channel (`remote-source.ts`); tests may answer it directly.
 */

import type { Readable } from 'node:stream';
import type { MachineFacts } from '../machines/context/facts.js';

/** What a machine is told of itself. */
export interface MetadataMachine extends MachineFacts {
  readonly id: string;
}

export const DIRECTORIES = ['machinefeatures', 'jobfeatures', 'joboutputs'] as const;
export type GuestDirectory = (typeof DIRECTORIES)[number];

/** Where a file can be read: in a directory by its name, or the user_data, whose name is empty. */
export const PLACES = [...DIRECTORIES, 'user_data'] as const;
export type Place = (typeof PLACES)[number];

/** Names that are served and accepted: no hidden file, no path. */
export const FILE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export const PUT_OUTCOMES = ['created', 'bad-name', 'directory', 'full', 'too-large'] as const;
export type PutOutcome = (typeof PUT_OUTCOMES)[number];

export interface MetadataSource {
  /** The machine that has this address now. */
  machineByIp(ip: string): Promise<MetadataMachine | null>;
  /** Names of the regular files that can be read, sorted. */
  list(machine: MetadataMachine, directory: GuestDirectory): Promise<readonly string[]>;
  /** Null: there is none. A stream must be read or destroyed. */
  read(machine: MetadataMachine, place: Place, name: string): Promise<Buffer | Readable | null>;
  /** Makes a file in joboutputs; rejects when the body does, and nothing has changed then. */
  put(machine: MetadataMachine, name: string, body: AsyncIterable<Uint8Array>): Promise<PutOutcome>;
}

/** Something failed that is not the client's doing, and whoever looks after the host has been told. */
export class HostFault extends Error {}

/** The machine asks more than it may at a time. */
export class TooMuch extends HostFault {}
