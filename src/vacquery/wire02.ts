/**
 * One gossip datagram as plain data. All of it is immutable, so that it may be handed on as it is. Keys and forms of the
 * wire are in the README ("VacQuery 02"), written by wire02-encode.ts and read by wire02-decode.ts.
 */

import type { Change, Stamped } from './entry.js';

/** What datagrams of this kind say as `vacquery_version`. */
export const GOSSIP_VERSION = 'VacQuery 02';

export interface GossipHeader {
  readonly space: string;
  /** The sender's FQDN. */
  readonly factory: string;
  /** Only sent with `sync`; null: not sent. */
  readonly vacVersion: string | null;
  /** The sender's calendar, Unix seconds: tells of wrong clocks, and is used for nothing else. */
  readonly timeSent: number;
}

export interface GossipMessage extends GossipHeader {
  /** Asks for an answer. */
  readonly sync: SyncRequest | null;
  readonly answer: SyncAnswer | null;
  readonly ages: AgeWindow | null;
  readonly changes: readonly SentChange[];
}

export interface SentChange {
  readonly change: Change;
  /** How long ago it was made when it was sent. */
  readonly ageDs: number;
}

/** A state of the entry of the factory with this id. */
export interface IdStamp extends Stamped {
  readonly id: string;
}

/** What the sender knows of the factories in some buckets, for the receiver to compare (push-pull). */
export interface SyncRequest {
  /** Echoed in the answer. */
  readonly nonce: number;
  /** There are 2^bits buckets. */
  readonly bits: number;
  /** The first of the buckets that are compared; as many follow as there are digests. */
  readonly first: number;
  /** 24 bits for each bucket: all settled states in it. */
  readonly digests: readonly number[];
  /** 18 bits for each entry in these buckets with a change that has not settled. */
  readonly known: readonly number[];
  /** All that is known in some buckets, so that what is missing can be sent without asking back. */
  readonly stamps: readonly BucketStamps[];
}

export interface BucketStamps {
  readonly bucket: number;
  readonly stamps: readonly IdStamp[];
}

export interface SyncAnswer {
  readonly nonce: number;
  /** The request's buckets whose settled states differ. */
  readonly differing: readonly number[];
  /** Which of `known` the answerer does not know. */
  readonly lacking: readonly number[];
  /** Older states that the answerer has of factories in the request's `stamps`. */
  readonly wanted: readonly IdStamp[];
  /** There was more to send than an answer may have. */
  readonly hasMore: boolean;
}

/** For each factory in some buckets, how long ago anybody known to the sender heard it. */
export interface AgeWindow {
  readonly bits: number;
  readonly first: number;
  readonly buckets: readonly AgeBucket[];
}

export interface AgeBucket {
  /** 24 bits of the names in the bucket: without the same names the codes are meaningless. */
  readonly check: number;
  /** One for each name, in the roster's order; see gossip-ages.ts. */
  readonly codes: Uint8Array;
}

/** What is read from the wire must keep within these, or is not believed. */
export const MAX_VERSION = 2 ** 30 - 1;
export const MAX_INCARNATION = 2 ** 36 - 1;
export const MAX_DS = 2 ** 40;
export const MAX_BITS = 20;
export const MAX_NONCE = 2 ** 32 - 1;
/** Letters of each field: ids, incarnations and versions of stamps; digests and checks; hashes of what is known. */
export const ID_LETTERS = 8;
export const INCARNATION_LETTERS = 6;
export const VERSION_LETTERS = 5;
export const STAMP_LETTERS = ID_LETTERS + INCARNATION_LETTERS + VERSION_LETTERS;
export const DIGEST_LETTERS = 4;
export const KNOWN_LETTERS = 3;
export const DIGEST_MASK = 2 ** 24 - 1;
export const KNOWN_MASK = 2 ** 18 - 1;

/** Hosts of a factory's slots are sent as the slot's number: `<short name>-NN.<domain>`, at least two digits. */
export function slotHostname(factory: string, slot: number): string {
  const dot = factory.indexOf('.');
  const [short, domain] = dot < 0 ? [factory, ''] : [factory.slice(0, dot), factory.slice(dot)];
  return `${short}-${String(slot).padStart(2, '0')}${domain}`;
}

/** The slot of a host name of this factory; null when it is no such name. */
export function slotOfHostname(factory: string, hostname: string): number | null {
  const dot = factory.indexOf('.');
  const short = dot < 0 ? factory.length : dot;
  const end = hostname.length - (factory.length - short);
  const digits = end - short - 1;
  // Looked at letter by letter, because it is done for every change that is sent.
  if (digits < 2 || digits > 5 || hostname.charCodeAt(short) !== HYPHEN) return null;
  if (!hostname.startsWith(short === factory.length ? factory : factory.slice(0, short))) return null;
  if (short < factory.length && !hostname.endsWith(factory.slice(short))) return null;
  let slot = 0;
  for (let at = short + 1; at < end; at += 1) {
    const digit = hostname.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) return null;
    slot = slot * 10 + digit;
  }
  const hasSpareZeros = digits > 2 && slot < 10 ** (digits - 1);
  return slot < 65_536 && !hasSpareZeros ? slot : null;
}

const HYPHEN = 0x2d;
const ZERO = 0x30;
