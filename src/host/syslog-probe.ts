/**
 * Questions to our rsyslogd, asked as lines of our own from vacd's own address, which rsyslogd answers in a file with the
 * name of the table that is in force. A line goes the way that guests' lines go, in their order, so an answer also tells
 * that what guests had sent before it is written.
 */

import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFile, stat, truncate } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { run } from './exec.js';
import { waitUntil } from './helper-daemon.js';
import { RelpSession } from './relp.js';

export type Way = 'udp' | 'tcp' | 'relp';

export interface ProbeOptions {
  readonly address: string;
  readonly port: number;
  readonly relpPort: number | null;
  /** Where rsyslogd writes what it has to say. */
  readonly answers: string;
}

/** A datagram that finds the socket's buffer full is lost, so it is sent again. */
const RESEND_SECONDS = 0.25;
/** The file of answers is emptied beyond this. */
const MAX_ANSWERS_BYTES = 64 * 1024;

/**
 * Asks which table is in force.
 *
 * @returns its name; null when there was no answer in time
 */
export async function askTable(options: ProbeOptions, way: Way, timeoutSeconds: number): Promise<string | null> {
  const nonce = randomBytes(8).toString('hex');
  const line = `<13>vacd: ${nonce}`;
  await emptyWhenLarge(options.answers);
  const deadline = performance.now() + timeoutSeconds * 1000;
  let answer: string | null = null;
  const answered = async () => {
    answer = findAnswer(await readFile(options.answers, 'utf8').catch(() => ''), nonce);
    return answer !== null;
  };
  const left = () => (deadline - performance.now()) / 1000;
  try {
    do {
      await SENDERS[way](options, line, left());
      if (await waitUntil(answered, way === 'udp' ? Math.min(RESEND_SECONDS, left()) : left())) return answer;
    } while (left() > 0);
  } catch {
    // Refused, or broken: nobody who answers.
  }
  return null;
}

/** The name of the table in the answer to `nonce`. */
export function findAnswer(answers: string, nonce: string): string | null {
  for (const line of answers.split('\n')) {
    const [table, said] = line.split(' ');
    if (said === nonce && table !== undefined) return table;
  }
  return null;
}

async function emptyWhenLarge(path: string): Promise<void> {
  const size = await stat(path).then(
    (file) => file.size,
    () => 0,
  );
  if (size > MAX_ANSWERS_BYTES) await truncate(path);
}

const SENDERS: Readonly<Record<Way, (options: ProbeOptions, line: string, seconds: number) => Promise<void>>> = {
  async udp({ address, port }, line) {
    const socket = createSocket('udp4');
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        // By itself the kernel takes the first address of the bridge, whichever was asked.
        socket.bind({ address }, () => {
          socket.send(line, port, address, (error) => (error === null ? resolve() : reject(error)));
        });
      });
    } finally {
      socket.close();
    }
  },
  async tcp({ address, port }, line, seconds) {
    const socket = await connected(address, port, seconds);
    socket.end(`${line}\n`);
    socket.on('error', () => {});
    socket.resume();
  },
  async relp({ address, relpPort }, line, seconds) {
    const socket = await connected(address, relpPort!, seconds);
    const timer = setTimeout(() => socket.destroy(), seconds * 1000);
    try {
      const session = await RelpSession.open(socket);
      await session.deliver([Buffer.from(line)]);
      session.close();
    } finally {
      clearTimeout(timer);
    }
  },
};

async function connected(host: string, port: number, seconds: number): Promise<Socket> {
  const socket = connect({ host, port, localAddress: host });
  socket.setTimeout(seconds * 1000, () => socket.destroy(new Error('no answer in time')));
  await once(socket, 'connect');
  return socket;
}

/** Bytes of these guests that rsyslogd has not read yet, by `ss`. */
export async function unreadBytes(addresses: readonly string[], ports: readonly number[]): Promise<number> {
  const { stdout } = await run('ss', ['-Htn', ...socketFilter(addresses, ports)]);
  const counts = stdout.split('\n').map((line) => Number(line.trim().split(/\s+/)[1] ?? 0));
  return counts.reduce((sum, count) => sum + (count || 0), 0);
}

/** Whether these guests have connections to rsyslogd. */
export async function hasConnections(addresses: readonly string[], ports: readonly number[]): Promise<boolean> {
  const { stdout } = await run('ss', ['-Htn', ...socketFilter(addresses, ports)]);
  return stdout.trim() !== '';
}

/**
 * Ends these guests' connections from our side: a machine that is gone leaves its open for as long as keep-alives last, and
 * what comes over them would be the next machine's.
 */
export async function closeConnections(addresses: readonly string[], ports: readonly number[]): Promise<void> {
  await run('ss', ['-HtnK', ...socketFilter(addresses, ports)]);
}

function socketFilter(addresses: readonly string[], ports: readonly number[]): string[] {
  const join = (words: readonly string[]) => [
    '(',
    ...words.flatMap((word, index) => (index === 0 ? [word] : ['or', word])),
    ')',
  ];
  const from = join(addresses.map((address) => `dst ${address}`));
  const to = join(ports.map((port) => `sport = :${port}`));
  return [...from, 'and', ...to].flatMap((word) => word.split(' '));
}
