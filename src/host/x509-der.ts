/**
 * The little of ASN.1's DER (X.690) that X.509 proxies need: their parts are written, and the parts of a certificate that
 * OpenSSL has already read and found whole are looked up. Nothing else is parsed here, and nothing is encrypted or signed.
 */

/** Tags of the types that certificates are made of. */
export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Tag of the optional part with this number. */
export function contextTag(number: number): number {
  return 0xa0 + number;
}

/** One value: its tag, its length, and its content, which is the parts one after the other. */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthBytes(content.length)]), content]);
}

export function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(TAG.sequence, ...parts);
}

/** A number of 0 or above, from its bytes, the highest first. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const shortest = first === -1 ? Buffer.from([0]) : Buffer.from(bytes.subarray(first));
  // The highest bit is the sign.
  return der(TAG.integer, shortest[0]! >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0), shortest);
}

export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number);
  return der(TAG.objectIdentifier, Buffer.from([first * 40 + second, ...others.flatMap(base128)]));
}

/** `unusedBits`: how many of the last byte's low bits are none of it. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return der(TAG.bitString, Buffer.from([unusedBits]), bytes);
}

/** A moment as certificates have it: years from 2050 on have four digits (RFC 5280 4.1.2.5). */
export function time(timeSeconds: number): Buffer {
  const digits = `${new Date(timeSeconds * 1000).toISOString().slice(0, 19).replace(/\D/g, '')}Z`;
  return digits < '2050'
    ? der(TAG.utcTime, Buffer.from(digits.slice(2), 'latin1'))
    : der(TAG.generalizedTime, Buffer.from(digits, 'latin1'));
}

export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  /** With tag and length. */
  readonly whole: Buffer;
}

/** The values that `bytes` is a row of. @throws RangeError when it is none */
export function elements(bytes: Buffer): DerElement[] {
  const found: DerElement[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes.readUInt8(at);
    const first = bytes.readUInt8(at + 1);
    const lengthSize = first < 0x80 ? 0 : first & 0x7f;
    if (first === 0x80) throw new RangeError('a value without a length is no DER');
    const from = at + 2 + lengthSize;
    const to = from + (lengthSize === 0 ? first : bytes.readUIntBE(at + 2, lengthSize));
    if (to > bytes.length) throw new RangeError('a DER value is longer than what it is in');
    found.push({ tag, content: bytes.subarray(from, to), whole: bytes.subarray(at, to) });
    at = to;
  }
  return found;
}

function lengthBytes(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [0x80 + bytes.length, ...bytes];
}

/** Seven bits a byte, the highest first; all but the last byte have their highest bit set. */
function base128(number: number): number[] {
  const bytes = [number % 128];
  for (let left = Math.floor(number / 128); left > 0; left = Math.floor(left / 128)) bytes.unshift((left % 128) + 128);
  return bytes;
}
