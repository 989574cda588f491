import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openCollector } from '../../src/host/syslog-collector.js';

let behave: (socket: Socket) => void;
const server = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on('error', () => {});
  behave(socket);
});

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  server.close();
});

const LINES = [Buffer.from('one'), Buffer.from('two')];

function deliver(lines: readonly Buffer[] = LINES): Promise<void> {
  const { port } = server.address() as { port: number };
  const collector = openCollector({
    collector: { protocol: 'tcp', host: '127.0.0.1', port },
    caPath: null,
    certPath: null,
    keyPath: null,
    peer: null,
    maxMegabytes: 1,
  });
  return collector.deliver(lines);
}

test('lines are delivered when the collector has read to the end and closes its side in answer', async () => {
  let received = '';
  let hasAnswered = false;
  behave = (socket) => {
    socket.on('data', (chunk) => {
      received += chunk;
    });
    socket.on('end', () => {
      hasAnswered = true;
      socket.end();
    });
  };
  await deliver();
  expect(received).toBe('one\ntwo\n');
  expect(hasAnswered).toBe(true);
});

test.each([
  ['closes the connection at once', (socket: Socket) => socket.end().resume(), /closes the connection by itself/],
  [
    'breaks it off when the lines come',
    (socket: Socket) => socket.once('data', () => socket.resetAndDestroy()),
    /ECONNRESET|closed/,
  ],
  [
    'breaks it off at the end',
    (socket: Socket) => socket.resume().on('end', () => socket.resetAndDestroy()),
    /ECONNRESET|closed/,
  ],
])('a collector that %s has nothing', async (_, how, message) => {
  behave = how;
  await expect(deliver()).rejects.toThrow(message);
});

test('a collector that closes the connection at once has nothing, also where we are held up and see it late', async () => {
  behave = (socket) => {
    socket.once('finish', () => {
      const endMs = performance.now() + 300;
      while (performance.now() < endMs);
    });
    socket.end().resume();
  };
  await expect(deliver()).rejects.toThrow('closes the connection by itself');
});

test('a collector that breaks it off while lines are being sent ends nothing but the delivery', async () => {
  behave = (socket) => socket.once('data', () => socket.resetAndDestroy());
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  try {
    for (let round = 0; round < 3; round += 1) {
      await expect(deliver(Array.from({ length: 30_000 }, () => Buffer.alloc(1000, 'x')))).rejects.toThrow();
    }
    // Node tells of them a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', note);
  }
  expect(unhandled).toEqual([]);
});
