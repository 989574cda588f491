/** VacQuery: answering queries over loopback, polling a thousand simulated factories, and what a forged query brings. */

import { encode } from '../../src/vacquery/codec.js';
import { openDgramTransport } from '../../src/vacquery/dgram.js';
import { makeQuery, type QueryType } from '../../src/vacquery/messages.js';
import { Responder, type ResponderLimits } from '../../src/vacquery/responder.js';
import type { Transport } from '../../src/vacquery/transport.js';
import { MemorySpace } from '../vacquery/memory-space.js';
import { NOW_SECONDS, SPACE, snapshotOf } from '../vacquery/snapshot.js';
import { type Figure, figure } from './figure.js';

const SLOTS = 64;
const MACHINETYPES = 10;
/** Measured in-process, files on tmpfs (DESIGN.md, figures to beat). */
const PREDECESSOR_MACHINETYPES_MS = 9.2;
/** A forged 67-byte machines query brought 64 datagrams of 761 bytes. */
const PREDECESSOR_AMPLIFICATION = 727;
/** Six rounds of udp_timeout_seconds / 5, whenever a peer is dead. */
const PREDECESSOR_DEAD_PEER_SECONDS = 12;
const COOKIE = 'c'.repeat(64);

/** The limits are not what is measured here. */
const NO_LIMITS: ResponderLimits = {
  sourceBytesPerSecond: 1e12,
  sourceBurstBytes: 1e12,
  maxSources: 10,
  totalBytesPerSecond: 1e12,
  totalBurstBytes: 1e12,
};

export async function vacqueryFigures(): Promise<Figure[]> {
  return [...(await answerFigures()), ...amplificationFigures(), ...(await pollFigures())];
}

async function answerFigures(): Promise<Figure[]> {
  const responder = new Responder({ mayAsk: () => true, onRefusal: fail, onProblem: fail, limits: NO_LIMITS });
  responder.setSnapshot(snapshotOf('wn01.example.com', SLOTS, MACHINETYPES));
  const options = { port: 0, ipv4Address: '127.0.0.1', ipv6Address: null };
  const [sender, sink] = [await openDgramTransport(options), await openDgramTransport(options)];
  try {
    const [machinetypesMs, machinesMs, factoryMs, freshMs] = [
      await cpuMsPerQuery(responder, 'machinetypes_query', sender, sink.port, 3_000),
      await cpuMsPerQuery(responder, 'machines_query', sender, sink.port, 600),
      await cpuMsPerQuery(responder, 'factory_query', sender, sink.port, 5_000),
      await cpuMsPerQuery(responder, 'machinetypes_query', sender, sink.port, 1_000, true),
    ];
    return [
      figure('vacquery machinetypes query cpu', machinetypesMs, 'ms', {
        value: PREDECESSOR_MACHINETYPES_MS,
        what: 'predecessor',
      }),
      figure('vacquery machinetypes query cpu, new status', freshMs, 'ms', {
        value: PREDECESSOR_MACHINETYPES_MS,
        what: 'predecessor',
      }),
      figure('vacquery machines query cpu', machinesMs, 'ms'),
      figure('vacquery factory query cpu', factoryMs, 'ms'),
      figure('vacquery machinetypes queries on one core', 1000 / machinetypesMs, '/s'),
    ];
  } finally {
    await Promise.all([sender.close(), sink.close()]);
  }
}

/**
 * CPU time, of the kernel too, for decoding a query, making its replies and sending them over loopback.
 *
 * @param isStatusNew whether the status changed since the last query, so that all must be encoded anew
 */
async function cpuMsPerQuery(
  responder: Responder,
  type: QueryType,
  sender: Transport,
  toPort: number,
  queries: number,
  isStatusNew = false,
): Promise<number> {
  const snapshot = snapshotOf('wn01.example.com', SLOTS, MACHINETYPES);
  const query = encodedQuery(type, COOKIE);
  const answerOnce = (): void => {
    if (isStatusNew) responder.setSnapshot(snapshot);
    for (const reply of responder.answer(query, '127.0.0.1', performance.now(), NOW_SECONDS)) {
      sender.send(reply, '127.0.0.1', toPort);
    }
  };
  const answerMany = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done += 1) {
      answerOnce();
      // The loop goes round after each query, as it does when queries arrive.
      await new Promise(setImmediate);
    }
  };
  await answerMany(queries / 5);
  const before = process.cpuUsage();
  await answerMany(queries);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / queries;
}

function amplificationFigures(): Figure[] {
  const responder = new Responder({ mayAsk: () => false, onRefusal: () => {}, onProblem: fail });
  responder.setSnapshot(snapshotOf('wn01.example.com', SLOTS, MACHINETYPES));
  const forged = encodedQuery('machines_query', '0');
  const [queries, before] = [100_000, process.cpuUsage()];
  let sentBytes = 0;
  for (let index = 0; index < queries; index += 1) {
    const replies = responder.answer(forged, `192.0.${(index >> 8) & 255}.${index & 255}`, index, NOW_SECONDS);
    sentBytes += replies.reduce((sum, { length }) => sum + length, 0);
  }
  const { user, system } = process.cpuUsage(before);
  return [
    figure('vacquery amplification', sentBytes / (queries * forged.length), 'bytes per forged byte', {
      value: PREDECESSOR_AMPLIFICATION,
      what: 'predecessor',
    }),
    figure('vacquery forged query cpu', (user + system) / queries, 'µs'),
  ];
}

/** All factories' sides of the poll are simulated in this process: the CPU time is that of all of them together. */
async function pollFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const lossRate of [0, 0.1, 0.3, 0.5]) {
    for (const dead of [0, 1, 50]) {
      const space = new MemorySpace({
        factories: 1_000,
        dead,
        machinetypes: MACHINETYPES,
        seed: 1,
        faults: { lossRate, duplicateRate: 0.01, minDelayMs: 0.2, maxDelayMs: 5 },
      });
      // The first poll finds out who is dead.
      await space.poll('machinetypes_query');
      const [before, startMs, sent] = [process.cpuUsage(), space.clock.nowMs(), space.network.counts.sent];
      const answers = await space.poll('machinetypes_query');
      const { user, system } = process.cpuUsage(before);
      const complete = answers.filter(({ outcome }) => outcome === 'complete').length;
      const name = `vacquery poll 1000, ${lossRate * 100} % loss, ${dead} dead`;
      figures.push(
        figure(
          name,
          (space.endedMs - startMs) / 1000,
          's',
          dead === 0 ? null : { value: PREDECESSOR_DEAD_PEER_SECONDS, what: 'predecessor' },
        ),
        figure(`${name}: complete`, (100 * complete) / (1_000 - dead), '% of the living'),
        figure(`${name}: datagrams`, space.network.counts.sent - sent, 'both ways'),
        figure(`${name}: CPU`, (user + system) / 1000, 'ms, both sides'),
      );
    }
  }
  return figures;
}

function encodedQuery(type: QueryType, cookie: string): Uint8Array {
  const encoded = encode(makeQuery(type, SPACE, cookie, 'Vac 0.1.0 bench'));
  if (!encoded.ok) throw new Error(`query not encoded: ${encoded.reason}`);
  return encoded.datagram;
}

function fail(what: object): never {
  throw new Error(JSON.stringify(what));
}
