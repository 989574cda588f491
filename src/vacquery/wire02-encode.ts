/**
 * Gossip message → datagram, and how large it will be. A datagram is put together part by part until it is full: so each
 * part's size is known before it is written.
 */

import type { Change, Head, Slice } from './entry.js';
import { toLetters } from './gossip-hash.js';
import type { Roster } from './gossip-roster.js';
import {
  type AgeWindow,
  DIGEST_LETTERS,
  GOSSIP_VERSION,
  type GossipHeader,
  type GossipMessage,
  ID_LETTERS,
  type IdStamp,
  INCARNATION_LETTERS,
  KNOWN_LETTERS,
  STAMP_LETTERS,
  type SyncAnswer,
  type SyncRequest,
  slotOfHostname,
  VERSION_LETTERS,
} from './wire02.js';

/** What every gossip datagram begins with, so that it is told from all others without being read. */
const BEGINNING = '{"message_type": "gossip", ';
/** An index of a name that stands for a head instead of a slice. */
export const HEAD_MARK = -1;
/** Instead of an index: there is no message. */
export const NO_STRING = -1;
export const FLAG_TAKES_MACHINES = 1;
export const FLAG_LEFT = 2;

const toUtf8 = new TextEncoder();

/** @param roster must know all ids in the message */
export function encodeGossip(message: GossipMessage, roster: Roster): Uint8Array {
  const { sync, answer, ages, changes } = message;
  let text = header(message);
  if (sync !== null) text += `, "sync": ${JSON.stringify(syncFields(sync))}`;
  if (answer !== null) text += `, "answer": ${JSON.stringify(answerFields(answer))}`;
  if (ages !== null) text += `, "ages": ${JSON.stringify(ageFields(ages))}`;
  if (changes.length > 0) {
    const strings = new Strings();
    const written = changes.map(({ change, ageDs }) => changeFields(change, ageDs, strings, roster));
    text += `, "strings": ${JSON.stringify(strings.all)}, "changes": ${JSON.stringify(written)}`;
  }
  return toUtf8.encode(`${text}}`);
}

/** Whether a datagram is gossip, from its first bytes. */
export function looksLikeGossip(datagram: Uint8Array): boolean {
  if (datagram.length < BEGINNING.length) return false;
  for (let index = 0; index < BEGINNING.length; index += 1) {
    if (datagram[index] !== BEGINNING.charCodeAt(index)) return false;
  }
  return true;
}

/** Bytes of a message without its four variable parts. */
export function headerBytes(of: GossipHeader): number {
  return toUtf8.encode(header(of)).length + '}'.length;
}

export function syncBytes(sync: SyncRequest): number {
  return ', "sync": '.length + JSON.stringify(syncFields(sync)).length;
}

export function answerBytes(answer: SyncAnswer): number {
  return ', "answer": '.length + JSON.stringify(answerFields(answer)).length;
}

/** Bytes of an age window's frame; each bucket then takes `ageBucketBytes`. */
export function ageFrameBytes(bits: number, first: number): number {
  return ', "ages": [,]'.length + digits(bits) + digits(first);
}

export function ageBucketBytes(names: number): number {
  return ',""'.length + DIGEST_LETTERS + names;
}

/** Puts changes into a datagram as long as there is room, and says to the byte how large they are. */
export class ChangesSize {
  /** With the keys of both lists. */
  bytes = 0;
  readonly #strings = new Set<string>();
  #count = 0;
  #fresh: string[] = [];

