/**
 * `npx tsx test/vacquery/gossip-fuzz.ts [--seconds N] [--seed N]`: gossip datagrams, mutated in every way that comes to
 * mind, against a factory that gossips, with and without signatures. Nothing may throw, grow, or be believed of others
 * than they say.
 */

import { parseArgs } from 'node:util';
import { Authenticator } from '../../src/vacquery/auth.js';
import { parseSpaceKeys } from '../../src/vacquery/auth-keys.js';
import { nodeHmac } from '../../src/vacquery/auth-node.js';
import { MAX_RECEIVED_BYTES, MAX_SENT_BYTES } from '../../src/vacquery/codec.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { decodeGossip } from '../../src/vacquery/wire02-decode.js';
import { encodeGossip } from '../../src/vacquery/wire02-encode.js';
import { addressOf, GossipSpace, LOSSY, nameOf, running } from './gossip-space.js';
import { NOW_SECONDS } from './snapshot.js';

type Rng = () => number;

const FACTORIES = 12;
const ELSEWHERE = ['192.0.2.1', addressOf(1), addressOf(5)];
const KEY = '0123456789abcdef0123456789abcdef';
const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  2 ** 30,
  2 ** 36,
  2 ** 53,
  '',
  'x',
  '../../etc/passwd',
  '\u0000',
  '\ud800',
  'é'.repeat(200),
  'A'.repeat(400),
  [],
  {},
  [[[]]],
  [0, 0, -1, 1, 1],
  '__proto__',
  NOW_SECONDS,
  'lhcb',
  63,
  20,
];

function pick<T>(items: readonly T[], rng: Rng): T {
  return items[Math.floor(rng() * items.length)]!;
}

/** A value somewhere inside replaced by another. */
function spoil(value: unknown, rng: Rng): unknown {
  if (Array.isArray(value) && value.length > 0 && rng() < 0.9) {
    const copy = [...value];
    const at = Math.floor(rng() * copy.length);
    copy[at] = spoil(copy[at], rng);
    return copy;
  }
  if (typeof value === 'number' && rng() < 0.5) return value + pick([1, -1, 0.5, 1_000, -1_000], rng);
  if (typeof value === 'string' && value.length > 0 && rng() < 0.5) {
    const at = Math.floor(rng() * value.length);
    return value.slice(0, at) + pick(['A', '_', '*', 'é', ''], rng) + value.slice(at + 1);
  }
  return pick(VALUES, rng);
}

