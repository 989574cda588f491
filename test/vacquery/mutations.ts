/** Ways to make a datagram that no factory would send out of one that a factory did send. */

import { MAX_RECEIVED_BYTES } from '../../src/vacquery/codec.js';
import { bytes } from './recorded.js';
import { NOW_SECONDS } from './snapshot.js';

export type Rng = () => number;

/** The cookie of the recorded datagrams, so that mutated replies get as far as possible. */
export const COOKIE = 'a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6';

export const HOSTILE_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  1e308,
  -0,
  2 ** 53,
  '',
  'x',
  '../../etc/passwd',
  '\u0000',
  '\ud800',
  'é'.repeat(200),
  'x'.repeat(129),
  [],
  {},
  [[[]]],
  { toString: 'x' },
  '__proto__',
  'constructor',
  NOW_SECONDS,
  'Shut down',
  1024,
  65537,
];

export function pick<T>(items: readonly T[], rng: Rng): T {
  return items[Math.floor(rng() * items.length)]!;
}

/** The message as an object; one that is none stays an empty one. */
function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

/** Enough chance for many datagrams: making each byte anew would take longer than reading it. */
function randomPool(rng: Rng): Uint8Array {
  return Uint8Array.from({ length: 65_536 }, () => Math.floor(rng() * 256));
}

export type Mutation = (text: string, rng: Rng) => Uint8Array;

/** @param another any datagram's text, for mutants of two */
export function mutations(another: (rng: Rng) => string, rng: Rng): [name: string, mutate: Mutation][] {
  const pool = randomPool(rng);
  const made: Record<string, Mutation> = {
    asIs: (text) => bytes(text),
    garbage: (_text, chance) => {
      const length = Math.floor(chance() * 1600);
      return pool.slice(Math.floor(chance() * (pool.length - length))).slice(0, length);
    },
    flippedBytes: (text, chance) => {
      const mutated = bytes(text);
      for (let flips = Math.ceil(chance() * 8); flips > 0; flips -= 1) {
        mutated[Math.floor(chance() * mutated.length)] = Math.floor(chance() * 256);
      }
      return mutated;
    },
    truncated: (text, chance) => {
      const whole = bytes(text);
      return whole.slice(0, Math.floor(chance() * whole.length));
    },
    huge: (text, chance) => {
      const over = chance() < 0.05 ? Math.floor(chance() * 64_000) : Math.floor(chance() * 16) - 8;
      return bytes(text.padEnd(MAX_RECEIVED_BYTES + over, ' '));
    },
    deep: (text, chance) => {
      const bracket = pick(['[', '{"a":', '[{"b":'], chance);
      return bytes(text.replace('{', `{"deep": ${bracket.repeat(1 + Math.floor(chance() * 200))}`));
    },
    wrongValues: (text, chance) => {
      const message = parsed(text);
      for (let changes = Math.ceil(chance() * 3); changes > 0; changes -= 1) {
        message[pick(Object.keys(message), chance) ?? 'key'] = pick(HOSTILE_VALUES, chance);
      }
      return bytes(JSON.stringify(message));
    },
    missingKeys: (text, chance) => {
      const message = parsed(text);
      delete message[pick(Object.keys(message), chance)];
      return bytes(JSON.stringify(message));
    },
    mixedKeys: (text, chance) => {
      const [message, other] = [parsed(text), parsed(another(chance))];
      for (const [key, value] of Object.entries(other)) if (chance() < 0.3) message[key] = value;
      return bytes(JSON.stringify(message));
    },
    doubledKeys: (text, chance) => bytes(`${text.slice(0, -1)}, ${another(chance).slice(1)}`),
    pollution: (text) =>
      bytes(text.replace('{', '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, ')),
    otherCookie: (text, chance) =>
      bytes(text.replace(COOKIE, pick(['0', '', COOKIE.toUpperCase(), '~'.repeat(128), '\u0001'.repeat(128)], chance))),
    forgedFactory: (text) => bytes(text.replaceAll('wn01.example.com', 'wn02.example.com')),
    otherSpace: (text) => bytes(text.replace('"vac01.example.com"', '"vac02.example.com"')),
    manyNames: (text, chance) =>
      bytes(
        text
          .replace('"machinetype": "', `"machinetype": "t${Math.floor(chance() * 1e6)}-`)
          .replace('"machine": "', `"machine": "m${Math.floor(chance() * 1e6)}-`),
      ),
    manyCounts: (text, chance) =>
      bytes(text.replace(/"num_machine(types|s)": \d+/, `"num_machine$1": ${Math.floor(chance() * 2000)}`)),
    ours: (text, chance) =>
      bytes(
        text.replace(
          /}$/,
          `, "target_share": ${chance()}, "machinegroup": ${JSON.stringify(pick(HOSTILE_VALUES, chance))}}`,
        ),
      ),
  };
  return Object.entries(made);
}
