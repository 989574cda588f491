/**
 * How factories of a space come to know of each other, and what they start by it: the part of the simulator that can be
 * exchanged, so that ours and the predecessor's are measured on one load.
 */

import type { Config } from '../config/types.js';
import type { FactoryState, MachinetypeNews, Plan } from '../factory/types.js';
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
   * How old the news is that one factory has of another, in seconds: since the other said it, or said last that it is
   * still so. Infinity where it has none. Null: the policy cannot tell.
   */
  newsAgeSeconds(viewer: number, peer: number): number | null;
  /** What one factory holds of another for its decisions; null: the policy cannot tell. */
  held(viewer: number, peer: number): readonly MachinetypeNews[] | null;
}

export type PolicyName = 'gossip' | 'polling' | 'reference';
