/**
 * Signatures under datagrams of any kind, gossip as well as 01.03 queries and replies: HMAC-SHA-256 by a key that the
 * factories of a space share (auth-keys.ts). A signature is one more key at the end of the JSON object, which those who do
 * not know it ignore:
 *
 *     {…all that was there…, "auth": "<key id><time><nonce><mac>"}
 *
 * The mac is over all bytes before it, and over the name of the one whom the datagram is for: it cannot be altered, sent
 * to another, or, by time and nonce, sent twice. Lengths are fixed, so it is found without reading the JSON.
 */

import type { Hmac, SpaceKey } from './auth-keys.js';
import { ReplayMemory } from './auth-replay.js';
import { fromLetters, toLetters } from './gossip-hash.js';

/**
 * `mixed`: signs, and believes what is not signed at all, while a key is being given out; `required`: believes nothing
 * that is not signed. Without keys there is no authenticator.
 */
export type AuthMode = 'mixed' | 'required';

export interface AuthOptions {
  readonly mode: AuthMode;
  /** The first signs, all are believed. */
  readonly keys: readonly SpaceKey[];
  readonly hmac: Hmac;
  /** This factory's FQDN: what was signed for others is not believed. */
  readonly audience: string;
  /** Unix seconds now. */
  readonly unixSeconds: number;
  /** Uniform in [0, 1). */
  readonly rng: () => number;
  /** Clocks may differ by so much, a datagram's way included. */
  readonly windowSeconds?: number;
}

export type AuthRefusal = 'unsigned' | 'unknown-key' | 'bad-signature' | 'clock-skew' | 'replayed';

export type AuthVerdict =
  | { readonly ok: true; readonly isSigned: boolean }
  | {
      readonly ok: false;
      readonly reason: AuthRefusal;
      /** The signer's clock less ours, where the signature itself is right; else null. */
      readonly skewSeconds: number | null;
    };

/** What signs and checks: an `Authenticator`, or what stands for the one of the moment. */
export type Signer = Pick<Authenticator, 'sign' | 'check'>;

export const AUTH_WINDOW_SECONDS = 60;

const BEGINNING = ', "auth": "';
const END = '"}';
const KEY_LETTERS = 8;
/** Unix milliseconds. */
const TIME_LETTERS = 8;
const NONCE_LETTERS = 11;
/** 128 bits of the 256: more than anybody can try (RFC 2104, section 5). */
const MAC_BYTES = 16;
const MAC_LETTERS = 22;
const SIGNATURE_BYTES = BEGINNING.length + KEY_LETTERS + TIME_LETTERS + NONCE_LETTERS + MAC_LETTERS + END.length;

/** How much longer a datagram gets: its own last bracket is part of the end. */
export const AUTH_BYTES = SIGNATURE_BYTES - 1;

const toUtf8 = new TextEncoder();
const PURPOSE = 'VacQuery auth 1';

export class Authenticator {
  readonly mode: AuthMode;
  readonly #options: AuthOptions;
  readonly #windowMs: number;
  readonly #replays: ReplayMemory;
  readonly #keysById: ReadonlyMap<string, SpaceKey>;
  /** Of this process, so that nonces are its own; then a number for each datagram. */
  readonly #noncePrefix: string;
  #signed = 0;

  constructor(options: AuthOptions) {
    if (options.keys.length === 0) throw new Error('an authenticator needs a key');
    this.mode = options.mode;
    this.#options = options;
    this.#windowMs = (options.windowSeconds ?? AUTH_WINDOW_SECONDS) * 1000;
    this.#replays = new ReplayMemory(this.#windowMs, options.unixSeconds * 1000);
    this.#keysById = new Map(options.keys.map((key) => [key.id, key]));
    this.#noncePrefix = toLetters(Math.floor(options.rng() * 2 ** 36), 6);
  }