const MUTATIONS: Readonly<Record<string, (text: string, rng: Rng) => string>> = {
  asIs: (text) => text,
  values: (text, rng) => {
    const message = JSON.parse(text) as Record<string, unknown>;
    for (let changes = Math.ceil(rng() * 3); changes > 0; changes -= 1) {
      const key = pick(Object.keys(message).slice(1), rng);
      message[key] = spoil(message[key], rng);
    }
    return JSON.stringify(message).replace('"message_type":"gossip",', '"message_type": "gossip", ');
  },
  missingKeys: (text, rng) => {
    const message = JSON.parse(text) as Record<string, unknown>;
    delete message[pick(Object.keys(message).slice(1), rng)];
    return JSON.stringify(message).replace('"message_type":"gossip",', '"message_type": "gossip", ');
  },
  bytes: (text, rng) => {
    const letters = [...text];
    for (let flips = Math.ceil(rng() * 6); flips > 0; flips -= 1) {
      letters[Math.floor(26 + rng() * (letters.length - 26))] = String.fromCharCode(Math.floor(rng() * 128));
    }
    return letters.join('');
  },
  truncated: (text, rng) => text.slice(0, Math.floor(rng() * text.length)),
  huge: (text, rng) => text.padEnd(MAX_RECEIVED_BYTES - 5 + Math.floor(rng() * 64_000), ' '),
  deep: (text, rng) => text.replace('"space"', `"deep": ${'['.repeat(Math.ceil(rng() * 1_000))}, "space"`),
  pollution: (text) => text.replace('"space"', '"__proto__": {"polluted": 1}, "constructor": {"a": 1}, "space"'),
  otherFactory: (text, rng) =>
    text.replaceAll(/wn\d{3}\.example/g, () => `${nameOf(Math.floor(rng() * FACTORIES)).slice(0, 5)}.example`),
  newMachinetypes: (text, rng) => text.replaceAll(/"(lhcb|atlas)"/g, () => `"t${Math.floor(rng() * 1e6)}"`),
  futures: (text, rng) =>
    text.replaceAll(
      /("[\w-]{8})[\w-]{6}"/g,
      (_, id: string) => `${id}${pick(['AAAAAA', 'BpZZZZ', '______', 'BlUxKA'], rng)}"`,
    ),
  versions: (text, rng) =>
    text.replaceAll(
      /(\["[\w-]{14}"),\d+,\d+/g,
      (_, head: string) => `${head},${Math.floor(rng() * 2 ** 30)},${1 + Math.floor(rng() * 9)}`,
    ),
};

export interface GossipFuzzResult {
  readonly datagrams: number;
  readonly accepted: number;
  readonly changes: number;
}

function check(condition: boolean, what: string, datagram: Uint8Array): void {
  if (!condition) throw new Error(`${what}: ${JSON.stringify(Buffer.from(datagram).toString('latin1'))}`);
}

/** Some minutes of a space's datagrams, as text. */
function recorded(seed: number): string[] {
  const texts: string[] = [];
  const space = new GossipSpace({
    factories: FACTORIES,
    seed,
    faults: LOSSY,
    onSent: (datagram) => texts.push(new TextDecoder().decode(datagram)),
  });
  for (let round = 0; round < 8; round += 1) {
    for (let index = 0; index < FACTORIES; index += 1) {
      const lastEnd = { timeSeconds: NOW_SECONDS + round, message: '300 No work', hostname: 'wn001-01.example.com' };
      space.announce(index, running('lhcb', round, lastEnd), running('atlas', index));
    }
    space.run(5);
  }
  return texts;
}

/**
 * Feeds `datagrams` mutants to one factory of a space. Throws when one breaks a rule, with the datagram in the message.
 *
 * @param seed the same seed gives the same mutants
 */
export function fuzzGossip(seed: number, datagrams: number, isSigned: boolean): GossipFuzzResult {
  const rng = seededRandom(seed);
  const texts = recorded(seed);
  const keys = parseSpaceKeys(KEY, nodeHmac);
  if (!keys.ok) throw new Error('no key');
  const authenticator = (audience: string, unixSeconds: number) =>
    new Authenticator({ mode: 'required', keys: keys.keys, hmac: nodeHmac, audience, unixSeconds, rng });
  let answered = 0;
  const space = new GossipSpace({
    factories: FACTORIES,
    seed,
    absent: Array.from({ length: FACTORIES - 1 }, (_, index) => index + 1),
    ...(isSigned ? { authenticator: (_, unixSeconds) => authenticator(nameOf(0), unixSeconds) } : {}),
    onSent: (datagram) => {
      answered += datagram.length;
      check(datagram.length <= MAX_SENT_BYTES, 'too large a datagram is sent', datagram);
    },
  });
  space.announce(0, running('lhcb', 1));
  const signer = authenticator('signer.example.com', NOW_SECONDS);
  const gossip = space.gossip(0);
  const result = { datagrams, accepted: 0, changes: 0 };
  const startMs = space.clock.nowMs();
  for (let index = 0; index < datagrams; index += 1) {
    const [name, mutate] = pick(Object.entries(MUTATIONS), rng);
    const text = mutate(pick(texts, rng), rng);
    const claimed = /"factory": ?"wn(\d{3})\./.exec(text);
    const from = rng() < 0.9 && claimed !== null ? addressOf(Number(claimed[1])) : pick(ELSEWHERE, rng);
    let datagram: Uint8Array = new TextEncoder().encode(text);
    // What is signed by who has a key is looked at in full, and may be as wrong as any other.
    const skipsSignature = isSigned && (rng() < 0.2 || datagram.length === 0);
    if (isSigned && !skipsSignature) datagram = signer.sign(datagram, nameOf(0), space.now().unixSeconds);
    const outcome = space.deliver(0, datagram, from);
    if (skipsSignature) check(outcome !== 'accepted', `${name} without a signature is accepted`, datagram);
    if (outcome === 'accepted') {
      result.accepted += 1;
      const decoded = decodeGossip(datagram, gossip.roster);
      check(decoded.ok, `${name} is accepted and not valid`, datagram);
      if (decoded.ok) {
        const again = decodeGossip(encodeGossip(decoded.message, gossip.roster), gossip.roster);
        check(
          again.ok && JSON.stringify(again.message) === JSON.stringify(decoded.message),
          `${name} changes when it is sent on`,
          datagram,
        );
      }
    }
    if (index % 50 === 0) space.run(0.1);
  }
  result.changes = gossip.counts.changes;
  const nothing = new Uint8Array(0);
  const seconds = (space.clock.nowMs() - startMs) / 1000;
  check(answered <= 2 * (256_000 + seconds * 16_000) + 20_000, 'more is sent than the limits allow', nothing);
  check(gossip.news(space.now()).length <= FACTORIES * 256, 'too much is kept', nothing);
  check(gossip.totals(space.now()).length <= FACTORIES * 256, 'too many sums are kept', nothing);
  check(
    gossip.stampOf(nameOf(0))!.incarnation <= NOW_SECONDS + 90_000,
    'the own name is driven into the future',
    nothing,
  );
  check(!('polluted' in {}), 'prototypes are polluted', nothing);
  return result;
}

if (process.argv[1]?.endsWith('gossip-fuzz.ts')) {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
  const endMs = Date.now() + Number(values.seconds ?? 60) * 1000;
  let seed = Number(values.seed ?? Date.now() % 1_000_000);
  for (let total = 0; Date.now() < endMs; seed += 1) {
    process.stdout.write(`gossip, seed ${seed}: `);
    const { datagrams, accepted, changes } = fuzzGossip(seed, 20_000, seed % 2 === 0);
    total += datagrams;
    process.stdout.write(`${accepted} accepted, ${changes} changes; ${total} datagrams in all\n`);
  }
}
