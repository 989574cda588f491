/**
 * What the gossip takes and gives, as plain data (VacQuery 02). The state machine is `Gossip` (datagrams) around
 * `GossipState` (messages).
 */

import type { MachinetypeNews } from '../factory/types.js';
import type { Signer } from './auth.js';
import type { Entry, Stamped } from './entry.js';

/** What a factory says of one of its machinetypes; starting machines count as running. */
export interface OwnMachinetype {
  readonly machinetype: string;
  readonly runningHs06: number;
  readonly runningMachines: number;
  readonly runningProcessors: number;
  readonly beforeFizzle: number;
  readonly lastEnd: MachinetypeNews['lastEnd'];
  /** HS06 × seconds up to now, decayed by `halfLifeSeconds`; null or left out: no history is kept. */
  readonly decayedUse?: number | null;
}

/** The whole of what a factory tells the space of itself. */
export interface OwnEntry {
  /** Processors that machines may have in all. */
  readonly maxProcessors: number;
  /** False while it starts nothing at all (draining, overloaded …): its free processors then count as none. */
  readonly takesMachines: boolean;
  readonly machinetypes: readonly OwnMachinetype[];
}

/** Which state of an entry is meant. A later start of the factory is a higher incarnation; each change a higher version. */
export type Stamp = Stamped;

/**
 * `alive`: somebody heard it within `suspectSeconds`. `suspect`: not so, it still counts. `expired`: not within
 * `expirySeconds`, it counts no more. `left`: it said good-bye. `unheard`: nobody is known to have heard it by gossip.
 */
export type Liveness = 'alive' | 'suspect' | 'expired' | 'left' | 'unheard';

/** One factory as it is known here. */
export interface FactoryView {
  readonly factory: string;
  readonly liveness: Liveness;
  /** Since anybody known here heard it; null: nobody did. */
  readonly heardSecondsAgo: number | null;
  /** Since it made the last change that is known here; null: nothing is known. */
  readonly changedSecondsAgo: number | null;
  readonly stamp: Stamp | null;
  readonly maxProcessors: number | null;
  /** 0 while it starts nothing. */
  readonly freeProcessors: number | null;
  /** Empty once it has expired or left. */
  readonly news: readonly MachinetypeNews[];
  /** What is wrong with it, a sentence each. */
  readonly problems: readonly string[];
}

/** HS06 × seconds of a machinetype over the space, decayed to now. */
export interface DecayedUse {
  readonly machinetype: string;
  readonly decayedUse: number;
}

export interface GossipOptions {
  readonly space: string;
  /** This factory's FQDN. */
  readonly factory: string;
  /** "Vac <version> <program>". */
  readonly vacVersion: string;
  /** max(persisted + 1, Unix seconds), see `nextIncarnation`. Persist it before the first datagram is sent. */
  readonly incarnation: number;
  /** It had to be raised, because others know a later state in this factory's name: persist it. */
  readonly onIncarnation?: (incarnation: number) => void;
  /** The `factories` option: seeds, and all who are believed. This factory may be among them or not. */
  readonly factories: readonly string[];
  /** Where a factory is sent to; null: its name does not resolve (now). */
  readonly addressOf: (factory: string) => string | null;
  /**
   * Whose address this is; null: none of the factories'. Datagrams from there are not looked at. Where an address is
   * several factories', the datagram may be asked whom it says it is from (`claimedFactory`).
   */
  readonly factoryAtAddress: (address: string, datagram: Uint8Array) => string | null;
  /** Default VACQUERY_PORT. */
  readonly port?: number;
  /** Uniform in [0, 1). */
  readonly rng: () => number;
  /** `share_half_life_hours` in seconds; 0 or left out: no history. */
  readonly halfLifeSeconds?: number;
  /** Which shutdown messages say that starting more is pointless: `isAbort` of factory/outcome.ts. */
  readonly isAbort: (message: string | null) => boolean;
  /**
   * For simulations of thousands in one process: gives the object to keep for a state of a factory's entry. The complete
   * states of one incarnation and version are equal, so one object can serve all who know it.
   */
  readonly intern?: (factory: string, entry: Entry) => Entry;
  /** Null or left out: datagrams are not signed, and none are asked to be. */
  readonly authenticator?: Signer | null;
  readonly limits?: Partial<GossipLimits>;
}

/** What became of a datagram. */
export type GossipOutcome =
  /** Looked at in full. */
  | 'accepted'
  /** From an address that is no factory's. */
  | 'stranger'
  /** No gossip at all: give it to the responder. */
  | 'not-gossip'
  | 'malformed'
  | 'other-space'
  /** It names another factory than the one whose address it came from. */
  | 'wrong-factory'
  /** Another host calls itself as we do. */
  | 'own-name'
  /** Not signed though it must be, or its signature, time or nonce is wrong. */
  | 'unauthenticated'
  | 'clock-skew'
  | 'replayed'
  /** More of the factory than any that works as it should sends. */
  | 'too-much';

export interface GossipCounts {
  sent: number;
  sentBytes: number;
  received: number;
  /** Changes of entries that came and were new here. */
  changes: number;
  /** Changes that came and were known. */
  duplicates: number;
  /** Entries or parts of them that were not believed: future incarnations, versions out of range, names not in the list. */
  disbelieved: number;
  /** Outcomes of refused datagrams. */
  refused: Partial<Record<GossipOutcome, number>>;
}

/** All bounds and paces; `GOSSIP_LIMITS` has the defaults and says why. */
export interface GossipLimits {
  /** Between two datagrams of news in the long run, while there is news; the more there is, the less. */
  readonly newsIntervalMs: number;
  /** A change of our own waits this long for others that come with it, then goes to `firstHopPeers` at once. */
  readonly announceDelayMs: number;
  /** As long as this when the whole space changes at once: then fewer, larger changes are told. */
  readonly busyAnnounceDelayMs: number;
  readonly firstHopPeers: number;
  /** How often one factory passes on a change: this × ln(factories), at least 5. */
  readonly transmitFactor: number;
  /** Between two comparisons with a random peer (push-pull), and while much is found to be missing. */
  readonly syncIntervalMs: number;
  readonly busySyncIntervalMs: number;
  /** Changes younger than this are left to the spreading of news, and compared only after. */
  readonly settleMs: number;
  /** Ages since factories were heard are sent with a datagram so often at most. */
  readonly agesIntervalMs: number;
  /** What is sent in the long run, and at once after a quiet time; answers may be as much again. Headers are not counted. */
  readonly bytesPerSecond: number;
  readonly burstBytes: number;
  /** An answer has at most so many datagrams, and so many times the bytes of what it answers. */
  readonly maxReplyDatagrams: number;
  readonly maxReplyFactor: number;
  readonly suspectSeconds: number;
  readonly expirySeconds: number;
  /** Gossip has this long from the start to tell of a factory before it is polled by 01.03. */
  readonly legacyGraceMs: number;
  /** A factory that gossip has not heard of for so long is polled: it may have been put back to a version without. */
  readonly legacySilentSeconds: number;
}
