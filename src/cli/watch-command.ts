/** `vac watch`: the space, asked anew every few seconds: on the whole screen, or a line of JSON each time. */

import { SpaceAsker } from './ask-space.js';
import type { Io } from './io.js';
import { localStatus } from './local-status.js';
import type { CommandLine } from './parse.js';
import { askerOptions, spaceRequest } from './space-commands.js';
import { type SpaceFacts, socketPath, spaceFacts } from './space-facts.js';
import { WatchLines } from './watch-lines.js';
import type { Picture, WatchOutput } from './watch-output.js';
import { WatchScreen } from './watch-screen.js';

const MAX_INTERVAL_SECONDS = 3600;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export async function watch(command: CommandLine, io: Io): Promise<number> {
  const { stdout } = process;
  const intervalSeconds = command.positiveNumber('interval', 'seconds', MAX_INTERVAL_SECONDS)!;
  const json = command.has('json');
  if (!json && !stdout.isTTY) {
    io.complain(
      'watch needs a terminal; for a pipe or a file there are vac watch --json, vac shares and vac factories',
    );
    return 1;
  }
  const notes: string[] = [];
  const facts = await spaceFacts(spaceRequest(command), (text) => (json ? io.complain(text) : notes.push(text)));
  const options = askerOptions(facts, command.positionals);
  // A picture must not wait for the dead longer than for the next one.
  const timeoutSeconds = Math.min(facts.timeoutSeconds, intervalSeconds);
  const asker = await SpaceAsker.open({ ...options, timeoutSeconds });
  const watching = new Watching(asker, facts, socketPath(command.text('state-dir')!), intervalSeconds, io);
  for (const signal of SIGNALS) process.once(signal, watching.end);
  // A reader that went away.
  stdout.once('error', watching.end);
  const waiting = [`asking the factories of space ${facts.space} …`, ...notes];
  const output = json ? new WatchLines(io) : new WatchScreen({ io, intervalSeconds, waiting, onEnd: watching.end });
  try {
    await watching.untilEnd(output);
  } finally {
    for (const signal of SIGNALS) process.off(signal, watching.end);
    stdout.off('error', watching.end);
    output.close();
    await asker.close();
  }
  return 0;
}

class Watching {
  private ended = false;
  private wake: () => void = () => {};

  constructor(
    private readonly asker: SpaceAsker,
    private readonly facts: SpaceFacts,
    private readonly socket: string,
    private readonly intervalSeconds: number,
    private readonly io: Io,
  ) {}

  readonly end = (): void => {
    this.ended = true;
    this.wake();
  };

  async untilEnd(output: WatchOutput): Promise<void> {
    while (!this.ended) {
      const began = performance.now();
      const ended = new Promise<null>((resolve) => this.onEnd(() => resolve(null)));
      const picture = await Promise.race([this.picture(), ended]);
      if (this.ended || picture === null) return;
      output.show(picture);
      await this.pause(this.intervalSeconds * 1000 - (performance.now() - began));
    }
  }

  private async picture(): Promise<Picture> {
    const [local, factories, machinetypes] = await Promise.all([
      this.localStatus(),
      this.asker.ask('factory_query'),
      this.asker.ask('machinetypes_query'),
    ]);
    return {
      facts: {
        space: this.facts.space,
        factories: factories.answers,
        machinetypes: machinetypes.answers,
        local,
        configured: this.facts.configured,
      },
      moment: { nowMs: machinetypes.nowMs, nowSeconds: this.io.view().nowSeconds, unaskable: factories.problems },
    };
  }

  /** The space is worth a look without the vacd here. */
  private async localStatus() {
    if (this.facts.space !== this.facts.ownSpace) return null;
    return localStatus(this.socket, this.intervalSeconds * 1000);
  }

  private onEnd(call: () => void): void {
    this.wake = call;
  }

  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.max(0, milliseconds));
      this.onEnd(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
