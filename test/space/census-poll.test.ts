import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CensusPoll } from '../../src/space/census-poll.js';
import {
  type Clock,
  openDgramTransport,
  type PollPeer,
  Responder,
  steadyClock,
  VirtualClock,
} from '../../src/vacquery/index.js';
import { turn } from '../daemon/test-factory.js';
import { SPACE, snapshotOf } from '../vacquery/snapshot.js';

/** How long the poll waits for those that do not answer. */
const TIMEOUT_SECONDS = 1;

let config: { space: string; udpTimeoutSeconds: number };
let peers: PollPeer[];
const sockets: Socket[] = [];

beforeEach(() => {
  config = { space: SPACE, udpTimeoutSeconds: TIMEOUT_SECONDS };
  peers = [];
});

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

function newPoll(clock: Clock = steadyClock): CensusPoll {
  return new CensusPoll({
    config: () => config,
    others: () => peers,
    openTransport: () => openDgramTransport({ port: 0 }),
    clock,
  });
}

/** Time passes only by this, with a turn of the event loop for datagrams between; resolves when the answers are there. */
async function passing<T>(clock: VirtualClock, answers: Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  answers.then(over, over);
  for (await turn(); !isOver; await turn()) clock.runUntil(clock.nowMs() + 5);
  return answers;
}

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return socket;
}

/** A factory on the loopback network, which hears only one of so many datagrams. */
async function addFactory(factory: string, hearsEvery = 1): Promise<void> {
  const socket = await bound();
  const responder = new Responder({ mayAsk: () => true, onRefusal: () => {}, onProblem: () => {} });
  responder.setSnapshot(snapshotOf(factory, 4, 2));
  let heard = 0;
  socket.on('message', (query, { address, port }) => {
    heard += 1;
    if (heard % hearsEvery !== 0) return;
    for (const answer of responder.answer(query, address, performance.now(), Date.now() / 1000)) {
      socket.send(answer, port, address);
    }
  });
  peers.push({ factory, addresses: ['127.0.0.1'], port: socket.address().port });
}

test('nobody is asked where there is nobody', async () => {
  const poll = new CensusPoll({
    config: () => config,
    others: () => peers,
    openTransport: () => Promise.reject(new Error('no socket is wanted')),
    clock: steadyClock,
  });
  expect(await poll.ask()).toBeNull();
});

test('all others are asked for their factory_status, again where it gets lost, and nobody is waited for beyond the time', async () => {
  await addFactory('wn1.example.com');
  await addFactory('wn2.example.com', 3);
  const silent = await bound();
  peers.push({ factory: 'silent.example.com', addresses: ['127.0.0.1'], port: silent.address().port });
  peers.push({ factory: 'unknown.example.com', addresses: [], port: 995 });
  const clock = new VirtualClock();
  const poll = newPoll(clock);
  const answers = (await passing(clock, poll.ask()))!;
  expect(clock.nowMs()).toBeLessThan(TIMEOUT_SECONDS * 1000 + 500);
  expect(Object.fromEntries(answers.map(({ factory, outcome }) => [factory, outcome]))).toEqual({
    'wn1.example.com': 'complete',
    'wn2.example.com': 'complete',
    'silent.example.com': 'none',
  });
  const [first] = answers.find(({ factory }) => factory === 'wn1.example.com')!.statuses;
  expect(first!.status).toMatchObject({
    message_type: 'factory_status',
    max_machines: 4,
    os_issue: 'Debian GNU/Linux 12',
  });
  expect(poll.counts.received.get('factory_status')).toBeGreaterThanOrEqual(2);
  const sent = poll.counts.sent.get('factory_query')!;
  expect(sent).toBeGreaterThanOrEqual(1 + 3 + 2);
  // Of all polls, not of the last.
  peers = peers.slice(0, 1);
  await passing(clock, poll.ask());
  expect(poll.counts.sent.get('factory_query')).toBe(sent + 1);
});

test('its socket is closed when it is over', async () => {
  await addFactory('wn1.example.com');
  let closed = 0;
  const poll = new CensusPoll({
    config: () => config,
    others: () => peers,
    clock: steadyClock,
    openTransport: async () => {
      const transport = await openDgramTransport({ port: 0 });
      const close = transport.close.bind(transport);
      return Object.assign(transport, {
        close: () => {
          closed += 1;
          return close();
        },
      });
    },
  });
  await poll.ask();
  expect(closed).toBe(1);
});

test('ends at once when it is closed, and asks nobody any more', async () => {
  config = { space: SPACE, udpTimeoutSeconds: 3600 };
  const silent = await bound();
  peers.push({ factory: 'silent.example.com', addresses: ['127.0.0.1'], port: silent.address().port });
  const heard = once(silent, 'message');
  const poll = newPoll();
  const answers = poll.ask();
  await heard;
  await poll.close();
  expect(await answers).toMatchObject([{ outcome: 'none' }]);
  expect(await poll.ask()).toBeNull();
});

test('that is closed while its socket is opened asks nobody', async () => {
  const silent = await bound();
  peers.push({ factory: 'silent.example.com', addresses: ['127.0.0.1'], port: silent.address().port });
  const poll = newPoll();
  const answers = poll.ask();
  await poll.close();
  expect(await answers).toBeNull();
});
