/**
 * The space's secret keys, as `space_key_file` holds them: one to a line, the first signs and all are believed, so that a
 * new one can be given to all factories before any of them uses it. `#` begins a comment line; empty lines are skipped.
 */

import { toLetters } from './gossip-hash.js';

/** HMAC-SHA-256: 32 bytes. Given by auth-node.ts, because nothing here may know of Node. */
export type Hmac = (key: Uint8Array, bytes: Uint8Array) => Uint8Array;

export interface SpaceKey {
  /** Says in a datagram which key it is signed with, and tells nothing of the key. */
  readonly id: string;
  readonly secret: Uint8Array;
}

/** What is wrong with a key file; never has anything of a key in it. */
export interface KeyProblem {
  /** From 1; null: the file as a whole. */
  readonly line: number | null;
  readonly message: string;
}

export type KeysResult =
  | { readonly ok: true; readonly keys: readonly SpaceKey[] }
  | { readonly ok: false; readonly problems: readonly KeyProblem[] };

/** 16 random bytes as hexadecimal digits are 32 characters: less can be tried out. */
export const MIN_KEY_CHARACTERS = 32;
export const MAX_KEY_CHARACTERS = 256;
/** A line of dashes, or a word again and again, is no key. */
const MIN_DISTINCT_CHARACTERS = 8;
export const MAX_KEYS = 16;
const KEY_ID_LETTERS = 8;

const toUtf8 = new TextEncoder();

/** Reads the text of a key file. */
export function parseSpaceKeys(text: string, hmac: Hmac): KeysResult {
  const problems: KeyProblem[] = [];
  const keys: SpaceKey[] = [];
  const lines = new Map<string, number>();
  text.split('\n').forEach((raw, index) => {
    const key = raw.trim();
    if (key === '' || key.startsWith('#')) return;
    const line = index + 1;
    const message = problemOf(key) ?? (lines.has(key) ? `the same key as in line ${lines.get(key)}` : null);
    if (message !== null) {
      problems.push({ line, message });
      return;
    }
    lines.set(key, line);
    keys.push(makeKey(key, hmac));
  });
  if (keys.length === 0 && problems.length === 0) {
    problems.push({ line: null, message: `no key in it: put one in a line of its own (${HOW_TO})` });
  }
  if (keys.length > MAX_KEYS) {
    problems.push({
      line: null,
      message: `${keys.length} keys, at most ${MAX_KEYS} are used: remove those that no factory signs with`,
    });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, keys };
}

const HOW_TO = '`openssl rand -hex 32` makes one';

function problemOf(key: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(key)) {
    return 'a key must be one word of printable ASCII characters, alone in its line';
  }
  if (key.length < MIN_KEY_CHARACTERS) {
    return `${key.length} characters, a key needs at least ${MIN_KEY_CHARACTERS} (${HOW_TO})`;
  }
  if (key.length > MAX_KEY_CHARACTERS) return `${key.length} characters, a key may have ${MAX_KEY_CHARACTERS}`;
  if (new Set(key).size < MIN_DISTINCT_CHARACTERS) {
    return `a key needs at least ${MIN_DISTINCT_CHARACTERS} different characters (${HOW_TO})`;
  }
  return null;
}

function makeKey(key: string, hmac: Hmac): SpaceKey {
  const secret = toUtf8.encode(key);
  const digest = hmac(secret, toUtf8.encode('VacQuery key id'));
  let number = 0;
  for (const byte of digest.subarray(0, 6)) number = number * 256 + byte;
  return { id: toLetters(number, KEY_ID_LETTERS), secret };
}
