/**
 * Recorded datagrams, and what the corpus has, mutated in every way that comes to mind, against codec, responder, poll and
 * view. Nothing may throw, grow, or be believed that was not asked for. `npm run fuzz` runs it for long (fuzz-main.ts).
 */

import { decode, encode } from '../../src/vacquery/codec.js';
import type { PollExchange } from '../../src/vacquery/exchange.js';
import { MAX_MACHINES } from '../../src/vacquery/kinds.js';
import type { Message, QueryType } from '../../src/vacquery/messages.js';
import { PeerMemory } from '../../src/vacquery/peer-memory.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { RESPONDER_LIMITS, type Responder } from '../../src/vacquery/responder.js';
import { SpaceView } from '../../src/vacquery/space-view.js';
import { type CorpusEntry, exchangeOf, queryFor, readCorpus, responderOf, wayOf } from './corpus.js';
import { type Mutation, mutations, pick, type Rng } from './mutations.js';
import { RECORDED, RECORDED_NAMES } from './recorded.js';
import { NOW_SECONDS } from './snapshot.js';

export interface FuzzResult {
  readonly datagrams: number;
  readonly decoded: number;
  readonly answered: number;
  readonly accepted: number;
  /** What one datagram took at most: the host's other work is in it. */
  readonly slowestMs: number;
}

/** Datagrams that one poll gets, each in a millisecond of its own. */
const POLL_DATAGRAMS = 2_000;
/** Of seeds that are the corpus's: most of its datagrams are refused early. */
const CORPUS_PART = 0.2;

export class Fuzzer {
  /** Datagrams that ended in a way that the corpus does not have. */
  readonly found: CorpusEntry[] = [];
  readonly #rng: Rng;
  readonly #mutations: readonly [name: string, mutate: Mutation][];
  readonly #corpus: readonly string[];
  readonly #knownWays: Set<string>;
  /** Ways as they look from parts that have seen other datagrams: only a new one is worth a closer look. */
  readonly #seen = new Set<string>();
  readonly #responder: Responder;
  readonly #memory = new PeerMemory();
  readonly #view = new SpaceView({ ownFactory: 'wn09.example.com', expirySeconds: 300 });
  #exchanges: Record<QueryType, PollExchange<QueryType>>;
  #nowMs = 0;
  #answeredBytes = 0;
  #reports = 0;

