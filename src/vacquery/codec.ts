/**
 * Datagram ↔ message. What is read is checked in full, keys that are not known are left behind, and nothing that comes
 * from the network makes this throw. What is written is checked by the same rules, so it can always be read again.
 */

import { FIELDS, type Field } from './fields.js';
import { Fault, type FaultReason } from './kinds.js';
import {
  METHOD_OF,
  type Message,
  type MessageType,
  type Query,
  type QueryType,
  STATUS_TYPE_OF,
  type Status,
  type StatusType,
} from './messages.js';

/**
 * Message plus headers stay under 1500 bytes; with IPv6 and UDP these are 48. With an MTU of 1500 such a datagram is
 * never cut into fragments.
 */
export const MAX_SENT_BYTES = 1451;
/** IPv4's headers are 28 bytes: others may send as much. */
export const MAX_RECEIVED_BYTES = 1472;
/** All known values are scalars; this much nesting is left to keys of future versions. */
export const MAX_DEPTH = 16;

export type RejectReason =
  | 'too-large'
  | 'not-utf8'
  | 'not-json'
  | 'too-deep'
  | 'not-object'
  | 'unknown-message'
  | 'missing-field'
  | FaultReason;

export type DecodeResult =
  | { readonly ok: true; readonly message: Message }
  /** `field`: the key that is wrong, where it is one key. */
  | { readonly ok: false; readonly reason: RejectReason; readonly field?: string };

export type EncodeResult =
  | { readonly ok: true; readonly datagram: Uint8Array }
  | { readonly ok: false; readonly reason: 'too-large'; readonly bytes: number; readonly maxBytes: number }
  | { readonly ok: false; readonly reason: FaultReason; readonly field: string };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();

/** Reads any of the six messages. Takes the bytes of one datagram, and keeps none of them. */
export function decode(datagram: Uint8Array): DecodeResult {
  if (datagram.length > MAX_RECEIVED_BYTES) return { ok: false, reason: 'too-large' };
  if (nestsDeeper(datagram, MAX_DEPTH)) return { ok: false, reason: 'too-deep' };
  let text: string;
  try {
    text = utf8.decode(datagram);
  } catch {
    return { ok: false, reason: 'not-utf8' };
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'not-json' };
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    return { ok: false, reason: 'not-object' };
  }
  const raw = parsed as Record<string, unknown>;
  const type = messageType(raw);
  if (type === null) return { ok: false, reason: 'unknown-message', field: 'message_type' };
  return readFields(raw, type);
}

/** Writes a message as JSON with the keys of its kind, in the order and with the number forms of deployed factories. */
export function encode(message: Message): EncodeResult {
  const fields = encodeFields(message);
  if (!Array.isArray(fields)) return fields;
  const datagram = toUtf8.encode(joinFields(fields));
  if (datagram.length > MAX_SENT_BYTES) {
    return { ok: false, reason: 'too-large', bytes: datagram.length, maxBytes: MAX_SENT_BYTES };
  }
  return { ok: true, datagram };
}

/** One `"key": value` of a datagram. */
export type EncodedField = readonly [key: string, json: string];

/** The fields of a message one by one, for those who put datagrams together themselves. */
export function encodeFields(message: Message): EncodedField[] | Extract<EncodeResult, { field: string }> {
  const type = message.message_type;
  const values = message as unknown as Readonly<Record<string, string | number | null | undefined>>;
  const encodedType: EncodedField = ['message_type', JSON.stringify(type)];
  // Queries of deployed clients end with their type, replies begin with it.
  const encoded: EncodedField[] = isQueryType(type) ? [] : [encodedType];
  for (const field of FIELDS[type]) {
    const value = values[field.property] ?? null;
    const presence = presenceOf(type, field);
    if (value === null) {
      if (presence === 'required') return { ok: false, reason: 'wrong-type', field: field.key };
      if (presence !== 'optional') encoded.push([field.key, 'null']);
      continue;
    }
    const checked = field.kind.read(value);
    if (checked instanceof Fault) return { ok: false, reason: checked.reason, field: field.key };
    encoded.push([field.key, field.kind.write(checked)]);
  }
  if (isQueryType(type)) encoded.push(encodedType);
  return encoded;
}

