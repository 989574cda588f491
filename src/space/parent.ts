/**
 * Where the member of the space runs: in a child of vacd without root that has nothing else to do, with the protocol's
 * port, which vacd alone may bind. The sockets stay open here, unread, so that what comes while a child is replaced waits.
 */

import { VacError } from '../errors.js';
import { type ChildFacts, Guard, type GuardOptions } from '../guard/guard.js';
import { endLeftovers } from '../guard/leftover.js';
import type { Link, ParentPart } from '../guard/part.js';
import { type BoundSocket, bindUdpSocket } from '../guard/sockets.js';
import { ANY_ADDRESS, bindProblem, VACQUERY_PORT } from '../vacquery/index.js';
import type { MemberListener, MemberProcess } from './member-process.js';
import { SPACE_PART } from './messages.js';
import { sendInPieces } from './pieces.js';

export interface GuardedMemberOptions extends Omit<GuardOptions, 'parts' | 'what'> {
  /** Default all of the host; null: not this family. */
  readonly addresses?: { readonly udp4: string | null; readonly udp6: string | null };
}

export class GuardedMember implements MemberProcess, ParentPart {
  readonly name = SPACE_PART;
  /** It asks for the other factories' addresses. */
  readonly opensConnections = true;
  private readonly bound = new Map<'udp4' | 'udp6', BoundSocket>();
  private readonly guard: Guard;
  private readonly addresses: NonNullable<GuardedMemberOptions['addresses']>;
  private readonly mark: string;
  private listener: MemberListener | null = null;

  constructor({ addresses = ANY_ADDRESS, ...options }: GuardedMemberOptions) {
    this.addresses = addresses;
    this.mark = options.mark;
    this.guard = new Guard({ ...options, what: 'the process that speaks VacQuery', parts: [this] });
  }

  connect(listener: MemberListener): void {
    this.listener = listener;
  }

  /** Of the child that runs now; for people and tests. */
  get pid(): number | null {
    return this.guard.pid;
  }

  /** How it goes with the child. */
  child(): ChildFacts {
    return this.guard.facts();
  }

  async begin(): Promise<void> {
    await this.guard.ensureRunning();
  }

  async openPort(): Promise<void> {
    if (this.bound.size === 0) {
      // A child that hung when an earlier vacd was killed would have the port.
      if (this.guard.pid === null) await endLeftovers(this.mark);
      this.bind();
      await this.guard.renew();
    } else await this.guard.ensureRunning();
  }

  async close(): Promise<void> {
    await this.guard.close();
    this.unbind();
  }

  sockets(): ReadonlyMap<string, number> {
    return new Map([...this.bound].map(([family, { descriptor }]) => [family, descriptor]));
  }

  attach(link: Link): void {
    this.listener?.began((message) => sendInPieces(link, message));
  }

  detach(): void {
    this.listener?.ended();
  }

  receive(type: string, body: unknown): void {
    this.listener?.receive(type, body);
  }

  private bind(): void {
    try {
      for (const family of ['udp4', 'udp6'] as const) {
        const address = this.addresses[family];
        const socket = address === null ? null : bindOne(address);
        if (socket !== null) this.bound.set(family, socket);
      }
    } catch (error) {
      this.unbind();
      throw error;
    }
    if (this.bound.size > 0) return;
    throw new VacError('address-missing', `this host has no address to use UDP port ${VACQUERY_PORT} on`);
  }

  private unbind(): void {
    for (const socket of this.bound.values()) socket.close();
    this.bound.clear();
  }
}

/** Null: the host does not have the address family. */
function bindOne(address: string): BoundSocket | null {
  try {
    return bindUdpSocket(address, VACQUERY_PORT);
  } catch (error) {
    const problem = bindProblem(error, address, VACQUERY_PORT);
    if (problem === null) return null;
    throw problem;
  }
}
