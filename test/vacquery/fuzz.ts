/**
 * `npm run fuzz [-- --seconds N] [--seed N]`: recorded datagrams, mutated in every way that comes to mind, against codec,
 * responder and poll. Nothing may throw, grow, or be believed that was not asked for.
 */

import { isDeepStrictEqual, parseArgs } from 'node:util';
import { decode, encode, MAX_RECEIVED_BYTES } from '../../src/vacquery/codec.js';
import { PollExchange } from '../../src/vacquery/exchange.js';
import { MAX_MACHINETYPES } from '../../src/vacquery/kinds.js';
import { PeerMemory } from '../../src/vacquery/peer-memory.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { RESPONDER_LIMITS, Responder } from '../../src/vacquery/responder.js';
import { bytes, RECORDED, RECORDED_NAMES } from './recorded.js';
import { NOW_SECONDS, SPACE, snapshotOf } from './snapshot.js';

type Rng = () => number;

/** The cookie of the recorded datagrams, so that mutated replies get as far as possible. */
const COOKIE = 'a3bf0238cd50d36f66390b4276d3b3f9b5b218db63489cd2a693215570aa56c6';
const PEER = { factory: 'wn01.example.com', addresses: ['10.0.0.1'], port: 995 };
const VALUES: readonly unknown[] = [
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

function pick<T>(items: readonly T[], rng: Rng): T {
  return items[Math.floor(rng() * items.length)]!;
}

function anyText(rng: Rng): string {
  return RECORDED[pick(RECORDED_NAMES, rng)];
}

const MUTATIONS: Readonly<Record<string, (rng: Rng) => Uint8Array>> = {
  asIs: (rng) => bytes(anyText(rng)),
  garbage: (rng) => Uint8Array.from({ length: Math.floor(rng() * 1600) }, () => Math.floor(rng() * 256)),
  flippedBytes: (rng) => {
    const mutated = bytes(anyText(rng));
    for (let flips = Math.ceil(rng() * 8); flips > 0; flips -= 1) {
      mutated[Math.floor(rng() * mutated.length)] = Math.floor(rng() * 256);
    }
    return mutated;
  },
  truncated: (rng) => {
    const whole = bytes(anyText(rng));
    return whole.slice(0, Math.floor(rng() * whole.length));
  },
  huge: (rng) => bytes(anyText(rng).padEnd(MAX_RECEIVED_BYTES - 5 + Math.floor(rng() * 64_000), ' ')),
  deep: (rng) => {
    const bracket = pick(['[', '{"a":', '[{"b":'], rng);
    return bytes(anyText(rng).replace('{', `{"deep": ${bracket.repeat(1 + Math.floor(rng() * 200))}`));
  },
  wrongValues: (rng) => {
    const message = JSON.parse(anyText(rng)) as Record<string, unknown>;
    for (let changes = Math.ceil(rng() * 3); changes > 0; changes -= 1) {
      message[pick(Object.keys(message), rng)] = pick(VALUES, rng);
    }
    return bytes(JSON.stringify(message));
  },
  missingKeys: (rng) => {
    const message = JSON.parse(anyText(rng)) as Record<string, unknown>;
    delete message[pick(Object.keys(message), rng)];
    return bytes(JSON.stringify(message));
  },
  doubledKeys: (rng) => {
    const [first, second] = [anyText(rng), anyText(rng)];
    return bytes(`${first.slice(0, -1)}, ${second.slice(1)}`);
  },
  pollution: (rng) =>
    bytes(anyText(rng).replace('{', '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, ')),
  replayedCookie: (rng) => bytes(anyText(rng).replace(COOKIE, pick(['0', '', COOKIE.toUpperCase()], rng))),
  forgedFactory: (rng) => bytes(anyText(rng).replaceAll('wn01.example.com', 'wn02.example.com')),
  manyNames: (rng) => bytes(anyText(rng).replace('"machinetype": "', `"machinetype": "t${Math.floor(rng() * 1e6)}-`)),
  manyCounts: (rng) =>
    bytes(anyText(rng).replace(/"num_machine(types|s)": \d+/, `"num_machine$1": ${Math.floor(rng() * 2000)}`)),
};

export interface FuzzResult {
  readonly datagrams: number;
  readonly decoded: number;
  readonly answered: number;
  readonly accepted: number;
}

function check(condition: boolean, what: string, datagram: Uint8Array): void {
  if (!condition) throw new Error(`${what}: ${JSON.stringify(Buffer.from(datagram).toString('latin1'))}`);
}

/**
 * Feeds `datagrams` mutants. Throws when one breaks a rule, with the datagram in the message.
 *
 * @param seed the same seed gives the same mutants
 */
export function fuzz(seed: number, datagrams: number): FuzzResult {
  const rng = seededRandom(seed);
  const reported: unknown[] = [];
  const responder = new Responder({
    mayAsk: (address) => address.startsWith('10.'),
    onRefusal: (refusal) => reported.push(refusal),
    onProblem: (problem) => {
      throw new Error(JSON.stringify(problem));
    },
  });
  responder.setSnapshot(snapshotOf('wn09.example.com', 16, 10));
  const exchange = new PollExchange(
    {
      query: 'machinetypes_query',
      space: SPACE,
      vacVersion: 'Vac 0.1.0 fuzz',
      peers: [PEER],
      cookieOf: () => COOKIE,
      timeoutMs: 10_000,
      rng,
      memory: new PeerMemory(),
    },
    0,
  );
  exchange.due(0);
  const result = { datagrams, decoded: 0, answered: 0, accepted: 0 };
  let answeredBytes = 0;
  for (let index = 0; index < datagrams; index += 1) {
    const [name, mutate] = pick(Object.entries(MUTATIONS), rng);
    const datagram = mutate(rng);
    const decoded = decode(datagram);
    if (decoded.ok) {
      result.decoded += 1;
      const encoded = encode(decoded.message);
      check(encoded.ok || encoded.reason === 'too-large', `${name} decodes to what cannot be encoded`, datagram);
      if (encoded.ok) {
        const again = decode(encoded.datagram);
        check(
          again.ok && isDeepStrictEqual(again.message, decoded.message),
          `${name} changes when it is sent on`,
          datagram,
        );
      }
    }
    const stranger = responder.answer(datagram, '192.0.2.1', index, NOW_SECONDS);
    check(stranger.length === 0, `${name} of a stranger is answered`, datagram);
    const replies = responder.answer(datagram, `10.0.${index % 256}.1`, index, NOW_SECONDS);
    result.answered += replies.length > 0 ? 1 : 0;
    for (const reply of replies) answeredBytes += reply.length;
    const outcome = exchange.receive(datagram, pick(['10.0.0.1', '10.0.0.2'], rng), index);
    result.accepted += outcome === 'accepted' ? 1 : 0;
    if (outcome === 'accepted') check(decoded.ok, `${name} is accepted and not valid`, datagram);
  }
  const nothing = new Uint8Array(0);
  const { totalBytesPerSecond, totalBurstBytes } = RESPONDER_LIMITS;
  const maxBytes = totalBurstBytes + (datagrams / 1000) * totalBytesPerSecond + 100_000;
  check(answeredBytes <= maxBytes, 'more is answered than the limits allow', nothing);
  check(exchange.answers()[0]!.statuses.length <= MAX_MACHINETYPES, 'the poll keeps too much', nothing);
  check(reported.length <= 20 * (1 + datagrams / 600_000), 'too many refusals are reported', nothing);
  check(!('polluted' in {}), 'prototypes are polluted', nothing);
  return result;
}

if (process.argv[1]?.endsWith('fuzz.ts')) {
  const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
  const endMs = Date.now() + Number(values.seconds ?? 60) * 1000;
  let seed = Number(values.seed ?? Date.now() % 1_000_000);
  for (let total = 0; Date.now() < endMs; seed += 1) {
    process.stdout.write(`seed ${seed}: `);
    const { datagrams, decoded, answered, accepted } = fuzz(seed, 20_000);
    total += datagrams;
    process.stdout.write(`${decoded} decoded, ${answered} answered, ${accepted} accepted; ${total} datagrams in all\n`);
  }
}
