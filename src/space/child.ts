/** The member of the space in vacd's child process: on the port that vacd has bound for it. */

import type { ChildPart, ChildSurroundings } from '../guard/part.js';
import { adoptDgramTransport, openDgramTransport, steadyClock } from '../vacquery/index.js';
import { SpaceMember } from './member.js';
import { SPACE_PART } from './messages.js';
import { PieceReader } from './pieces.js';

const FAMILIES = ['udp4', 'udp6'] as const;

export class SpaceChild implements ChildPart {
  readonly name = SPACE_PART;
  private readonly reader = new PieceReader();
  private member: SpaceMember | null = null;

  start({ link, sockets, problem }: ChildSurroundings): void {
    const member = new SpaceMember({
      clock: steadyClock,
      tell: ({ type, ...body }) => void link.send(type, body),
      openTransport: () => openDgramTransport({ port: 0, onProblem: problem }),
    });
    const port = new Map(FAMILIES.flatMap((type) => (sockets.has(type) ? [[type, sockets.get(type)!]] : [])));
    if (port.size > 0) member.answerOn(adoptDgramTransport(port, problem));
    this.member = member;
  }

  receive(type: string, _body: unknown, bytes: Uint8Array): void {
    const message = this.reader.take(type, bytes);
    if (message !== null) this.member?.receive(message);
  }
}
