/**
 * What hostile guests and the network can reach is served by children of vacd without root. This folder has the process
 * (`guard.ts` in vacd, `child.ts` in the child), the channel between them (`link.ts`, `frames.ts`), how a child gives up
 * its rights (`confine.ts`, `command.ts`) and the sockets that vacd binds for it (`sockets.ts`). What is served is made
 * of parts, each a pair of one name:
 *
 *     vacd (root)                                         a child (no root, no files, no processes)
 *     Guard ── ParentPart 'http'     metadata/parent.ts   ── Link ── ChildPart 'http'      metadata/child.ts
 *     Guard ── ParentPart 'vacquery' space/parent.ts      ── Link ── ChildPart 'vacquery'  space/child.ts
 *
 * A Guard is one process; the two parts have one each, since whoever takes over the one that machines talk to should not
 * have the keys of the space as well.
 *
 * How a part is added:
 * 1. `ParentPart`: an object given to `new Guard({parts: […]})` where the daemon is put together. `sockets()` names the
 *    file descriptors that the child shall have (made by sockets.ts; they stay open in vacd, unread, so that what arrives
 *    while no child runs waits in the kernel). When they change, `guard.renew()`.
 * 2. `ChildPart`: a line in src/vacd-guard.ts, by the same name. All that it needs is imported by its module: after root
 *    is gone the program's files may not be readable any more, so there must be no `import()` in it.
 * 3. Messages of a part have a `type`, a `body` (any JSON) and `bytes`. The parts of vacd take each for an attack until
 *    it is looked at: fields are read by fields.ts (or as carefully), and what no honest child sends is a `BadMessage`,
 *    for which the child is killed and replaced. There is no id that a child may make up: it names machines and such by
 *    what vacd has told, and vacd looks whether that still holds.
 *
 * A child may die at any time, and is replaced at once: `attach` is called with a new link, and everything it must know
 * has to be told again; answers to the former one are no longer wanted (`detach`). What is sent by a new link waits until
 * all parts of the child have started; so a part's `start` cannot wait for an answer.
 *
 * Limits: a message has at most `MAX_BODY_BYTES` of JSON and `MAX_BYTES` beside it. vacd reads so many messages a second
 * and no more; the rest waits in the channel, so a child cannot take vacd's time. A child that does not take what vacd
 * has for it is killed (`MAX_UNSENT_BYTES`): large things are sent piece by piece, each asked for by the child.
 */

/** One side's end of the channel, for one part and one child. */
export interface Link {
  /** Sends, or drops it when the other side is gone. True: there is room for more; false: better wait for `drained`. */
  send(type: string, body?: unknown, bytes?: Uint8Array): boolean;
  /** When what was sent has been taken by the other side's end of the channel, or that is gone. */
  drained(): Promise<void>;
}

/** A part's side in vacd. */
export interface ParentPart {
  readonly name: string;
  /** It asks name servers and such. Other children have no network but the sockets that they are given. */
  readonly opensConnections?: boolean;
  /** File descriptors by name; only of sockets that are bound. */
  sockets(): ReadonlyMap<string, number>;
  /** A child is being started; nothing comes of the one before it any more. */
  attach(link: Link): void;
  /** That child is gone: nothing that is sent by its link arrives. */
  detach(): void;
  /** @throws BadMessage what no honest child sends */
  receive(type: string, body: unknown, bytes: Uint8Array): void;
}

/** What a part finds in the child. */
export interface ChildSurroundings {
  readonly link: Link;
  /** As its `ParentPart` named them; not all that there could be, while vacd cannot bind some. */
  readonly sockets: ReadonlyMap<string, number>;
  /** A line for vacd's log, where it is cut, cleaned and limited in number. */
  readonly problem: (line: string) => void;
}

/** A part's side in the child. */
export interface ChildPart {
  readonly name: string;
  /** Root is gone by now. */
  start(surroundings: ChildSurroundings): void | Promise<void>;
  /** Of vacd, which is trusted. */
  receive(type: string, body: unknown, bytes: Uint8Array): void;
}

/** The other side has sent what it never should: it has been taken over, or one of the two is faulty. */
export class BadMessage extends Error {
  override readonly name = 'BadMessage';
}

/** The name under which vacd and the child themselves talk: heartbeats, problems, ready. */
export const GUARD_PART = 'guard';
