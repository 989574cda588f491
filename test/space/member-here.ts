/**
 * A member of a space in the test's own process, at once where a child takes a moment. All that is said goes through JSON
 * and, on the daemon's side, through the checks, as it does between processes.
 */

import { SpaceMember } from '../../src/space/member.js';
import type { MemberListener, MemberProcess } from '../../src/space/member-process.js';
import type { FromMember, ToMember } from '../../src/space/messages.js';
import type { Resolve } from '../../src/space/names.js';
import { type Clock, type Transport, VACQUERY_PORT } from '../../src/vacquery/index.js';

export interface MemberHereParts {
  readonly clock: Clock;
  readonly openTransport: (port: number) => Promise<Transport>;
  readonly resolve?: Resolve | undefined;
  readonly ownAddresses?: (() => readonly string[]) | undefined;
}

export class MemberHere implements MemberProcess {
  private listener!: MemberListener;
  private member: SpaceMember | null = null;
  private hasPort = false;

  constructor(private readonly parts: MemberHereParts) {}

  connect(listener: MemberListener): void {
    this.listener = listener;
    this.start();
  }

  async begin(): Promise<void> {}

  async openPort(): Promise<void> {
    this.member!.answerOn(await this.parts.openTransport(VACQUERY_PORT));
    this.hasPort = true;
  }

  async close(): Promise<void> {
    await this.member?.close();
    this.member = null;
  }

  /** As a child that dies; nothing runs until `start`. */
  async kill(): Promise<void> {
    await this.close();
    this.listener.ended();
  }

  /** A member that knows nothing, with the port if that was open. */
  async startAgain(): Promise<void> {
    const transport = this.hasPort ? await this.parts.openTransport(VACQUERY_PORT) : null;
    this.start();
    if (transport !== null) this.member!.answerOn(transport);
  }

  private start(): void {
    const { openTransport, ...parts } = this.parts;
    const member = new SpaceMember({
      ...parts,
      openTransport: () => openTransport(0),
      tell: (message: FromMember) => {
        const { type, ...body } = JSON.parse(JSON.stringify(message)) as FromMember;
        if (this.member === member) this.listener.receive(type, body);
      },
    });
    this.member = member;
    this.listener.began((message) => {
      if (this.member === member) member.receive(JSON.parse(JSON.stringify(message)) as ToMember);
    });
  }
}
