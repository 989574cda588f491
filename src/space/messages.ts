/**
 * What the two halves of a factory's membership in its space say to each other. The member (member.ts) has sockets and
 * reads what strangers send; it runs without root. The daemon (daemon/space.ts) has root, the files and the Memory, and
 * reads nothing but these messages, each of which it checks (check.ts).
 *
 * All of it is plain data that JSON carries. News goes one way as sums over the space, so that its size grows with
 * machinetypes and not with factories; lists of factories go only when somebody asks for them.
 */

import type { IpNetwork } from '../config/types.js';
import type { MachinetypeNews } from '../factory/types.js';
import type {
  FactorySnapshot,
  FactoryStatus,
  GossipCounts,
  Liveness,
  OwnEntry,
  PeerSummary,
} from '../vacquery/index.js';

/** What the member's part of the channel is called. */
export const SPACE_PART = 'vacquery';

/** What the member needs of the configuration in force. */
export interface MemberConfig {
  /** Another with each of them: news says which it is of, so that none of an earlier one is taken for this one's. */
  readonly generation: number;
  /** This factory's FQDN. */
  readonly factory: string;
  readonly space: string;
  /** All factories of the space but this one, in the order of the configuration. */
  readonly peers: readonly string[];
  readonly udpTimeoutSeconds: number;
  /** 0: no history is kept. */
  readonly shareHalfLifeHours: number;
  readonly queryNetworks: readonly IpNetwork[];
}

/** The keys in force. */
export interface KeysGiven {
  /** False: none are wanted, nothing is signed. True without any key: they cannot be read, and never could be. */
  readonly isOn: boolean;
  readonly mode: 'mixed' | 'required';
  readonly keys: readonly { readonly id: string; readonly secretBase64: string }[];
}

/** From the daemon. */
export type ToMember =
  | { readonly type: 'configure'; readonly config: MemberConfig }
  | { readonly type: 'keys'; readonly keys: KeysGiven }
  /** What the others are told of this factory from now on. */
  | { readonly type: 'own'; readonly entry: OwnEntry }
  /** The picture that queries are answered from; `machines` is empty unless they were wanted. */
  | { readonly type: 'picture'; readonly picture: FactorySnapshot; readonly hasMachines: boolean }
  /** Something has changed since: the picture is not to be used any more. */
  | { readonly type: 'picture-stale' }
  /** The number of this start (incarnation), which is on disk, or cannot be. */
  | { readonly type: 'number'; readonly incarnation: number }
  /** One that the member had to raise is on disk. */
  | { readonly type: 'number-kept'; readonly incarnation: number }
  | { readonly type: 'look'; readonly id: number }
  | { readonly type: 'census'; readonly id: number }
  /** Asks for the addresses of any host: what name servers answer is not read by root. */
  | { readonly type: 'name'; readonly id: number; readonly host: string };

/** What is known of one of the others, with what it takes to tell it to people. */
export interface Peer extends PeerSummary {
  /** Whether it signs; null: not known, or there are no keys. */
  readonly signs: boolean | null;
}

/** All that decisions take from the space. */
export interface SpaceNews {
  readonly generation: number;
  /** The others were heard, or waited for long enough. */
  readonly heard: boolean;
  /** There are others, and none of them answers. */
  readonly alone: boolean;
  /** Sums over all others, one of each machinetype. */
  readonly news: readonly MachinetypeNews[];
  /** HS06 × seconds by machinetype, of all others; empty: no history is kept. */
  readonly uses: readonly (readonly [machinetype: string, use: number])[];
  /** What is wrong with this factory as a member of the space; a sentence each. */
  readonly problems: readonly string[];
}

/** A table of counts, as `DatagramCounts` has them. */
export type CountList = readonly (readonly [key: string, count: number])[];

/** What people and monitors are told when they ask, besides the line of each of the others. */
export interface MemberLook {
  /** What should be done next about the keys; null: nothing. */
  readonly hint: string | null;
  /** Null: it does not gossip, as it is on its own or has only just begun. */
  readonly gossip: {
    readonly counts: Readonly<GossipCounts>;
    /** Of datagrams that were believed. */
    readonly receivedBytes: number;
    readonly peers: readonly (readonly [liveness: Liveness, count: number])[];
  } | null;
  /** Datagrams in and out, queries and answers of both sides, since the member began. */
  readonly counts: { readonly received: CountList; readonly sent: CountList; readonly refused: CountList };
}

/** One factory's answer to the census. */
export interface CensusAnswer {
  readonly factory: string;
  readonly status: FactoryStatus;
}

export type LogLevel = 'info' | 'warn' | 'error';

/** From the member. What may be long comes in several messages, none of them larger than the channel takes. */
export type FromMember =
  /** More of the same news follows unless `isLast`: then all that it says besides lists is in force. */
  | { readonly type: 'news'; readonly isLast: boolean; readonly news: SpaceNews }
  | { readonly type: 'log'; readonly level: LogLevel; readonly text: string }
  | { readonly type: 'picture-wanted'; readonly machines: boolean }
  | { readonly type: 'number-wanted' }
  /** Others know a later state in this factory's name: this is to be written down, and nothing is sent before. */
  | { readonly type: 'number-raised'; readonly incarnation: number }
  /** Before the `look` with the same id. */
  | { readonly type: 'look-peers'; readonly id: number; readonly peers: readonly Peer[] }
  | { readonly type: 'look'; readonly id: number; readonly look: MemberLook }
  /** Before the `census` with the same id. */
  | { readonly type: 'census-answers'; readonly id: number; readonly answers: readonly CensusAnswer[] }
  /** All answers are told. False: there are no others, or no socket was to be had. */
  | { readonly type: 'census'; readonly id: number; readonly wasAsked: boolean }
  /** Empty: none, and `problem` says why. */
  | { readonly type: 'name'; readonly id: number; readonly addresses: readonly string[]; readonly problem: string };

/** The log, as the member writes it. */
export type MemberLog = Readonly<Record<LogLevel, (text: string) => void>>;
