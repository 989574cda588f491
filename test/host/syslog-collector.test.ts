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

function deliver(): Promise<void> {
  const { port } = server.address() as { port: number };
  const collector = openCollector({
    collector: { protocol: 'tcp', host: '127.0.0.1', port },
    caPath: null,
    certPath: null,
    keyPath: null,
    peer: null,
    maxMegabytes: 1,
  });
  return collector.deliver(LINES);
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