/** Python's separators, as deployed factories and clients send them. */
export function joinFields(fields: readonly EncodedField[]): string {
  return `{${fields.map(([key, json]) => `"${key}": ${json}`).join(', ')}}`;
}

export function isQuery(message: Message): message is Query {
  return isQueryType(message.message_type);
}

export function isStatus(message: Message): message is Status {
  return !isQueryType(message.message_type);
}

function isQueryType(type: MessageType): type is QueryType {
  return Object.hasOwn(STATUS_TYPE_OF, type);
}

function isStatusType(type: string): type is StatusType {
  return Object.values<string>(STATUS_TYPE_OF).includes(type);
}

/** `message_type`, or what an older client's `method` stands for; null if it is neither. */
function messageType(raw: Record<string, unknown>): MessageType | null {
  if (Object.hasOwn(raw, 'message_type')) {
    const type = raw.message_type;
    return typeof type === 'string' && (Object.hasOwn(METHOD_OF, type) || isStatusType(type))
      ? (type as MessageType)
      : null;
  }
  const method = Object.hasOwn(raw, 'method') ? raw.method : undefined;
  const found = Object.entries(METHOD_OF).find(([, name]) => name === method);
  return found === undefined ? null : (found[0] as QueryType);
}

function readFields(raw: Record<string, unknown>, type: MessageType): DecodeResult {
  const message: Record<string, unknown> = { message_type: type };
  for (const field of FIELDS[type]) {
    const { key, property, kind } = field;
    const value = Object.hasOwn(raw, key) ? raw[key] : undefined;
    if (value === undefined) continue;
    if (value === null) {
      if (presenceOf(type, field) === 'required') return { ok: false, reason: 'wrong-type', field: key };
      message[property] ??= null;
      continue;
    }
    const checked = kind.read(value);
    if (checked instanceof Fault) return { ok: false, reason: checked.reason, field: key };
    // Where both spellings came, the newer one counts.
    if (key === property) message[property] = checked;
    else message[property] ??= checked;
  }
  for (const { key, property, presence } of FIELDS[type]) {
    if (key !== property || message[property] !== undefined) continue;
    if (presence === 'required' || presence === 'nullable') return { ok: false, reason: 'missing-field', field: key };
    message[property] = null;
  }
  return { ok: true, message: message as unknown as Message };
}

const PRESENCE: Readonly<Record<string, ReadonlyMap<string, Field['presence']>>> = Object.fromEntries(
  Object.entries(FIELDS).map(([type, fields]) => [
    type,
    new Map(fields.filter(({ key, property }) => key === property).map(({ key, presence }) => [key, presence])),
  ]),
);

/** A second spelling is there whenever the first is, and may be null when that may. */
function presenceOf(type: MessageType, { property }: Field): Field['presence'] {
  return PRESENCE[type]!.get(property)!;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Whether brackets outside strings nest deeper than `max`, found out before anything is built from them. */
function nestsDeeper(bytes: Uint8Array, max: number): boolean {
  // So it is with nearly all messages, and found out without looking at each byte here.
  if (openings(bytes, 0x7b, max) + openings(bytes, 0x5b, max) <= max) return false;
  let depth = 0;
  let inString = false;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index];
    if (inString) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    // { or [
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      if (depth > max) return true;
    }
    // } or ]
    else if (byte === 0x7d || byte === 0x5d) depth -= 1;
  }
  return false;
}

/** How often a byte is there; more than `max` are not counted. */
function openings(bytes: Uint8Array, byte: number, max: number): number {
  let count = 0;
  for (let at = bytes.indexOf(byte); at !== -1 && count <= max; at = bytes.indexOf(byte, at + 1)) count += 1;
  return count;
}
