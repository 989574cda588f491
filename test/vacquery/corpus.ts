/**
 * The fuzzer's memory: for each way in which a datagram can end (read as what, refused for what), one that does. Kept as
 * text in `corpus/`, a file for each first word of the way, a line for each datagram: the way, a tab, and the datagram's
 * bytes as a JSON string of characters 0 to 255.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode, isQuery, isStatus } from '../../src/vacquery/codec.js';
import { PollExchange } from '../../src/vacquery/exchange.js';
import { type QueryType, STATUS_TYPE_OF } from '../../src/vacquery/messages.js';
import { PeerMemory } from '../../src/vacquery/peer-memory.js';
import { Responder } from '../../src/vacquery/responder.js';
import { looksLikeGossip } from '../../src/vacquery/wire02-encode.js';
import { gossipWayOf } from './gossip-way.js';
import { COOKIE } from './mutations.js';
import { NOW_SECONDS, SPACE, snapshotOf } from './snapshot.js';

const DIRECTORY = join(import.meta.dirname, 'corpus');

export const PEER = { factory: 'wn01.example.com', addresses: ['10.0.0.1', '10.0.0.2'], port: 995 };

export interface CorpusEntry {
  readonly way: string;
  readonly datagram: Uint8Array;
}

export function readCorpus(): CorpusEntry[] {
  const files = readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt'));
  return files.sort().flatMap((name) =>
    readFileSync(join(DIRECTORY, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [way = '', text = ''] = line.split('\t');
        return { way, datagram: new Uint8Array(Buffer.from(JSON.parse(text) as string, 'latin1')) };
      }),
  );
}

export function writeCorpus(entries: readonly CorpusEntry[]): void {
  const files = new Map<string, string[]>();
  for (const { way, datagram } of entries) {
    const [name = ''] = way.split(' ');
    const text = JSON.stringify(Buffer.from(datagram).toString('latin1')).replace(
      /[\u007f-\u00ff]/g,
      (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
    );
    files.set(name, [...(files.get(name) ?? []), `${way}\t${text}`]);
  }
  for (const [name, lines] of files) writeFileSync(join(DIRECTORY, `${name}.txt`), `${lines.sort().join('\n')}\n`);
}

/** A poll of one peer that has just sent its query. */
export function exchangeOf(query: QueryType, memory = new PeerMemory(), nowMs = 0): PollExchange<QueryType> {
  const exchange = new PollExchange(
    {
      query,
      space: SPACE,
      vacVersion: 'Vac 0.1.0 fuzz',
      peers: [PEER],
      cookieOf: () => COOKIE,
      timeoutMs: 10_000,
      rng: () => 0.5,
      memory,
    },
    nowMs,
  );
  exchange.due(nowMs);
  return exchange;
}

export function responderOf(onRefusal: () => void = () => {}): Responder {
  const responder = new Responder({
    mayAsk: (address) => address.startsWith('10.'),
    onRefusal,
    onProblem: (problem) => {
      throw new Error(JSON.stringify(problem));
    },
  });
  responder.setSnapshot(snapshotOf('wn09.example.com', 16, 10));
  return responder;
}

/** In which way a datagram ends at parts that have seen no other. */
export function wayOf(datagram: Uint8Array): string {
  if (looksLikeGossip(datagram)) return gossipWayOf(datagram);
  const decoded = decode(datagram);
  if (!decoded.ok) return decoded.field === undefined ? decoded.reason : `${decoded.reason} ${decoded.field}`;
  const { message } = decoded;
  if (isQuery(message)) {
    const responder = responderOf();
    const answered = responder.answer(datagram, '10.0.0.9', 0, NOW_SECONDS).length > 0;
    return `${message.message_type} ${answered ? 'answered' : [...responder.refusalCounts.keys()].join()}`;
  }
  if (!isStatus(message)) throw new Error('a message that is neither query nor status');
  const query = queryFor(message.message_type);
  return `${message.message_type} ${exchangeOf(query).receive(datagram, '10.0.0.1', 1)}`;
}

/** The query that a status answers. */
export function queryFor(statusType: string): QueryType {
  const [query] = Object.entries(STATUS_TYPE_OF).find(([, type]) => type === statusType)!;
  return query as QueryType;
}
