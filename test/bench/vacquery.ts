/**
 * VacQuery: what answering costs over loopback, with the status of a real Memory and a process of its own that asks; a
 * poll of a thousand simulated factories; and what a forged query brings.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Memory } from '../../src/daemon/memory.js';
import { Picture } from '../../src/daemon/picture.js';
import { readHostStatus } from '../../src/daemon/snapshot.js';
import { encode } from '../../src/vacquery/codec.js';
import { openDgramTransport } from '../../src/vacquery/dgram.js';
import { makeQuery, type QueryType } from '../../src/vacquery/messages.js';
import { Responder, type ResponderLimits } from '../../src/vacquery/responder.js';
import type { Transport } from '../../src/vacquery/transport.js';
import { config, machine, machinetype } from '../factory/builders.js';
import { MemorySpace } from '../vacquery/memory-space.js';
import { NOW_SECONDS, SPACE, snapshotOf } from '../vacquery/snapshot.js';
import { type Figure, figure } from './figure.js';
import type { AskOrder, AskResult } from './vacquery-asker.js';

const SLOTS = 64;
const MACHINETYPES = 10;
/** Measured in-process, files on tmpfs (DESIGN.md, figures to beat). */
const PREDECESSOR_MACHINETYPES_MS = 9.2;
/** A forged 67-byte machines query brought 64 datagrams of 761 bytes. */
const PREDECESSOR_AMPLIFICATION = 727;
/** Six rounds of udp_timeout_seconds / 5, whenever a peer is dead. */
const PREDECESSOR_DEAD_PEER_SECONDS = 12;
const WARM_UP_SECONDS = 1;
const MEASURED_SECONDS = 3;

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
  const memory = fullMemory();
  const served = await openDgramTransport({ port: 0, ipv4Address: '127.0.0.1', ipv6Address: null });
  const asker = fork(fileURLToPath(new URL('vacquery-asker.ts', import.meta.url)));
  try {
    const measure = (query: QueryType, datagrams: number) => costOf(asker, { port: served.port, query, datagrams });
    await serve(served, memory, () => {});
    const machinetypes = await measure('machinetypes_query', MACHINETYPES);
    const machines = await measure('machines_query', SLOTS);
    const factory = await measure('factory_query', 1);
    // A machine has changed with each query, so that all must be looked up and encoded anew.
    await serve(served, memory, () => {
      const [first] = memory.machines.values();
      memory.update(first!, {});
    });
    const changing = await measure('machinetypes_query', MACHINETYPES);
    const predecessor = { value: PREDECESSOR_MACHINETYPES_MS, what: 'predecessor' };
    return [
      figure('vacquery machinetypes query cpu', machinetypes.cpuMs, 'ms', predecessor),
      figure('vacquery machinetypes query cpu, new status', changing.cpuMs, 'ms', predecessor),
      figure('vacquery machines query cpu', machines.cpuMs, 'ms'),
      figure('vacquery factory query cpu', factory.cpuMs, 'ms'),
      figure('vacquery machinetypes queries on one core', 1000 / machinetypes.cpuMs, '/s of CPU'),
      figure('vacquery machinetypes queries by one asker', machinetypes.perSecond, '/s'),
      figure('vacquery answers lost by the kernel', machinetypes.lostPercent, '%'),
    ];
  } finally {
    asker.kill();
    await served.close();
  }
}

/** A factory whose slots all run a machine. */
function fullMemory(): Memory {
  const types = Array.from({ length: MACHINETYPES }, (_, index) => machinetype(`type-${index}`));
  const memory = new Memory('wn01.example.com', config(types, { vacSpace: SPACE, totalProcessors: SLOTS }));
  for (let slot = 0; slot < SLOTS; slot += 1) {
    memory.remember({ ...machine({}, { slot, machinetype: `type-${slot % MACHINETYPES}` }) }, performance.now());
  }
  return memory;
}

/** Answers as vacd does (daemon/space.ts), but without limits. */
async function serve(served: Transport, memory: Memory, beforeAnswer: () => void): Promise<void> {
  const host = await readHostStatus('/');
  const picture = new Picture(memory, () => host);
  const responder = new Responder({
    mayAsk: (address) => address === '127.0.0.1',
    snapshot: () => picture.current(performance.now(), Math.floor(Date.now() / 1000)),
    onRefusal: fail,
    onProblem: fail,
    limits: NO_LIMITS,
  });
  served.onDatagram((datagram, { address, port }) => {
    beforeAnswer();
    const replies = responder.answer(datagram, address, performance.now(), Date.now() / 1000);
    for (const reply of replies) served.send(reply, address, port);
  });
}

interface Cost {
  /** CPU time of this process, of the kernel too, for each query that was answered. */
  readonly cpuMs: number;
  readonly perSecond: number;
  readonly lostPercent: number;
}

async function costOf(asker: ChildProcess, order: Omit<AskOrder, 'seconds'>): Promise<Cost> {
  const run = async (seconds: number): Promise<AskResult> => {
    asker.send({ ...order, seconds } satisfies AskOrder);
    const [result] = (await once(asker, 'message')) as [AskResult];
    return result;
  };
  await run(WARM_UP_SECONDS);
  const before = process.cpuUsage();
  const { answered, lost, seconds } = await run(MEASURED_SECONDS);
  const { user, system } = process.cpuUsage(before);
  return {
    cpuMs: (user + system) / 1000 / (answered + lost),
    perSecond: answered / seconds,
    lostPercent: (100 * lost) / (answered + lost),
  };
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
      // The first poll finds out who is dead: it takes the whole time if anybody is.
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
