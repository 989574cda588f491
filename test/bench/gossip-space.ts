/** What the processes of the gossip benchmark agree on. */

import type { OwnEntry } from '../../src/vacquery/index.js';

export const SPACE = 'vac01.example.com';
export const KEY = '0123456789abcdef0123456789abcdef';

/** To the process that simulates all factories but the first. */
export interface NeighboursOrder {
  readonly factories: number;
  readonly port: number;
  readonly lossRate: number;
}

/** From it, when asked. */
export interface NeighboursStatus {
  /** The latest of each. */
  readonly versions: readonly (readonly [factory: string, version: number])[];
  /** How far it fell behind real time: where it is much, the host was too busy for the figures to mean anything. */
  readonly worstLagSeconds: number;
}

/** To the process that is measured (gossip-worker.mjs): the first factory. */
export type WorkerOrder =
  | {
      readonly do: 'begin';
      readonly space: string;
      readonly key: string;
      readonly factory: string;
      /** Name and address of each. */
      readonly factories: readonly (readonly [string, string])[];
    }
  | { readonly do: 'announce'; readonly entry: OwnEntry }
  | { readonly do: 'measure'; readonly seconds: number };

/** From it. */
export type WorkerResult =
  | { readonly is: 'listening'; readonly port: number }
  | { readonly is: 'joined'; readonly seconds: number }
  | {
      readonly is: 'measured';
      readonly cpuPercent: number;
      readonly rssMiB: number;
      readonly sentPerMinute: number;
      readonly receivedPerMinute: number;
      readonly sentBytesPerSecond: number;
      readonly receivedBytesPerSecond: number;
      readonly refused: number;
      /** Of each other factory, as it is known; 0: not at all. */
      readonly versions: readonly (readonly [factory: string, version: number])[];
    };

export function nameOf(index: number): string {
  return `wn${String(index).padStart(4, '0')}.example.com`;
}

/** Each has one of its own: loopback has 16 million. */
export function addressOf(factory: string): string {
  const index = Number(factory.slice(2, 6));
  return `127.1.${1 + Math.floor(index / 100)}.${1 + (index % 100)}`;
}
