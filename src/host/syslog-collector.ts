/**
 * Delivers lines to the site's collector. By RELP the collector acknowledges each. By plain TCP or TLS it tells nothing, and
 * what is in the sockets when it dies is lost without a word; so each batch has a connection of its own, and counts as
 * delivered when the collector has read it to its end and closed its side in answer.
 */

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { connect, isIP, type Socket } from 'node:net';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { SyslogForwarding } from '../config/types.js';
import { systemAuthorities } from './http-trust.js';
import { RelpSession } from './relp.js';

export interface Collector {
  /** Resolves once the collector has all lines; else rejects with the reason, and nothing is known of them. */
  deliver(lines: readonly Buffer[]): Promise<void>;
  close(): void;
}

/** An end that comes so soon, beside the time on the way, is none of ours. */
const EARLY_MS = 20;
const CONNECT_SECONDS = 15;
/** For one batch: a collector whose own disk is full takes its time. */
const DELIVER_SECONDS = 60;

export function openCollector(wish: SyslogForwarding): Collector {
  return wish.collector.protocol.startsWith('relp') ? new RelpCollector(wish) : new StreamCollector(wish);
}

class RelpCollector implements Collector {
  private session: RelpSession | null = null;

  constructor(private readonly wish: SyslogForwarding) {}

  async deliver(lines: readonly Buffer[]): Promise<void> {
    const kept = this.session?.isOpen ? this.session : null;
    this.session = null;
    const current = kept ?? (await within(CONNECT_SECONDS, await connectTo(this.wish), RelpSession.open));
    await within(DELIVER_SECONDS, current.socket, () => current.deliver(lines));
    this.session = current;
  }

  close(): void {
    this.session?.close();
    this.session = null;
  }
}

class StreamCollector implements Collector {
  constructor(private readonly wish: SyslogForwarding) {}

  async deliver(lines: readonly Buffer[]): Promise<void> {
    const begunMs = performance.now();
    const socket = await connectTo(this.wish);
    const roundTripMs = performance.now() - begunMs;
    await within(DELIVER_SECONDS, socket, async () => {
      socket.resume();
      const ended = once(socket, 'end');
      // Where the sending fails first nobody waits for it, and its own failure must not end vacd.
      ended.catch(() => {});
      // RFC 5425 wants lengths before lines; plain TCP is read by line ends everywhere.
      const frame = (line: Buffer) =>
        this.wish.collector.protocol === 'tls'
          ? Buffer.concat([Buffer.from(`${line.length} `), line])
          : Buffer.concat([line, Buffer.from('\n')]);
      await new Promise<void>((resolve, reject) => {
        socket.write(Buffer.concat(lines.map(frame)), (error) => (error ? reject(error) : resolve()));
      });
      // One that has too many connections closes this one at once. Its end must not be taken for an answer to ours.
      // In a process that was held up timers come before reading: the immediate lets one round of reading pass.
      const early = delay(EARLY_MS + 3 * roundTripMs).then(() => nextTurn(false));
      const closesAtOnce = await Promise.race([ended.then(() => true), early]);
      if (closesAtOnce) throw new Error('it closes the connection by itself');
      socket.end();
      await ended;
    });
    socket.destroy();
  }

  close(): void {}
}

async function connectTo({ collector, ...wish }: SyslogForwarding): Promise<Socket> {
  const { host, port } = collector;
  const isTls = collector.protocol === 'tls' || collector.protocol === 'relps';
  const name = wish.peer ?? host;
  const read = async (path: string | null) => (path === null ? undefined : readFile(path));
  const socket = isTls
    ? connectTls({
        host,
        port,
        // Checked against the certificate; an address is no name to be sent along.
        ...(isIP(name) === 0 ? { servername: name } : {}),
        ca: wish.caPath === null ? [...(await systemAuthorities())] : await read(wish.caPath),
        cert: await read(wish.certPath),
        key: await read(wish.keyPath ?? wish.certPath),
      })
    : connect({ host, port });
  await within(CONNECT_SECONDS, socket, () => once(socket, isTls ? 'secureConnect' : 'connect'));
  return socket;
}

/** Ends the socket when the work fails or takes too long, so that the work ends too. */
async function within<T>(seconds: number, socket: Socket, work: (socket: Socket) => Promise<T>): Promise<T> {
  let onError: (error: Error) => void = () => {};
  const onClose = () => onError(new Error('the connection was closed'));
  const failed = new Promise<never>((_, reject) => {
    onError = reject;
  });
  socket.once('error', onError);
  socket.once('close', onClose);
  const timer = setTimeout(() => socket.destroy(new Error(`no answer in ${seconds} s`)), seconds * 1000);
  // One that loses the race must not end the process.
  failed.catch(() => {});
  try {
    return await Promise.race([work(socket), failed]);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    socket.off('close', onClose);
    // An error after its time is nobody's, and without a listener it would end vacd.
    socket.off('error', onError);
    if (socket.listenerCount('error') === 0) socket.on('error', () => {});
  }
}
