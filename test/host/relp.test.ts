import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseRelpFrame, RelpSession, relpFrame } from '../../src/host/relp.js';

test('a frame is read back however it is cut, and no more than it', () => {
  const command = fc.stringMatching(/^[a-z]{1,32}$/);
  fc.assert(
    fc.property(
      fc.nat(999_999_999),
      command,
      fc.stringMatching(/^[ -~\n]{0,300}$/),
      fc.nat(),
      (number, word, text, cut) => {
        const frame = relpFrame(number, word, text);
        const whole = Buffer.concat([frame, Buffer.from('7 rsp 0\n')]);
        expect(parseRelpFrame(whole)).toEqual({
          reply: { transaction: number, command: word, text },
          length: frame.length,
        });
        expect(parseRelpFrame(frame.subarray(0, cut % frame.length))).toBeNull();
      },
    ),
  );
});

test.each([
  'HTTP/1.1 400 Bad Request\r\n',
  '1 RSP 0\n',
  '-1 rsp 0\n',
  '1 rsp 99999999 x',
  '1 rsp 5\n',
])('%j is no RELP', (text) => {
  expect(() => parseRelpFrame(Buffer.from(text))).toThrow();
});

let answer: (socket: Socket) => void;
const server = createServer((socket) => {
  socket.on('error', () => {});
  answer(socket);
});

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  server.close();
});

async function connected(): Promise<Socket> {
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

test('lines are delivered once each of them is acknowledged', async () => {
  const got: string[] = [];
  answer = (socket) => {
    let received = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      for (let frame = parseRelpFrame(received); frame !== null; frame = parseRelpFrame(received)) {
        received = received.subarray(frame.length);
        if (frame.reply.command === 'syslog') got.push(frame.reply.text);
        socket.write(relpFrame(frame.reply.transaction, 'rsp', frame.reply.command === 'close' ? '' : '200 OK'));
      }
    });
  };
  const session = await RelpSession.open(await connected());
  const lines = Array.from({ length: 3000 }, (_, index) => `line ${index}`);
  await session.deliver(lines.map((line) => Buffer.from(line)));
  expect(got).toEqual(lines);
  session.close();
});

test.each([
  ['that is closed', (socket: Socket) => socket.end(), /ended|closed/],
  ['that is broken', (socket: Socket) => socket.resetAndDestroy(), /ECONNRESET|closed/],
  ['that refuses', (socket: Socket) => socket.write(relpFrame(2, 'rsp', '500 no room')), /refuses: 500 no room/],
  ['that speaks something else', (socket: Socket) => socket.write('HTTP/1.1 400\r\n'), /does not speak RELP/],
  ['that ends the session', (socket: Socket) => socket.write(relpFrame(0, 'serverclose')), /ends the session/],
])('a session %s delivers nothing', async (_, misbehave, message) => {
  answer = (socket) => {
    socket.write(relpFrame(1, 'rsp', '200 OK'));
    socket.on('data', (chunk: Buffer) => {
      if (chunk.includes(' syslog ')) misbehave(socket);
    });
  };
  const session = await RelpSession.open(await connected());
  await expect(session.deliver([Buffer.from('a')])).rejects.toThrow(message);
  expect(session.isOpen).toBe(message.source.includes('refuses'));
  session.socket.destroy();
});
