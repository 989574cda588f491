/** What the daemon asks its member of the space (space/member.ts), and waits for: bounded in time, and in what may come. */

import { BadMessage } from '../guard/part.js';
import type { CensusAnswer, FromMember, MemberLook, Peer, ToMember } from '../space/messages.js';
import type { Clock } from '../vacquery/index.js';

/** `vac` waits for the daemon for a second. */
const LOOK_MS = 700;
const NAME_MS = 15_000;
/** Beyond the time that the other factories have. */
const CENSUS_MS = 5_000;

export interface Look extends MemberLook {
  /** One for each of the others, in the order in which the member told of them. */
  readonly peers: readonly Peer[];
}

type Answer = Extract<FromMember, { readonly id: number }>;

interface Waiting {
  /** @throws BadMessage it is no answer to this question, or says one thing twice */
  take(answer: Answer): void;
  /** No answer comes. */
  giveUp(): void;
}

export class SpaceQuestions {
  /** What the last look showed; null: nothing, the member did not tell. */
  latest: Look | null = null;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;

  constructor(
    private readonly clock: Clock,
    private readonly send: (message: ToMember) => void,
  ) {}

  /** Has the member tell how things are; `latest` has it when this resolves. */
  async look(): Promise<void> {
    const peers = new Map<string, Peer>();
    const found = await this.ask<Look | null>('look', {}, LOOK_MS, null, (answer, resolve) => {
      if (answer.type === 'look-peers') addEach(peers, answer.peers);
      else if (answer.type === 'look') {
        this.latest = { ...answer.look, peers: [...peers.values()] };
        resolve(this.latest);
      } else throw new BadMessage(`${answer.type} is no answer to a look`);
    });
    if (found === null) this.latest = null;
  }

  /**
   * Null: there are no others.
   *
   * @throws Error the member does not tell
   */
  async census(udpTimeoutSeconds: number): Promise<readonly CensusAnswer[] | null> {
    const answers = new Map<string, CensusAnswer>();
    const withinMs = udpTimeoutSeconds * 1000 + CENSUS_MS;
    const found = await this.ask<{ wasAsked: boolean } | null>('census', {}, withinMs, null, (answer, resolve) => {
      if (answer.type === 'census-answers') addEach(answers, answer.answers);
      else if (answer.type === 'census') resolve(answer);
      else throw new BadMessage(`${answer.type} is no answer to a census`);
    });
    if (found === null) throw new Error('the process that speaks VacQuery does not answer');
    return found.wasAsked ? [...answers.values()] : null;
  }

  /** @throws Error why it has no address, in words that follow its name */
  async addressesOf(host: string): Promise<readonly string[]> {
    const none = { addresses: [], problem: 'no answer' };
    const found = await this.ask<{ addresses: readonly string[]; problem: string }>(
      'name',
      { host },
      NAME_MS,
      none,
      (answer, resolve) => {
        if (answer.type !== 'name') throw new BadMessage(`${answer.type} is no answer to a name`);
        resolve(answer);
      },
    );
    if (found.addresses.length === 0) throw new Error(found.problem);
    return found.addresses;
  }

  /** One that nobody waits for any more is none's: its question has had its time. */
  take(answer: Answer): void {
    this.waiting.get(answer.id)?.take(answer);
  }

  /** The member is gone: no answers come of it. */
  giveUp(): void {
    this.latest = null;
    for (const each of [...this.waiting.values()]) each.giveUp();
  }

  private ask<T>(
    type: 'look' | 'census' | 'name',
    body: { readonly host?: string },
    withinMs: number,
    otherwise: T,
    take: (answer: Answer, resolve: (result: T) => void) => void,
  ): Promise<T> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve) => {
      const end = (result: T): void => {
        cancel();
        this.waiting.delete(id);
        resolve(result);
      };
      const cancel = this.clock.at(this.clock.nowMs() + withinMs, () => end(otherwise));
      this.waiting.set(id, { take: (answer) => take(answer, end), giveUp: () => end(otherwise) });
      this.send({ type, id, ...body } as ToMember);
    });
  }
}

/** @throws BadMessage for a factory that was told of before: what the member may say of the space has an end */
function addEach<T extends { readonly factory: string }>(known: Map<string, T>, items: readonly T[]): void {
  for (const item of items) {
    if (known.has(item.factory)) throw new BadMessage(`${item.factory} is told of twice`);
    known.set(item.factory, item);
  }
}
