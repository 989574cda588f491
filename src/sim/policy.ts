/**
 * How factories of a space come to know of each other, and what they start by it: the part of the simulator that can be
 * exchanged, so that ours and the predecessor's are measured on one load.
 */

import type { Config } from '../config/types.js';
import type { Plan } from '../factory/plan.js';
import type { FactoryState, MachinetypeNews } from '../factory/types.js';
import type { Uses } from '../factory/use.js';
import type { Rng } from './random.js';

/** What an agent is given of the factory that it speaks for. */
export interface Speaker {
  readonly index: number;
  /** FQDN. */
  readonly name: string;
  readonly rng: Rng;
  readonly config: Config;
  /** The factory's own clock, Unix seconds with a fraction. */
  nowSeconds(): number;
  /** What it would say of each of its machinetypes now, in the order of its configuration. */
  ownNews(): readonly MachinetypeNews[];
  /** Its own use history, decayed to now; null: none is kept. */
  ownUses(): Uses | null;
  /** Asks for a pass of the loop. */
  wake(): void;
  /** The same, for news of others: of no use to a factory without a free processor, and then not looked at. */
  newsHeard(): void;
  /** What is kept on the host's disk for the agent. */
  readonly disk: AgentDisk;
}

export interface AgentDisk {
  /** Of the gossip; null: it has never spoken. */
  incarnation: number | null;
}

/** One factory's part in the space, from a start of its vacd to its death. */
export interface SpaceAgent {
  /** News of the others, for the decision; folded or not. */
  peers(): readonly MachinetypeNews[];
  /** HS06 × seconds by machinetype of the others, decayed to now; empty where no history is told. */
  peerUses(): Uses;
  /** Whether the others have been heard, or waited for long enough. */
  readonly heard: boolean;
  /** Something that `Speaker.ownNews` tells may have changed. */
  ownNewsChanged(): void;
  /** What to do now. */
  plan(state: FactoryState, config: Config, rng: Rng): Plan;
  /** False: a free slot is filled when the agent wakes the loop, and not looked at in between. */
  readonly startsAtAnyTime: boolean;
  /** vacd has died: nothing of it may happen any more. */
  die(): void;
}

/** What all agents of a run share. */
export interface SpacePolicy {
  readonly name: PolicyName;
  /** vacd has started. */
  begin(speaker: Speaker): SpaceAgent;
  /** Datagrams and bytes sent so far, by all. */
  sent(): { readonly datagrams: number; readonly bytes: number };
  /**
   * How long ago one factory knows another to have been alive and told all there was, seconds: by word of itself or of
   * others. Infinity where it has not heard of it. Null: the policy cannot tell, or one of them is away.
   */
  heardSecondsAgo(viewer: number, peer: number): number | null;
  /** The latest change of what a factory tells; null: the policy cannot tell, or it is away. */
  lastChange(factory: number): NewsChange | null;
  /** Whether the viewer knows of a change, or of a later one; null: one of them is away. */
  knows(viewer: number, change: NewsChange): boolean | null;
  /** What one factory holds of another for its decisions; null: the policy cannot tell. */
  held(viewer: number, peer: number): readonly MachinetypeNews[] | null;
}

/** One change of what a factory tells of itself. */
export interface NewsChange {
  readonly factory: number;
  /** Of the run. */
  readonly atSeconds: number;
  /** Where changes are counted; else their times tell them apart. */
  readonly stamp: { readonly incarnation: number; readonly version: number } | null;
}

export type PolicyName = 'gossip' | 'polling' | 'reference';
