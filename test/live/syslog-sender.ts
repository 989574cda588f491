/**
 * A guest that logs: sends lines `<prefix> <number>` by udp, tcp or relp, until `count` are sent or it is stopped by SIGTERM.
 * By relp, lines that were not acknowledged are sent again. Prints at its end how many were sent (relp: acknowledged).
 *
 * node syslog-sender.ts WAY ADDRESS PREFIX COUNT PAUSE_MS
 */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { RelpSession } from '../../src/host/relp.js';

const [way, address, prefix, count, pauseMs] = process.argv.slice(2) as [string, string, string, string, string];
/** Of few lines each, a session of RELP waits for delayed acknowledgements of TCP. */
const BATCH_LINES = pauseMs === '0' ? 100 : 10;
let isStopped = false;
process.on('SIGTERM', () => {
  isStopped = true;
});

const line = (number: number) => `<13>Nov 21 07:00:00 guest test: ${prefix} ${number}`;
let sent = 0;
const udp = createSocket('udp4');
let session = null as RelpSession | null;
const stream = way === 'tcp' ? connect({ host: address, port: 514 }) : null;
if (stream !== null) await once(stream, 'connect');

while (sent < Number(count) && !isStopped) {
  const lines = Array.from({ length: Math.min(BATCH_LINES, Number(count) - sent) }, (_, index) => line(sent + index));
  if (way === 'relp') await deliver(lines);
  else if (stream !== null) stream.write(lines.map((each) => `${each}\n`).join(''));
  else for (const each of lines) await new Promise((resolve) => udp.send(each, 514, address, resolve));
  sent += lines.length;
  if (Number(pauseMs) > 0) await delay(Number(pauseMs));
}
udp.close();
session?.close();
if (stream !== null) {
  stream.resume();
  stream.end();
  await once(stream, 'end');
}
process.stdout.write(`${sent}\n`);
process.exit(0);

async function deliver(lines: readonly string[]): Promise<void> {
  for (;;) {
    try {
      session ??= await open();
      await session.deliver(lines.map((each) => Buffer.from(each)));
      return;
    } catch {
      session = null;
      await delay(50);
    }
  }
}

async function open(): Promise<RelpSession> {
  const socket = connect({ host: address, port: 20514 });
  await once(socket, 'connect');
  return RelpSession.open(socket);
}