  /** @param seed the same seed gives the same mutants */
  constructor(seed: number, corpus: readonly CorpusEntry[] = readCorpus()) {
    this.#rng = seededRandom(seed);
    this.#corpus = corpus.map(({ datagram }) => Buffer.from(datagram).toString('utf8'));
    this.#knownWays = new Set(corpus.map(({ way }) => way));
    this.#mutations = mutations((rng) => this.#seedText(rng), this.#rng);
    this.#responder = responderOf(() => {
      this.#reports += 1;
    });
    this.#exchanges = this.#newPolls();
  }

  /** Feeds so many mutants. Throws when one breaks a rule, with the datagram in the message. */
  feed(datagrams: number): FuzzResult {
    const result = { datagrams, decoded: 0, answered: 0, accepted: 0, slowestMs: 0 };
    for (let index = 0; index < datagrams; index += 1) {
      const [name, mutate] = pick(this.#mutations, this.#rng);
      const datagram = mutate(this.#seedText(this.#rng), this.#rng);
      const beganMs = performance.now();
      try {
        this.#feedOne(datagram, result);
        result.slowestMs = Math.max(result.slowestMs, performance.now() - beganMs);
      } catch (error) {
        throw new Error(`${name}: ${(error as Error).message}: ${Buffer.from(datagram).toString('latin1')}`, {
          cause: error,
        });
      }
    }
    this.#checkBounds();
    return result;
  }

  #feedOne(datagram: Uint8Array, result: { decoded: number; answered: number; accepted: number }): void {
    this.#nowMs += 1;
    if (this.#nowMs % POLL_DATAGRAMS === 0) this.#endPolls();
    const decoded = decode(datagram);
    if (decoded.ok) {
      result.decoded += 1;
      checkSentOn(decoded.message);
    }
    const type = decoded.ok ? decoded.message.message_type : null;
    // Mostly to the part that it is for: the other one looks no further than at its kind.
    const isForResponder = type?.endsWith('_query') ?? this.#rng() < 0.5;
    const outcome =
      isForResponder === this.#rng() < 0.9
        ? this.#ask(datagram, decoded.ok, result)
        : this.#reply(datagram, type, result);

    const seen = decoded.ok ? `${type} ${outcome}` : `${decoded.reason} ${decoded.field ?? ''}`;
    if (this.#seen.has(seen)) return;
    this.#seen.add(seen);
    const way = wayOf(datagram);
    if (this.#knownWays.has(way)) return;
    this.#knownWays.add(way);
    this.found.push({ way, datagram });
  }

  #ask(datagram: Uint8Array, isReadable: boolean, result: { answered: number }): string {
    const stranger = this.#responder.answer(datagram, '192.0.2.1', this.#nowMs, NOW_SECONDS);
    check(stranger.length === 0, 'a stranger is answered');
    const replies = this.#responder.answer(datagram, `10.0.${this.#nowMs % 256}.1`, this.#nowMs, NOW_SECONDS);
    for (const reply of replies) this.#answeredBytes += reply.length;
    check(replies.length === 0 || isReadable, 'what cannot be read is answered');
    result.answered += replies.length > 0 ? 1 : 0;
    return replies.length > 0 ? 'answered' : 'refused';
  }

  #reply(datagram: Uint8Array, type: string | null, result: { accepted: number }): string {
    const isStatus = type?.endsWith('_status') ?? false;
    const query = isStatus && this.#rng() < 0.9 ? queryFor(type!) : pick(QUERIES, this.#rng);
    const address = pick(['10.0.0.1', '10.0.0.2', '10.0.0.3'], this.#rng);
    const outcome = this.#exchanges[query].receive(datagram, address, this.#nowMs);
    const isCredible = isStatus && address !== '10.0.0.3';
    check(outcome !== 'accepted' || isCredible, 'what is not to be believed is accepted');
    result.accepted += outcome === 'accepted' ? 1 : 0;
    return outcome;
  }

  #seedText(rng: Rng): string {
    return this.#corpus.length > 0 && rng() < CORPUS_PART
      ? pick(this.#corpus, rng)
      : RECORDED[pick(RECORDED_NAMES, rng)];
  }

  #newPolls(): Record<QueryType, PollExchange<QueryType>> {
    const [machines, machinetypes, factory] = QUERIES.map((query) => exchangeOf(query, this.#memory, this.#nowMs));
    return { machines_query: machines!, machinetypes_query: machinetypes!, factory_query: factory! };
  }

  /** What the polls brought is taken in as a factory takes it in. */
  #endPolls(): void {
    for (const exchange of Object.values(this.#exchanges)) {
      check(exchange.answers()[0]!.statuses.length <= MAX_MACHINES, 'a poll keeps too much');
    }
    const now = { steadyMs: this.#nowMs, unixSeconds: NOW_SECONDS };
    for (const answer of this.#exchanges.machinetypes_query.answers()) this.#view.accept(answer as never, now);
    for (const news of this.#view.news(now)) {
      check(news.factory === 'wn01.example.com', 'news of a factory that was not asked');
      check((news.lastEnd?.timeSeconds ?? 0) <= NOW_SECONDS, 'news of the future');
    }
    this.#view.summaries(now);
    this.#exchanges = this.#newPolls();
  }

  #checkBounds(): void {
    const { totalBytesPerSecond, totalBurstBytes } = RESPONDER_LIMITS;
    const maxBytes = totalBurstBytes + (this.#nowMs / 1000) * totalBytesPerSecond + 100_000;
    check(this.#answeredBytes <= maxBytes, 'more is answered than the limits allow');
    check(this.#reports <= 20 * (1 + this.#nowMs / 600_000), 'too many refusals are reported');
    check(!('polluted' in {}), 'prototypes are polluted');
  }
}

const QUERIES: readonly QueryType[] = ['machines_query', 'machinetypes_query', 'factory_query'];

/** What was read can be written and read again, and is then the same. */
function checkSentOn(message: Message): void {
  const encoded = encode(message);
  check(encoded.ok || encoded.reason === 'too-large', 'what was read cannot be written');
  if (!encoded.ok) return;
  const again = decode(encoded.datagram);
  check(again.ok && sameFields(again.message, message), 'what was read changes when it is sent on');
}

/** Messages are flat: no field is an object. */
function sameFields(a: Message, b: Message): boolean {
  const [one, other] = [a, b] as unknown as Readonly<Record<string, unknown>>[];
  const keys = Object.keys(one!);
  return keys.length === Object.keys(other!).length && keys.every((key) => Object.is(one![key], other![key]));
}

function check(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}
