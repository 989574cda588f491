/** Datagram → gossip message. All is checked, nothing throws, and what is not known is left behind. */

import { MAX_RECEIVED_BYTES } from './codec.js';
import type { Change, Head, Slice, SliceEnd } from './entry.js';
import { MAX_MESSAGE_CHARACTERS } from './entry-own.js';
import { fromLetters } from './gossip-hash.js';
import type { Roster } from './gossip-roster.js';
import { count, float, hostname as hostnameKind, type Kind, machinetypeName, text, time } from './kinds.js';
import {
  type AgeBucket,
  type AgeWindow,
  type BucketStamps,
  DIGEST_LETTERS,
  type GossipMessage,
  ID_LETTERS,
  type IdStamp,
  INCARNATION_LETTERS,
  KNOWN_LETTERS,
  MAX_BITS,
  MAX_DS,
  MAX_INCARNATION,
  MAX_NONCE,
  MAX_VERSION,
  type SentChange,
  STAMP_LETTERS,
  type SyncAnswer,
  type SyncRequest,
  slotHostname,
  VERSION_LETTERS,
} from './wire02.js';
import { FLAG_LEFT, FLAG_TAKES_MACHINES, HEAD_MARK, looksLikeGossip, NO_STRING } from './wire02-encode.js';

export type GossipDecodeResult =
  | { readonly ok: true; readonly message: GossipMessage; readonly unknownIds: number }
  | { readonly ok: false; readonly reason: 'not-gossip' | 'malformed' };

/** Thrown and caught in this file alone. */
class Malformed extends Error {}
const MALFORMED = new Malformed('malformed');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @param roster names of factories; changes of others are counted and left out */
export function decodeGossip(datagram: Uint8Array, roster: Roster): GossipDecodeResult {
  if (!looksLikeGossip(datagram)) return { ok: false, reason: 'not-gossip' };
  if (datagram.length > MAX_RECEIVED_BYTES) return { ok: false, reason: 'malformed' };
  try {
    return read(JSON.parse(utf8.decode(datagram)) as Record<string, unknown>, roster);
  } catch {
    // No UTF-8, no JSON, or not what the protocol says: all the same to who has to look into it.
    return { ok: false, reason: 'malformed' };
  }
}

function read(raw: Record<string, unknown>, roster: Roster): GossipDecodeResult {
  const { space, factory, vac_version, time_sent, sync, answer, ages, changes, strings } = raw;
  const read = changes === undefined ? [] : readChanges(listOf(changes), listOf(strings).map(anyText), roster);
  const known = read.filter((change): change is SentChange => change !== null);
  return {
    ok: true,
    unknownIds: read.length - known.length,
    message: {
      space: ofKind(hostnameKind, space) as string,
      factory: (ofKind(hostnameKind, factory) as string).toLowerCase(),
      vacVersion: vac_version === undefined ? null : (ofKind(text, vac_version) as string),
      timeSent: ofKind(time, time_sent) as number,
      sync: sync === undefined ? null : readSync(listOf(sync)),
      answer: answer === undefined ? null : readAnswer(listOf(answer)),
      ages: ages === undefined ? null : readAges(listOf(ages)),
      changes: known,
    },
  };
}

/** null for those of factories that are not known. */
function readChanges(changes: readonly unknown[], strings: readonly string[], roster: Roster): (SentChange | null)[] {
  return changes.map((raw) => {
    const [name, to, span, changedDs, ageDs, ...parts] = listOf(raw);
    const whose = anyText(name);
    if (whose.length !== ID_LETTERS + INCARNATION_LETTERS) throw MALFORMED;
    const incarnation = letters(whose, ID_LETTERS, INCARNATION_LETTERS);
    const version = integer(to, 1, MAX_VERSION);
    const frame = {
      id: whose.slice(0, ID_LETTERS),
      incarnation: within(incarnation, 1, MAX_INCARNATION),
      from: version - integer(span, 1, version),
      to: version,
      changedDs: integer(changedDs, 0, MAX_DS),
    };
    const at = roster.indexOfId(frame.id);
    if (at < 0) return null;
    const head: Head[] = [];
    const slices: Slice[] = [];
    const used = new Set<number | string>();
    for (const part of parts) {
      const fields = listOf(part);
      const read =
        fields[2] === HEAD_MARK ? readHead(fields, frame) : readSlice(fields, frame, strings, roster.names[at]!);
      const key = 'machinetype' in read ? read.machinetype : HEAD_MARK;
      // Two states of one part, or two parts of one version, cannot both be.
      if (used.has(key) || used.has(read.version)) throw MALFORMED;
      used.add(key).add(read.version);
      if ('machinetype' in read) slices.push(read);
      else head.push(read);
    }
    if (used.size === 0) throw MALFORMED;
    const change: Change = { ...frame, head: head[0] ?? null, slices };
    return { change, ageDs: integer(ageDs, 0, MAX_DS) };
  });
}

type Frame = Pick<Change, 'from' | 'to' | 'changedDs'>;

function partFrame(fields: readonly unknown[], { from, to, changedDs }: Frame) {
  return {
    version: to - integer(fields[0], 0, to - from - 1),
    changedDs: changedDs - integer(fields[1], 0, changedDs),
  };
}

function readHead(fields: readonly unknown[], frame: Frame): Head {
  const flags = integer(fields[4], 0, FLAG_TAKES_MACHINES + FLAG_LEFT);
  return {
    ...partFrame(fields, frame),
    maxProcessors: ofKind(count, fields[3]) as number,
    takesMachines: (flags & FLAG_TAKES_MACHINES) !== 0,
    left: (flags & FLAG_LEFT) !== 0,
  };
}