  /** Takes the change if it fits into `maxBytes` with what is there already. */
  add(change: Change, ageDs: number, factory: string, maxBytes: number): boolean {
    this.#fresh = [];
    let bytes = this.#count === 0 ? ', "strings": [], "changes": []'.length : 1;
    bytes +=
      '["",,,,]'.length +
      ID_LETTERS +
      INCARNATION_LETTERS +
      digits(change.to) +
      digits(change.to - change.from) +
      digits(change.changedDs) +
      digits(ageDs);
    if (change.head !== null) bytes += 1 + this.#headBytes(change, change.head);
    for (const slice of change.slices) bytes += 1 + this.#sliceBytes(change, slice, factory);
    for (const string of this.#fresh) bytes += jsonBytes(string) + 1;
    if (this.#fresh.length > 0 && this.#strings.size === 0) bytes -= 1;
    if (this.bytes + bytes > maxBytes) return false;
    this.bytes += bytes;
    this.#count += 1;
    for (const string of this.#fresh) this.#strings.add(string);
    return true;
  }

  #headBytes(change: Change, head: Head): number {
    return (
      '[,,-1,,0]'.length +
      digits(change.to - head.version) +
      digits(change.changedDs - head.changedDs) +
      digits(head.maxProcessors)
    );
  }

  #sliceBytes(change: Change, slice: Slice, factory: string): number {
    let bytes =
      '[,,,,,,]'.length +
      digits(change.to - slice.version) +
      digits(change.changedDs - slice.changedDs) +
      this.#stringBytes(slice.machinetype) +
      digits(slice.runningHs06) +
      digits(slice.runningMachines) +
      digits(slice.runningProcessors) +
      digits(slice.beforeFizzle);
    const { end, decayedUse } = slice;
    if (end !== null) {
      const slot = slotOfHostname(factory, end.hostname);
      bytes +=
        ',,,'.length +
        digits(change.changedDs - end.atDs) +
        (end.message === null ? 2 : this.#stringBytes(end.message)) +
        (slot === null ? jsonBytes(end.hostname) : digits(slot));
    } else if (decayedUse !== null) bytes += ',null,null,null'.length;
    if (decayedUse !== null) bytes += 1 + shortNumber(decayedUse).length;
    return bytes;
  }

  #stringBytes(string: string): number {
    let index = 0;
    for (const known of this.#strings) {
      if (known === string) return digits(index);
      index += 1;
    }
    const at = this.#fresh.indexOf(string);
    if (at >= 0) return digits(index + at);
    this.#fresh.push(string);
    return digits(index + this.#fresh.length - 1);
  }
}

/** A change is cut into such parts, so that a datagram has room for it beside what else it carries. */
const MAX_PART_BYTES = 900;

/** A change as parts that fit into a datagram each, the older versions first. */
export function splitChange(change: Change, factory: string): readonly Change[] {
  if (new ChangesSize().add(change, change.changedDs, factory, MAX_PART_BYTES)) return [change];
  const { id, incarnation, head } = change;
  const parts: Change[] = [];
  const ordered = [...(head === null ? [] : [head]), ...change.slices].sort((a, b) => a.version - b.version);
  let part: Change = { id, incarnation, from: change.from, to: change.from, changedDs: 0, head: null, slices: [] };
  for (const item of ordered) {
    const longer = withItem(part, item);
    if (part.to > part.from && !new ChangesSize().add(longer, change.changedDs, factory, MAX_PART_BYTES)) {
      parts.push(part);
      part = withItem({ ...part, from: part.to, changedDs: 0, head: null, slices: [] }, item);
    } else part = longer;
  }
  return [...parts, { ...part, to: change.to }];
}

function withItem(part: Change, item: Head | Slice): Change {
  const grown = { ...part, to: item.version, changedDs: Math.max(part.changedDs, item.changedDs) };
  return 'machinetype' in item ? { ...grown, slices: [...part.slices, item] } : { ...grown, head: item };
}

/** A number's bytes as JSON. */
function digits(value: number): number {
  if (!Number.isInteger(value) || value < 0) return String(value).length;
  let length = 1;
  for (let limit = 10; value >= limit; limit *= 10) length += 1;
  return length;
}

/** A text's bytes as JSON, quotes included. */
function jsonBytes(text: string): number {
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e || code === 0x22 || code === 0x5c) return toUtf8.encode(JSON.stringify(text)).length;
  }
  return text.length + 2;
}

/** Use is an estimate: four digits of it are enough. */
function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

