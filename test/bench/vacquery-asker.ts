/**
 * A process that asks one responder over loopback for some seconds, as fast as it answers; a child of the benchmark, so
 * that the responder's CPU time is its own. Messages in: `AskOrder`; out: `AskResult`.
 */

import { decode, encode } from '../../src/vacquery/codec.js';
import { openDgramTransport } from '../../src/vacquery/dgram.js';
import { makeQuery, type QueryType } from '../../src/vacquery/messages.js';
import { SPACE } from '../vacquery/snapshot.js';

export interface AskOrder {
  readonly port: number;
  readonly query: QueryType;
  /** Datagrams that one answer has. */
  readonly datagrams: number;
  readonly seconds: number;
}

export interface AskResult {
  /** Queries whose answer came in full. */
  readonly answered: number;
  /** Queries whose answer did not: the kernel's buffers are small. */
  readonly lost: number;
  readonly seconds: number;
}

/** Datagrams that may be on their way at once, so that the kernel's default buffers hold them. */
const MAX_UNDER_WAY = 48;
const LOST_MS = 200;
const COOKIE_CHARACTERS = 64;

async function ask({ port, query, datagrams, seconds }: AskOrder): Promise<AskResult> {
  const transport = await openDgramTransport({ port: 0, ipv4Address: '127.0.0.1', ipv6Address: null });
  /** Missing datagrams of each query that is under way, by cookie. */
  const missing = new Map<string, { left: number; sinceMs: number }>();
  let [asked, answered, lost] = [0, 0, 0];
  const [beganMs, endMs] = [performance.now(), performance.now() + seconds * 1000];
  const askMore = (): void => {
    while (missing.size * datagrams < MAX_UNDER_WAY && performance.now() < endMs) {
      const cookie = String(asked).padStart(COOKIE_CHARACTERS, '0');
      asked += 1;
      const encoded = encode(makeQuery(query, SPACE, cookie, 'Vac 0.1.0 bench'));
      if (!encoded.ok) throw new Error(`query not encoded: ${encoded.reason}`);
      missing.set(cookie, { left: datagrams, sinceMs: performance.now() });
      transport.send(encoded.datagram, '127.0.0.1', port);
    }
  };
  transport.onDatagram((datagram) => {
    const decoded = decode(datagram);
    if (!decoded.ok) throw new Error(`an answer cannot be read: ${decoded.reason} ${decoded.field}`);
    const query = missing.get(decoded.message.cookie);
    if (query === undefined) return;
    query.left -= 1;
    if (query.left > 0) return;
    missing.delete(decoded.message.cookie);
    answered += 1;
    askMore();
  });
  askMore();
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      for (const [cookie, { sinceMs }] of missing) {
        if (performance.now() < sinceMs + LOST_MS) continue;
        missing.delete(cookie);
        lost += 1;
      }
      askMore();
      if (missing.size > 0 || performance.now() < endMs) return;
      clearInterval(timer);
      resolve();
    }, 50);
  });
  await transport.close();
  return { answered, lost, seconds: (performance.now() - beganMs) / 1000 };
}

process.on('message', (order: AskOrder) => {
  void ask(order).then((result) => process.send!(result));
});