function readSlice(fields: readonly unknown[], frame: Frame, strings: readonly string[], factory: string): Slice {
  const [, , name, hs06, machines, processors, beforeFizzle, endAgo, message, host, use] = fields;
  return {
    ...partFrame(fields, frame),
    machinetype: ofKind(machinetypeName, stringAt(strings, name)) as string,
    runningHs06: ofKind(float, hs06) as number,
    runningMachines: ofKind(count, machines) as number,
    runningProcessors: ofKind(count, processors) as number,
    beforeFizzle: ofKind(count, beforeFizzle) as number,
    end: endAgo === undefined || endAgo === null ? null : readEnd(endAgo, message, host, frame, strings, factory),
    decayedUse: use === undefined ? null : number(use, 0, MAX_USE),
  };
}

/** HS06 × seconds of a million machines over a century. */
const MAX_USE = 1e20;

function readEnd(
  ago: unknown,
  message: unknown,
  host: unknown,
  frame: Frame,
  strings: readonly string[],
  factory: string,
): SliceEnd {
  const said = message === NO_STRING ? null : (ofKind(text, stringAt(strings, message)) as string);
  return {
    atDs: frame.changedDs - integer(ago, 0, MAX_DS),
    message: said?.slice(0, MAX_MESSAGE_CHARACTERS) ?? null,
    hostname:
      typeof host === 'number'
        ? slotHostname(factory, integer(host, 0, 65_535))
        : (ofKind(hostnameKind, host) as string),
  };
}

function readSync([nonce, bits, first, digests, known, stamps]: readonly unknown[]): SyncRequest {
  const read = {
    nonce: integer(nonce, 0, MAX_NONCE),
    bits: integer(bits, 0, MAX_BITS),
    digests: numbers(digests, DIGEST_LETTERS),
    known: numbers(known, KNOWN_LETTERS),
  };
  const buckets = 2 ** read.bits;
  const compared = listOf(stamps).map((item): BucketStamps => {
    const [bucket, inBucket] = listOf(item);
    return { bucket: integer(bucket, 0, buckets - 1), stamps: readStamps(inBucket) };
  });
  // Each is looked through, and a bucket may be the whole space.
  if (new Set(compared.map(({ bucket }) => bucket)).size < compared.length) throw MALFORMED;
  return { ...read, first: integer(first, 0, Math.max(0, buckets - read.digests.length)), stamps: compared };
}

function readAnswer([nonce, differing, lacking, wanted, hasMore]: readonly unknown[]): SyncAnswer {
  return {
    nonce: integer(nonce, 0, MAX_NONCE),
    differing: listOf(differing).map((bucket) => integer(bucket, 0, 2 ** MAX_BITS - 1)),
    lacking: numbers(lacking, KNOWN_LETTERS),
    wanted: readStamps(wanted),
    hasMore: integer(hasMore, 0, 1) === 1,
  };
}

function readAges([bits, first, ...buckets]: readonly unknown[]): AgeWindow {
  const count = 2 ** integer(bits, 0, MAX_BITS);
  return {
    bits: integer(bits, 0, MAX_BITS),
    first: integer(first, 0, Math.max(0, count - buckets.length)),
    buckets: buckets.map((item): AgeBucket => {
      const written = anyText(item);
      const codes = new Uint8Array(Math.max(0, written.length - DIGEST_LETTERS));
      for (let at = 0; at < codes.length; at += 1) codes[at] = letters(written, DIGEST_LETTERS + at, 1);
      return { check: letters(written, 0, DIGEST_LETTERS), codes };
    }),
  };
}

function readStamps(value: unknown): IdStamp[] {
  const written = anyText(value);
  if (written.length % STAMP_LETTERS !== 0) throw MALFORMED;
  const stamps: IdStamp[] = [];
  for (let at = 0; at < written.length; at += STAMP_LETTERS) {
    stamps.push({
      id: written.slice(at, at + ID_LETTERS),
      incarnation: letters(written, at + ID_LETTERS, INCARNATION_LETTERS),
      version: letters(written, at + ID_LETTERS + INCARNATION_LETTERS, VERSION_LETTERS),
    });
  }
  return stamps;
}

function numbers(value: unknown, lettersEach: number): number[] {
  const written = anyText(value);
  if (written.length % lettersEach !== 0) throw MALFORMED;
  return Array.from({ length: written.length / lettersEach }, (_, at) =>
    letters(written, at * lettersEach, lettersEach),
  );
}

function letters(written: string, at: number, count: number): number {
  const value = fromLetters(written, at, count);
  if (value < 0) throw MALFORMED;
  return value;
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw MALFORMED;
  return value;
}

function anyText(value: unknown): string {
  if (typeof value !== 'string') throw MALFORMED;
  return value;
}

function stringAt(strings: readonly string[], index: unknown): string {
  return strings[integer(index, 0, strings.length - 1)]!;
}

function integer(value: unknown, min: number, max: number): number {
  if (!Number.isInteger(value)) throw MALFORMED;
  return within(value as number, min, max);
}

function number(value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw MALFORMED;
  return within(value, min, max);
}

function within(value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw MALFORMED;
}

function ofKind(kind: Kind, value: unknown): string | number {
  const read = kind.read(value);
  if (typeof read === 'object') throw MALFORMED;
  return read;
}
