/**
 * Gossip in a space of 1,000 factories of 32 slots, at the rate of changes of such a space at work: one factory in a
 * process of its own with real sockets on loopback, JSON and signatures, the others simulated in real time by a second.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Figure, figure } from './figure.js';
import { BusyFactory } from './gossip-machines.js';
import {
  addressOf,
  KEY,
  type NeighboursOrder,
  type NeighboursStatus,
  nameOf,
  SPACE,
  type WorkerOrder,
  type WorkerResult,
} from './gossip-space.js';

const FACTORIES = 1_000;
const LOSS_RATE = 0.3;
/** After joining, which has a cost of its own. */
const WARM_UP_SECONDS = 20;
const MEASURED_SECONDS = 60;
/** Each asks all others once a minute for 10 machinetypes, and answers all. */
const POLLED_PER_MINUTE = (FACTORIES - 1) * 11;

export async function gossipFigures(): Promise<Figure[]> {
  // Built, and without a loader: the memory is to be what a site's would be.
  const worker = fork(fileURLToPath(new URL('gossip-worker.mjs', import.meta.url)), { execArgv: [] });
  const neighbours = fork(fileURLToPath(new URL('gossip-neighbours.ts', import.meta.url)));
  const ended = once(neighbours, 'exit').then((): never => {
    throw new Error('the simulated factories have ended: see above');
  });
  // It is killed at the end, and nobody waits for that.
  ended.catch(() => {});
  try {
    return await Promise.race([measure(worker, neighbours), ended]);
  } finally {
    worker.kill();
    neighbours.kill();
  }
}

async function measure(worker: ChildProcess, neighbours: ChildProcess): Promise<Figure[]> {
  const tell = (order: WorkerOrder) => worker.send(order);
  const machines = new BusyFactory(nameOf(0), Math.random, Date.now() / 1000);
  const factories = Array.from({ length: FACTORIES }, (_, index) => [nameOf(index), addressOf(nameOf(index))] as const);
  tell({ do: 'begin', space: SPACE, key: KEY, factory: nameOf(0), factories });
  const { port } = await resultOf(worker, 'listening');
  neighbours.send({ factories: FACTORIES, port, lossRate: LOSS_RATE } satisfies NeighboursOrder);
  await messageOf(neighbours);
  const beganMs = performance.now();
  // As vacd does: what is the same as before is no news.
  const announcing = setInterval(() => tell({ do: 'announce', entry: machines.entry(Date.now() / 1000) }), 1000);
  try {
    await resultOf(worker, 'joined');
    const joinedSeconds = (performance.now() - beganMs) / 1000;
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_SECONDS * 1000));
    tell({ do: 'measure', seconds: MEASURED_SECONDS });
    const measured = await resultOf(worker, 'measured');
    neighbours.send('status');
    const { versions, worstLagSeconds } = (await messageOf(neighbours)) as NeighboursStatus;
    const latest = new Map(versions);
    const current = measured.versions.filter(([factory, version]) => version >= latest.get(factory)!).length;
    const aim = (value: number) => ({ value, what: 'aim, below' });
    return [
      figure('gossip, space of 1000: CPU of a factory', measured.cpuPercent, '% of a core', aim(1)),
      figure('gossip, space of 1000: RSS of a factory', measured.rssMiB, 'MiB', aim(100)),
      figure('gossip: bytes sent', measured.sentBytesPerSecond, '/s'),
      figure('gossip: bytes received', measured.receivedBytesPerSecond, '/s'),
      figure('gossip: datagrams sent', measured.sentPerMinute, '/min', {
        value: POLLED_PER_MINUTE,
        what: 'predecessor, asking once a minute',
      }),
      figure('gossip: datagrams received', measured.receivedPerMinute, '/min'),
      figure('gossip: datagrams refused', measured.refused, 'in all'),
      figure('gossip: factories whose latest state is known', (100 * current) / latest.size, '%'),
      figure('gossip: simulated factories behind real time', worstLagSeconds, 's at worst'),
      figure('gossip: a factory that starts knows the space after', joinedSeconds, 's'),
    ];
  } finally {
    clearInterval(announcing);
  }
}

/** The next result of a kind; a process that ends instead is an error. */
async function resultOf<K extends WorkerResult['is']>(worker: ChildProcess, is: K) {
  while (true) {
    const result = (await messageOf(worker)) as WorkerResult;
    if (result.is === is) return result as Extract<WorkerResult, { is: K }>;
  }
}

async function messageOf(child: ChildProcess): Promise<unknown> {
  const stopped = new AbortController();
  const ended = once(child, 'exit', { signal: stopped.signal }).then(([code]) => {
    throw new Error(`a process of the benchmark has ended with ${code}`);
  });
  try {
    const [message] = (await Promise.race([once(child, 'message', { signal: stopped.signal }), ended])) as [unknown];
    return message;
  } finally {
    stopped.abort();
    ended.catch(() => {});
  }
}
