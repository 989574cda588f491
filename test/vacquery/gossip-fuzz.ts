/**
 * Gossip datagrams, mutated in every way that comes to mind, against a factory that gossips, with and without signatures.
 * Nothing may throw, grow, or be believed of others than they say; nothing altered or sent twice is taken where it is
 * signed. `npm run fuzz` runs it for long (fuzz-main.ts).
 */

import { Authenticator } from '../../src/vacquery/auth.js';
import { parseSpaceKeys } from '../../src/vacquery/auth-keys.js';
import { nodeHmac } from '../../src/vacquery/auth-node.js';
import { MAX_RECEIVED_BYTES, MAX_SENT_BYTES } from '../../src/vacquery/codec.js';
import { GOSSIP_LIMITS } from '../../src/vacquery/gossip-limits.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { decodeGossip } from '../../src/vacquery/wire02-decode.js';
import { encodeGossip, looksLikeGossip } from '../../src/vacquery/wire02-encode.js';
import { type CorpusEntry, readCorpus } from './corpus.js';
import { addressOf, GossipSpace, LOSSY, nameOf, running } from './gossip-space.js';
import { gossipWayOf } from './gossip-way.js';
import { HOSTILE_VALUES } from './mutations.js';
import { NOW_SECONDS } from './snapshot.js';

type Rng = () => number;

