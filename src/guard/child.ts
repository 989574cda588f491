/** The child of vacd that serves guests and the network: what src/vacd-guard.ts runs. See part.ts. */

import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { CHANNEL_DESCRIPTOR, type Task } from './command.js';
import { dropRoot } from './confine.js';
import type { Message } from './frames.js';
import { Channel } from './link.js';
import { type ChildPart, GUARD_PART } from './part.js';

const MAX_PROBLEM_CHARS = 1000;

/** How each part is had, by name: loaded only where it is wanted, and before root is given up. */
export type PartLoaders = Readonly<Record<string, () => Promise<ChildPart>>>;

/**
 * Runs until vacd closes the channel, be it because it is dead, and then ends at once, whatever is under way.
 *
 * @throws Error when root cannot be given up or a part does not start; the process must end then
 */
export async function runChild(task: Task, loaders: PartLoaders): Promise<void> {
  const parts = await Promise.all(task.parts.map((name) => loaders[name]!()));
  // Node makes the threads for names and files when they are first used, and later there may be none any more.
  await stat('/');
  dropRoot(task);
  const byName = new Map(parts.map((part) => [part.name, part]));
  const channel = new Channel(new Socket({ fd: CHANNEL_DESCRIPTOR, readable: true, writable: true }), {
    onMessage: ({ part, type, body, bytes }: Message) => {
      if (part === GUARD_PART) channel.send(GUARD_PART, type, body);
      else byName.get(part)?.receive(type, body, bytes);
    },
    onEnd: (error) => {
      // A fault of ours is told on stderr, and ends the process as well.
      if (error !== null) throw error;
      process.exit(0);
    },
  });
  for (const part of parts) {
    const own = task.sockets.filter((socket) => socket.part === part.name);
    await part.start({
      link: channel.link(part.name),
      sockets: new Map(own.map(({ name, descriptor }) => [name, descriptor])),
      problem: (line) => channel.send(GUARD_PART, 'problem', { line: line.slice(0, MAX_PROBLEM_CHARS) }),
    });
  }
  channel.begin();
  channel.send(GUARD_PART, 'ready');
}
