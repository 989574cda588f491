import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { type BoundSocket, bindUdp, listenTcp } from 'libvirt';
import { afterEach, expect, it } from 'vitest';

const open: BoundSocket[] = [];
const kept = (socket: BoundSocket) => {
  open.push(socket);
  return socket;
};
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

it('a TCP socket takes connections that nobody has accepted, until somebody does', async () => {
  const socket = kept(listenTcp('127.0.0.1', 0, 10));
  const client = connect(socket.port, '127.0.0.1');
  await once(client, 'connect');
  client.write('early');
  // Node closes the descriptor with its server.
  const server = createServer().listen({ fd: socket.descriptor });
  open.pop();
  const [accepted] = await once(server, 'connection');
  expect(String((await once(accepted, 'data'))[0])).toBe('early');
  client.destroy();
  accepted.destroy();
  server.close();
  await once(server, 'close');
});

it('a UDP socket keeps what comes before somebody receives', async () => {
  const socket = kept(bindUdp('::1', 0));
  const { port } = socket;
  const sender = createSocket('udp6');
  await new Promise((sent) => sender.send('early', port, '::1', sent));
  const receiver = createSocket('udp6').bind({ fd: socket.descriptor });
  open.pop();
  expect(String((await once(receiver, 'message'))[0])).toBe('early');
  sender.close();
  receiver.close();
});

it('what cannot be bound says why, as Node does, and leaves nothing open', () => {
  const { port } = kept(listenTcp('127.0.0.1', 0, 10));
  const udp = kept(bindUdp('127.0.0.1', 0));
  const before = readdirSync('/proc/self/fd').length;
  const failures: [() => unknown, object][] = [
    [() => listenTcp('127.0.0.1', port, 10), { code: 'EADDRINUSE', syscall: 'bind', path: `127.0.0.1:${port}` }],
    [() => bindUdp('127.0.0.1', udp.port), { code: 'EADDRINUSE', syscall: 'bind' }],
    [() => listenTcp('192.0.2.1', 80, 10), { code: 'EADDRNOTAVAIL', syscall: 'bind' }],
    [() => listenTcp('localhost', 80, 10), { code: 'EINVAL' }],
    [() => bindUdp('127.0.0.1', 65_536), { code: 'EINVAL' }],
  ];
  for (const [bind, error] of failures) expect(bind).toThrow(expect.objectContaining(error));
  expect(readdirSync('/proc/self/fd').length).toBe(before);
});

it('is closed once, and then has no descriptor that might be another one by now', () => {
  const socket = listenTcp('127.0.0.1', 0, 10);
  const { port } = socket;
  socket.close();
  socket.close();
  expect(() => socket.descriptor).toThrow('closed');
  kept(listenTcp('127.0.0.1', port, 10));
});