const FACTORIES = 12;
const ELSEWHERE = ['192.0.2.1', addressOf(1), addressOf(5)];
const KEY = '0123456789abcdef0123456789abcdef';
const VALUES: readonly unknown[] = [
  ...HOSTILE_VALUES,
  2 ** 30,
  2 ** 36,
  'A'.repeat(400),
  [0, 0, -1, 1, 1],
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

/** A space that has been fed so much is replaced by a new one: what its factories have been told is all lies by then. */
const SPACE_DATAGRAMS = 20_000;
/** Of what is sent signed: altered on its way, sent twice, or not signed at all. */
const ALTERED_PART = 0.15;
const REPLAYED_PART = 0.05;
const UNSIGNED_PART = 0.1;
/** Of what is believed, written and read again, which takes longer than all else. */
const SENT_ON_PART = 0.25;

function check(condition: boolean, what: string, datagram: Uint8Array = new Uint8Array(0)): void {
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

export interface GossipFuzzResult {
  readonly datagrams: number;
  readonly accepted: number;
  readonly changes: number;
  readonly slowestMs: number;
}

export class GossipFuzzer {
  /** Datagrams that ended in a way that the corpus does not have. */
  readonly found: CorpusEntry[] = [];
  readonly #rng: Rng;
  readonly #texts: readonly string[];
  readonly #knownWays: Set<string>;
  readonly #keys;
  #space!: GossipSpace;
  #signer!: Authenticator;
  #fed = 0;
  #answeredBytes = 0;
  #startMs = 0;
  #taken: Uint8Array | null = null;

  /** @param seed the same seed gives the same mutants */
  constructor(
    readonly seed: number,
    readonly isSigned: boolean,
    corpus: readonly CorpusEntry[] = readCorpus(),
  ) {
    this.#rng = seededRandom(seed);
    const kept = corpus.filter(({ way }) => way.startsWith('gossip '));
    const keptTexts = kept.map(({ datagram }) => Buffer.from(datagram).toString('utf8')).filter(isJsonObject);
    this.#texts = [...recorded(seed), ...keptTexts];
    this.#knownWays = new Set(kept.map(({ way }) => way));
    const keys = parseSpaceKeys(KEY, nodeHmac);
    if (!keys.ok) throw new Error('no key');
    this.#keys = keys.keys;
    this.#renew();
  }

  /** Feeds so many mutants. Throws when one breaks a rule, with the datagram in the message. */
  feed(datagrams: number): GossipFuzzResult {
    const result = { datagrams, accepted: 0, changes: 0, slowestMs: 0 };
    for (let index = 0; index < datagrams; index += 1) {
      if (this.#fed === SPACE_DATAGRAMS) this.#renew();
      this.#fed += 1;
      const before = this.#space.gossip(0).counts.changes;
      this.#feedOne(result);
      result.changes += this.#space.gossip(0).counts.changes - before;
      if (this.#fed % 50 === 0) this.#space.run(0.1);
    }
    this.#checkBounds();
    return result;
  }

  #feedOne(result: { accepted: number; slowestMs: number }): void {
    const [name, mutate] = pick(MUTATION_LIST, this.#rng);
    const text = mutate(pick(this.#texts, this.#rng), this.#rng);
    const claimed = /"factory": ?"wn(\d{3})\./.exec(text);
    const from = this.#rng() < 0.9 && claimed !== null ? addressOf(Number(claimed[1])) : pick(ELSEWHERE, this.#rng);
    const plain = new TextEncoder().encode(text);
    const { datagram, mayBeTaken } = this.isSigned ? this.#signed(plain) : { datagram: plain, mayBeTaken: true };
    const beganMs = performance.now();
    const outcome = this.#space.deliver(0, datagram, from);
    result.slowestMs = Math.max(result.slowestMs, performance.now() - beganMs);
    check(mayBeTaken || outcome !== 'accepted', `${name} is accepted, and not rightly signed`, datagram);
    this.#keepWay(plain);
    if (outcome !== 'accepted') return;
    result.accepted += 1;
    this.#taken = datagram;
    if (this.#rng() > SENT_ON_PART) return;
    const { roster } = this.#space.gossip(0);
    const decoded = decodeGossip(datagram, roster);
    check(decoded.ok, `${name} is accepted and not valid`, datagram);
    if (!decoded.ok) return;
    const again = decodeGossip(encodeGossip(decoded.message, roster), roster);
    const isSame = again.ok && JSON.stringify(again.message) === JSON.stringify(decoded.message);
    check(isSame, `${name} changes when it is sent on`, datagram);
  }

  /** What is signed by who has a key is looked at in full, and may be as wrong as any other. */
  #signed(plain: Uint8Array): { datagram: Uint8Array; mayBeTaken: boolean } {
    const chance = this.#rng();
    if (plain.length === 0 || chance < UNSIGNED_PART) return { datagram: plain, mayBeTaken: false };
    if (chance < UNSIGNED_PART + REPLAYED_PART && this.#taken !== null) {
      return { datagram: this.#taken, mayBeTaken: false };
    }
    const datagram = this.#signer.sign(plain, nameOf(0), this.#space.now().unixSeconds);
    if (chance > UNSIGNED_PART + REPLAYED_PART + ALTERED_PART) return { datagram, mayBeTaken: true };
    const at = Math.floor(this.#rng() * datagram.length);
    datagram[at] = datagram[at]! ^ (1 + Math.floor(this.#rng() * 255));
    return { datagram, mayBeTaken: false };
  }

  #keepWay(datagram: Uint8Array): void {
    // A closer look at a few is enough: there are not many ways.
    if (this.#rng() > 0.01 || !looksLikeGossip(datagram)) return;
    const way = gossipWayOf(datagram);
    if (this.#knownWays.has(way)) return;
    this.#knownWays.add(way);
    this.found.push({ way, datagram });
  }

  #renew(): void {
    const signer = (audience: string, unixSeconds: number) =>
      new Authenticator({ mode: 'required', keys: this.#keys, hmac: nodeHmac, audience, unixSeconds, rng: this.#rng });
    this.#fed = 0;
    this.#answeredBytes = 0;
    this.#taken = null;
    this.#space = new GossipSpace({
      factories: FACTORIES,
      seed: Math.floor(this.#rng() * 2 ** 31),
      absent: Array.from({ length: FACTORIES - 1 }, (_, index) => index + 1),
      ...(this.isSigned ? { authenticator: (_, unixSeconds) => signer(nameOf(0), unixSeconds) } : {}),
      onSent: (datagram) => {
        this.#answeredBytes += datagram.length;
        check(datagram.length <= MAX_SENT_BYTES, 'too large a datagram is sent', datagram);
      },
    });
    this.#space.announce(0, running('lhcb', 1));
    this.#signer = signer('signer.example.com', NOW_SECONDS);
    this.#startMs = this.#space.clock.nowMs();
  }

  #checkBounds(): void {
    const gossip = this.#space.gossip(0);
    const now = this.#space.now();
    const { burstBytes, bytesPerSecond } = GOSSIP_LIMITS;
    const seconds = (this.#space.clock.nowMs() - this.#startMs) / 1000;
    const maxBytes = 2 * (burstBytes + seconds * bytesPerSecond) + 20_000;
    check(this.#answeredBytes <= maxBytes, 'more is sent than the limits allow');
    check(gossip.news(now).length <= FACTORIES * 256, 'too much is kept');
    check(gossip.totals(now).length <= FACTORIES * 256, 'too many sums are kept');
    const { incarnation } = gossip.stampOf(nameOf(0))!;
    check(incarnation <= NOW_SECONDS + 90_000, 'the own name is driven into the future');
    check(!('polluted' in {}), 'prototypes are polluted');
  }
}

const MUTATION_LIST = Object.entries(MUTATIONS);

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