  /**
   * The datagram with a signature.
   *
   * @param datagram one JSON object with at least one key, as `encode` writes it
   * @param audience FQDN of the factory that it is for; '' for an answer, which the asker's cookie binds to its question
   */
  sign(datagram: Uint8Array, audience: string, unixSeconds: number): Uint8Array {
    const [key] = this.#options.keys;
    this.#signed += 1;
    const time = toLetters(Math.floor(unixSeconds * 1000), TIME_LETTERS);
    const nonce = `${this.#noncePrefix}${toLetters(this.#signed, NONCE_LETTERS - 6)}`;
    const head = toUtf8.encode(`${BEGINNING}${key!.id}${time}${nonce}`);
    const signed = new Uint8Array(datagram.length + AUTH_BYTES);
    signed.set(datagram.subarray(0, -1));
    signed.set(head, datagram.length - 1);
    const macAt = datagram.length - 1 + head.length;
    signed.set(toUtf8.encode(this.#mac(key!, signed.subarray(0, macAt), audience) + END), macAt);
    return signed;
  }

  /**
   * Whether a datagram is to be looked at. One that is signed wrongly never is, in no mode.
   *
   * @param sender who it is said to be from (by its address): replays are looked for among the same sender's
   * @param isAnswer it answers a question of ours, and has to have the question's cookie
   */
  check(datagram: Uint8Array, sender: string, unixSeconds: number, isAnswer = false): AuthVerdict {
    const signature = readSignature(datagram);
    if (signature === null) {
      return this.mode === 'required' ? refused('unsigned') : { ok: true, isSigned: false };
    }
    const key = this.#keysById.get(signature.keyId);
    if (key === undefined) return refused('unknown-key');
    const audience = isAnswer ? '' : this.#options.audience;
    const mac = this.#mac(key, datagram.subarray(0, signature.macAt), audience);
    if (!isEqual(mac, signature.mac)) return refused('bad-signature');
    const nowMs = unixSeconds * 1000;
    const skewMs = signature.timeMs - nowMs;
    const skewSeconds = Math.round(skewMs / 1000);
    if (Math.abs(skewMs) > this.#windowMs) return refused('clock-skew', skewSeconds);
    if (!this.#replays.take(sender, signature.nonce, signature.timeMs, nowMs)) return refused('replayed', skewSeconds);
    return { ok: true, isSigned: true };
  }

  #mac({ secret }: SpaceKey, bytes: Uint8Array, audience: string): string {
    const context = toUtf8.encode(`${PURPOSE}\0${audience.toLowerCase()}\0`);
    const whole = new Uint8Array(context.length + bytes.length);
    whole.set(context);
    whole.set(bytes, context.length);
    return macLetters(this.#options.hmac(secret, whole));
  }
}

function refused(reason: AuthRefusal, skewSeconds: number | null = null): AuthVerdict {
  return { ok: false, reason, skewSeconds };
}

interface Signature {
  readonly keyId: string;
  readonly timeMs: number;
  readonly nonce: string;
  readonly mac: string;
  readonly macAt: number;
}

/** The signature at a datagram's end; null: it has none. */
function readSignature(datagram: Uint8Array): Signature | null {
  const start = datagram.length - SIGNATURE_BYTES;
  if (start < 0) return null;
  const text = String.fromCharCode(...datagram.subarray(start));
  if (!text.startsWith(BEGINNING) || !text.endsWith(END)) return null;
  const timeAt = BEGINNING.length + KEY_LETTERS;
  const nonceAt = timeAt + TIME_LETTERS;
  const macAt = nonceAt + NONCE_LETTERS;
  return {
    keyId: text.slice(BEGINNING.length, timeAt),
    timeMs: fromLetters(text, timeAt, TIME_LETTERS),
    nonce: text.slice(nonceAt, macAt),
    mac: text.slice(macAt, macAt + MAC_LETTERS),
    macAt: start + macAt,
  };
}

function macLetters(digest: Uint8Array): string {
  let letters = '';
  // 15 bytes are 20 letters; the last byte has two of its own.
  for (let at = 0; at < MAC_BYTES - 1; at += 3) {
    letters += toLetters(digest[at]! * 65_536 + digest[at + 1]! * 256 + digest[at + 2]!, 4);
  }
  return letters + toLetters(digest[MAC_BYTES - 1]!, 2);
}

/** Takes as long for texts of one length whether they differ or not. */
function isEqual(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let index = 0; index < one.length; index += 1) {
    difference |= one.charCodeAt(index) ^ (other.charCodeAt(index) || 0);
  }
  return difference === 0;
}
