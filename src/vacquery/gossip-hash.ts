/** Hashes and the letters that gossip packs numbers into. Not for secrets: who may gossip is settled by keys or addresses. */

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const VALUES = new Int8Array(128).fill(-1);
for (let value = 0; value < LETTERS.length; value += 1) VALUES[LETTERS.charCodeAt(value)] = value;

/** Base64url letters, the most significant first: 6 bits each. */
export function toLetters(value: number, letters: number): string {
  let text = '';
  let rest = value;
  for (let index = 0; index < letters; index += 1) {
    text = LETTERS[rest % 64]! + text;
    rest = Math.floor(rest / 64);
  }
  return text;
}

/** The number that `letters` letters from `offset` on stand for; -1 when they are none. */
export function fromLetters(text: string, offset: number, letters: number): number {
  if (offset + letters > text.length) return -1;
  let value = 0;
  for (let index = offset; index < offset + letters; index += 1) {
    const digit = VALUES[text.charCodeAt(index)] ?? -1;
    if (digit < 0) return -1;
    value = value * 64 + digit;
  }
  return value;
}

export const MAX_LETTER_VALUE = 63;

/** MurmurHash3's last step: each bit of the input changes half of the bits of the output. */
export function scramble(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** FNV-1a over the text's UTF-16 units, scrambled; 32 bits. */
export function hashText(text: string, basis = 0x811c9dc5): number {
  let hash = basis;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return scramble(hash);
}

/** One state of one factory's entry as 32 bits. */
export function hashStamp(nameHash: number, incarnation: number, version: number): number {
  const first = scramble(nameHash ^ (incarnation >>> 0) ^ Math.imul(Math.floor(incarnation / 2 ** 32), 0x9e3779b9));
  return scramble(first + Math.imul(version, 0x9e3779b1));
}
