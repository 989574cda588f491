/** /metrics in a child of vacd of its own, which has no keys and no machines: sockets for it, and the text when it asks. */

import { type ChildFacts, Guard, type GuardOptions } from '../guard/guard.js';
import { endLeftovers } from '../guard/leftover.js';
import { BadMessage, type Link, type ParentPart } from '../guard/part.js';
import { type BoundSocket, bindTcpSocket } from '../guard/sockets.js';
import { TokenBucket } from '../vacquery/limits.js';
import { METRICS_PART } from './messages.js';

const PIECE_BYTES = 128 * 1024;
/** A child asks once a second at most; one after the other may have begun. */
const TEXTS_PER_SECOND = 2;
const TEXTS_AT_ONCE = 10;

export interface GuardedScrapesOptions extends Omit<GuardOptions, 'parts' | 'what'> {
  readonly page: { readonly contentType: string; text(): Promise<string> };
}

export class GuardedScrapes implements ParentPart {
  readonly name = METRICS_PART;
  private readonly guard: Guard;
  private readonly bound: BoundSocket[] = [];
  private link: Link | null = null;
  private budget = new TokenBucket(TEXTS_PER_SECOND, TEXTS_AT_ONCE, 0);

  constructor(private readonly options: GuardedScrapesOptions) {
    this.guard = new Guard({ ...options, what: 'the process that serves /metrics', parts: [this] });
  }

  get port(): number | null {
    return this.bound[0]?.port ?? null;
  }

  /** Of the child; for people and tests. */
  get pid(): number | null {
    return this.guard.pid;
  }

  /** How it goes with the child. */
  child(): ChildFacts {
    return this.guard.facts();
  }

  /** @throws Error with the `code` of the system; VacError `helper-failed` */
  async open(address: string, port: number): Promise<void> {
    await this.close();
    // A child that hung when an earlier vacd was killed would have the port.
    await endLeftovers(this.options.mark);
    try {
      this.bound.push(bindTcpSocket(address, port));
      // A socket of IPv6 takes nothing else.
      if (address === '::') this.bound.push(bindTcpSocket('0.0.0.0', this.bound[0]!.port));
      await this.guard.ensureRunning();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.guard.close();
    for (const socket of this.bound.splice(0)) socket.close();
  }

  sockets(): ReadonlyMap<string, number> {
    return new Map(this.bound.map(({ descriptor }, index) => [String(index), descriptor]));
  }

  attach(link: Link): void {
    this.link = link;
    this.budget = new TokenBucket(TEXTS_PER_SECOND, TEXTS_AT_ONCE, performance.now());
  }

  detach(): void {
    this.link = null;
  }

  /** @throws BadMessage what is no wish for the text, or one too many */
  receive(type: string): void {
    if (type !== 'text') throw new BadMessage('the child of /metrics asked for something else');
    if (!this.budget.has(performance.now())) throw new BadMessage('the child of /metrics asks too often');
    this.budget.spend(1);
    if (this.link !== null) void this.give(this.link);
  }

  private async give(link: Link): Promise<void> {
    const { page, onProblem } = this.options;
    try {
      const bytes = Buffer.from(await page.text());
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
        const end = at + PIECE_BYTES;
        const isLast = end >= bytes.length;
        link.send(isLast ? 'last' : 'more', isLast ? { contentType: page.contentType } : null, bytes.subarray(at, end));
      }
    } catch (error) {
      onProblem(`/metrics: ${(error as Error).message}`);
      link.send('failed');
    }
  }
}
