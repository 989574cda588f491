/**
 * A sender by RELP (librelp's specification, version 0): every line is acknowledged by the receiver once it has it, so that
 * what was not acknowledged can be sent again. Lines over a plain TCP connection are lost without a word when it breaks.
 */

import type { Socket } from 'node:net';

const OFFER = 'relp_version=0\nrelp_software=vacd\ncommands=syslog';
/** Transaction numbers wrap here. */
const MAX_TRANSACTION = 999_999_999;
/** Lines that may be under way unacknowledged; receivers have a limit of their own, and wait for none of ours. */
const WINDOW_LINES = 512;
const MAX_REPLY_BYTES = 64 * 1024;

/** `TXNR SP COMMAND SP LENGTH [SP DATA] LF`. */
export function relpFrame(transaction: number, command: string, data: Buffer | string = ''): Buffer {
  const content = Buffer.from(data);
  const header = `${transaction} ${command} ${content.length}`;
  return content.length === 0
    ? Buffer.from(`${header}\n`)
    : Buffer.concat([Buffer.from(`${header} `), content, Buffer.from('\n')]);
}

export interface RelpReply {
  readonly transaction: number;
  readonly command: string;
  readonly text: string;
}

/** The first whole frame of `bytes`; null when more must come. Throws for what is no RELP. */
export function parseRelpFrame(bytes: Buffer): { reply: RelpReply; length: number } | null {
  const match = /^(\d{1,9}) ([a-z]{1,32}) (\d{1,9})([ \n])/.exec(bytes.subarray(0, 64).toString('latin1'));
  if (match === null) {
    if (bytes.length < 64 && /^[\d a-z]*$/.test(bytes.toString('latin1'))) return null;
    throw new Error('what answers there does not speak RELP');
  }
  const size = Number(match[3]);
  if (size > MAX_REPLY_BYTES) throw new Error('a reply by RELP is too long');
  const begin = match[0].length;
  // Without data the line end may follow the length at once.
  const length = match[4] === '\n' ? begin : begin + size + 1;
  if (match[4] === '\n' && size > 0) throw new Error('a reply by RELP has no data');
  if (bytes.length < length) return null;
  const text = bytes.subarray(begin, begin + size).toString('latin1');
  return { reply: { transaction: Number(match[1]), command: match[2]!, text }, length };
}

/** One RELP session on a connected socket. */
export class RelpSession {
  private transaction = 0;
  private received = Buffer.alloc(0);
  private failure: Error | null = null;
  private readonly replies = new Map<number, RelpReply>();
  private wake: () => void = () => {};

  private constructor(readonly socket: Socket) {
    // Small frames that wait for an answer: Nagle's algorithm would hold each back for 40 ms.
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('drain', () => this.wake());
    socket.on('error', (error) => this.fail(error));
    socket.on('end', () => this.fail(new Error('the receiver ended the connection')));
    socket.on('close', () => this.fail(new Error('the connection was closed')));
  }

  /** @throws Error what the receiver said, or that the connection broke */
  static async open(socket: Socket): Promise<RelpSession> {
    const session = new RelpSession(socket);
    await session.acknowledged([session.send('open', OFFER)]);
    return session;
  }

  get isOpen(): boolean {
    return this.failure === null;
  }

  /** Sends lines; resolves once the receiver has acknowledged all. Rejects when it is not known what it has. */
  async deliver(lines: readonly Buffer[]): Promise<void> {
    const outstanding: number[] = [];
    for (const line of lines) {
      outstanding.push(this.send('syslog', line));
      while (this.socket.writableNeedDrain && this.failure === null) await this.woken();
      if (outstanding.length >= WINDOW_LINES) await this.acknowledged(outstanding.splice(0, WINDOW_LINES / 2));
    }
    await this.acknowledged(outstanding);
  }

  close(): void {
    if (this.failure === null) this.send('close');
    this.socket.end();
  }

  private send(command: string, data?: Buffer | string): number {
    this.transaction = this.transaction >= MAX_TRANSACTION ? 1 : this.transaction + 1;
    this.socket.write(relpFrame(this.transaction, command, data));
    return this.transaction;
  }

  private async acknowledged(transactions: readonly number[]): Promise<void> {
    for (const transaction of transactions) {
      while (!this.replies.has(transaction)) {
        if (this.failure !== null) throw this.failure;
        await this.woken();
      }
      const { text } = this.replies.get(transaction)!;
      this.replies.delete(transaction);
      if (!text.startsWith('200')) throw new Error(`the receiver refuses: ${text.slice(0, 80)}`);
    }
  }

  private woken(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  private take(chunk: Buffer): void {
    this.received = Buffer.concat([this.received, chunk]);
    try {
      for (let frame = parseRelpFrame(this.received); frame !== null; frame = parseRelpFrame(this.received)) {
        this.received = this.received.subarray(frame.length);
        if (frame.reply.command === 'rsp') this.replies.set(frame.reply.transaction, frame.reply);
        else if (frame.reply.command === 'serverclose') this.fail(new Error('the receiver ends the session'));
      }
    } catch (error) {
      this.fail(error as Error);
    }
    this.wake();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.socket.destroy();
    this.wake();
  }
}