function header({ space, factory, vacVersion, timeSent }: GossipHeader) {
  const version = vacVersion === null ? '' : `"vac_version": ${JSON.stringify(vacVersion)}, `;
  return `${BEGINNING}"vacquery_version": "${GOSSIP_VERSION}", ${version}"space": "${space}", "factory": "${factory}", "time_sent": ${timeSent}`;
}

class Strings {
  readonly all: string[] = [];
  readonly #indexes = new Map<string, number>();

  index(string: string): number {
    const known = this.#indexes.get(string);
    if (known !== undefined) return known;
    this.#indexes.set(string, this.all.length);
    this.all.push(string);
    return this.all.length - 1;
  }
}

function changeFields(change: Change, ageDs: number, strings: Strings, roster: Roster): unknown[] {
  const { id, incarnation, from, to, changedDs, head, slices } = change;
  const fields: unknown[] = [`${id}${toLetters(incarnation, INCARNATION_LETTERS)}`, to, to - from, changedDs, ageDs];
  if (head !== null) {
    const flags = (head.takesMachines ? FLAG_TAKES_MACHINES : 0) + (head.left ? FLAG_LEFT : 0);
    fields.push([to - head.version, changedDs - head.changedDs, HEAD_MARK, head.maxProcessors, flags]);
  }
  const factory = roster.names[roster.indexOfId(id)]!;
  for (const slice of slices) fields.push(sliceFields(slice, change, strings, factory));
  return fields;
}

function sliceFields(slice: Slice, { to, changedDs }: Change, strings: Strings, factory: string): unknown[] {
  const { end, decayedUse } = slice;
  const fields: unknown[] = [
    to - slice.version,
    changedDs - slice.changedDs,
    strings.index(slice.machinetype),
    slice.runningHs06,
    slice.runningMachines,
    slice.runningProcessors,
    slice.beforeFizzle,
  ];
  if (end !== null) {
    const message = end.message === null ? NO_STRING : strings.index(end.message);
    fields.push(changedDs - end.atDs, message, slotOfHostname(factory, end.hostname) ?? end.hostname);
  } else if (decayedUse !== null) fields.push(null, null, null);
  if (decayedUse !== null) fields.push(Number(shortNumber(decayedUse)));
  return fields;
}

function syncFields({ nonce, bits, first, digests, known, stamps }: SyncRequest): unknown[] {
  return [
    nonce,
    bits,
    first,
    digests.map((digest) => toLetters(digest, DIGEST_LETTERS)).join(''),
    known.map((hash) => toLetters(hash, KNOWN_LETTERS)).join(''),
    stamps.map(({ bucket, stamps: inBucket }) => [bucket, stampLetters(inBucket)]),
  ];
}

function answerFields({ nonce, differing, lacking, wanted, hasMore }: SyncAnswer): unknown[] {
  return [
    nonce,
    differing,
    lacking.map((hash) => toLetters(hash, KNOWN_LETTERS)).join(''),
    stampLetters(wanted),
    hasMore ? 1 : 0,
  ];
}

function stampLetters(stamps: readonly IdStamp[]): string {
  return stamps
    .map(
      ({ id, incarnation, version }) =>
        `${id}${toLetters(incarnation, INCARNATION_LETTERS)}${toLetters(version, VERSION_LETTERS)}`,
    )
    .join('');
}

/** Bytes of one more bucket in a request's stamps, or of `stamps` more wanted ones in an answer (`bucket` left out). */
export function stampsBytes(stamps: number, bucket: number | null): number {
  return stamps * STAMP_LETTERS + (bucket === null ? 0 : '[,""],'.length + digits(bucket));
}

function ageFields({ bits, first, buckets }: AgeWindow): unknown[] {
  return [
    bits,
    first,
    ...buckets.map(
      ({ check, codes }) => toLetters(check, DIGEST_LETTERS) + Array.from(codes, (code) => toLetters(code, 1)).join(''),
    ),
  ];
}
