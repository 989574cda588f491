/** `vac watch`: the space on the whole screen, asked anew every few seconds, until q or Ctrl-C. */

import type { FactoryStatus as LocalStatus } from '../daemon/status.js';
import { VacError } from '../errors.js';
import { SpaceAsker } from './ask-space.js';
import type { Io } from './io.js';
import { localStatus } from './local-status.js';
import type { CommandLine } from './parse.js';
import { Screen } from './screen.js';
import { askerOptions, spaceRequest } from './space-commands.js';
import { type SpaceFacts, socketPath, spaceFacts } from './space-facts.js';
import type { PollMoment } from './views/factory-problems.js';
import { line, wrapped } from './views/text.js';
import { type WatchFacts, watchView } from './views/watch.js';

const MAX_INTERVAL_SECONDS = 3600;
/** In raw mode Ctrl-C and Ctrl-D are keys like others. */
const END_KEYS = ['q', 'Q', '\u0003', '\u0004'];

/** @throws VacError `usage` without a terminal */
export async function watch(command: CommandLine, io: Io): Promise<number> {
  const { stdin, stdout } = process;
  const intervalSeconds = command.positiveNumber('interval', 'seconds')!;
  if (intervalSeconds > MAX_INTERVAL_SECONDS) {
    throw new VacError('usage', `--interval ${intervalSeconds}: expected at most ${MAX_INTERVAL_SECONDS} seconds`);
  }
  if (!stdout.isTTY) {
    io.complain('watch needs a terminal; for a pipe or a file there are vac shares, vac factories and vac machines');
    return 1;
  }
  const notes: string[] = [];
  const facts = await spaceFacts(spaceRequest(command), (text) => notes.push(text));
  const options = askerOptions(facts, command.positionals);
  // A picture must not wait for the dead longer than for the next one.
  const timeoutSeconds = Math.min(facts.timeoutSeconds, intervalSeconds);
  const asker = await SpaceAsker.open({ ...options, timeoutSeconds });
  const watching = new Watching(asker, facts, socketPath(command.text('state-dir')!), intervalSeconds, notes, io);

  const end = () => watching.end();
  const onKey = (keys: string) => {
    if ([...keys].some((key) => END_KEYS.includes(key))) end();
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.once(signal, end);
  stdout.on('resize', watching.draw);
  if (stdin.isTTY) stdin.setRawMode(true).setEncoding('utf8').on('data', onKey);
  try {
    await watching.untilEnd();
  } finally {
    stdout.off('resize', watching.draw);
    for (const signal of signals) process.off(signal, end);
    if (stdin.isTTY) stdin.setRawMode(false).off('data', onKey).pause();
    watching.close();
    await asker.close();
  }
  return 0;
}

class Watching {
  private readonly screen = new Screen(process.stdout);
  /** The last answers, and when they were: ages are as of then, whenever the picture is drawn again. */
  private known: { readonly facts: WatchFacts; readonly moment: PollMoment } | null = null;
  private ended = false;
  private wake: () => void = () => {};

  constructor(
    private readonly asker: SpaceAsker,
    private readonly facts: SpaceFacts,
    private readonly socket: string,
    private readonly intervalSeconds: number,
    private readonly notes: readonly string[],
    private readonly io: Io,
  ) {}

  readonly end = (): void => {
    this.ended = true;
    this.wake();
  };

  close(): void {
    this.screen.close();
  }

  async untilEnd(): Promise<void> {
    this.draw();
    while (!this.ended) {
      const began = performance.now();
      await Promise.race([this.refresh(), new Promise<void>((resolve) => this.onEnd(resolve))]);
      if (this.ended) return;
      this.draw();
      await this.pause(this.intervalSeconds * 1000 - (performance.now() - began));
    }
  }

  readonly draw = (): void => {
    const { columns, rows } = this.screen.size();
    const view = { ...this.io.view(), columns };
    const picture =
      this.known === null
        ? [`asking the factories of space ${this.facts.space} …`, ...this.notes].flatMap((text) => wrapped(text, view))
        : watchView(this.known.facts, { ...view, ...this.known.moment, rows: rows - 1 });
    this.screen.draw([...picture.slice(0, rows - 1), line(`every ${this.intervalSeconds} s; q ends`, view, 'dim')]);
  };

  private async refresh(): Promise<void> {
    const [local, factories, machinetypes] = await Promise.all([
      this.localStatus(),
      this.asker.ask('factory_query'),
      this.asker.ask('machinetypes_query'),
    ]);
    this.known = {
      facts: {
        space: this.facts.space,
        factories: factories.answers,
        machinetypes: machinetypes.answers,
        local,
        configured: this.facts.configured,
      },
      moment: { nowMs: machinetypes.nowMs, nowSeconds: this.io.view().nowSeconds },
    };
  }

  /** The space is worth a look without the vacd here. */
  private async localStatus(): Promise<LocalStatus | null> {
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
