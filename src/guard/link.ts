/** One end of the channel between vacd and its child: frames on a socket pair, told apart by part. */

import type { Duplex } from 'node:stream';
import { encodeFrame, FrameReader, type Message } from './frames.js';
import type { Link } from './part.js';

export interface ChannelOptions {
  readonly onMessage: (message: Message) => void;
  /** Called once, when nothing comes any more: the other end is closed, or sent what it must not. */
  readonly onEnd: (error: Error | null) => void;
  /**
   * How many messages are taken in a second, on average; more wait where they are. Each `BYTES_PER_MESSAGE` count as one
   * too, and so do each `JSON_BYTES_PER_MESSAGE` of JSON, which take vacd far longer. Default: any number.
   */
  readonly messagesPerSecond?: number;
  /** More than this unsent: the other side does not read, and the channel ends. Default: any amount. */
  readonly maxUnsentBytes?: number;
}

const BYTES_PER_MESSAGE = 8192;
const JSON_BYTES_PER_MESSAGE = 1024;
/** What may come at once without being slowed down, in seconds of the rate. */
const BURST_SECONDS = 1;

export class Channel {
  private readonly reader = new FrameReader();
  private ended = false;
  private allowance: number;
  private allowanceAtMs = performance.now();
  private readonly waiting: (() => void)[] = [];

  constructor(
    private readonly stream: Duplex,
    private readonly options: ChannelOptions,
  ) {
    this.allowance = this.rate * BURST_SECONDS;
    stream.on('drain', () => this.wakeSenders());
    stream.on('error', (error) => this.end(error));
    stream.on('close', () => this.end(null));
    stream.on('end', () => this.end(null));
  }

  /** From now on messages are taken; until then they wait where they are. */
  begin(): void {
    this.stream.on('data', (chunk: Buffer) => this.take(chunk));
  }

  /** The end of it that one part uses. */
  link(part: string): Link {
    return {
      send: (type, body, bytes) => this.send(part, type, body, bytes),
      drained: () => this.drained(),
    };
  }

  send(part: string, type: string, body?: unknown, bytes?: Uint8Array): boolean {
    if (this.ended) return true;
    const room = this.stream.write(encodeFrame(part, type, body, bytes));
    if (this.stream.writableLength > (this.options.maxUnsentBytes ?? Number.POSITIVE_INFINITY)) {
      this.end(new Error(`${this.stream.writableLength} bytes wait for it unread`));
    }
    return room;
  }

  /** Nothing is sent or taken from now on. */
  close(): void {
    this.end(null);
  }

  private get rate(): number {
    return this.options.messagesPerSecond ?? Number.POSITIVE_INFINITY;
  }

  private drained(): Promise<void> {
    if (this.ended || !this.stream.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private take(chunk: Buffer): void {
    if (this.ended) return;
    this.allowance -= chunk.length / BYTES_PER_MESSAGE;
    try {
      for (const message of this.reader.push(chunk)) {
        this.allowance -= 1 + message.jsonBytes / JSON_BYTES_PER_MESSAGE;
        this.options.onMessage(message);
        if (this.ended) return;
      }
    } catch (error) {
      this.end(error as Error);
      return;
    }
    this.slowDown();
  }

  private slowDown(): void {
    if (this.rate === Number.POSITIVE_INFINITY) return;
    const nowMs = performance.now();
    const earned = ((nowMs - this.allowanceAtMs) / 1000) * this.rate;
    this.allowance = Math.min(this.rate * BURST_SECONDS, this.allowance + earned);
    this.allowanceAtMs = nowMs;
    if (this.allowance > 0) return;
    this.stream.pause();
    setTimeout(() => this.stream.resume(), (-this.allowance / this.rate) * 1000 + 1).unref();
  }

  private end(error: Error | null): void {
    if (this.ended) return;
    this.ended = true;
    this.stream.destroy();
    this.wakeSenders();
    this.options.onEnd(error);
  }

  private wakeSenders(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }
}
