/** The pictures of `vac watch` on the whole terminal, drawn anew when its size changes; q or Ctrl-C is the end. */

import type { Io } from './io.js';
import { Screen } from './screen.js';
import { line, wrapped } from './views/text.js';
import { watchView } from './views/watch.js';
import type { Picture, WatchOutput } from './watch-output.js';

/** In raw mode Ctrl-C and Ctrl-D are keys like others. */
const END_KEYS = ['q', 'Q', '\u0003', '\u0004'];

export interface WatchScreenOptions {
  readonly io: Io;
  readonly intervalSeconds: number;
  /** What is shown before the first picture. */
  readonly waiting: readonly string[];
  readonly onEnd: () => void;
}

export class WatchScreen implements WatchOutput {
  private readonly screen = new Screen(process.stdout);
  private picture: Picture | null = null;

  constructor(private readonly options: WatchScreenOptions) {
    const { stdin, stdout } = process;
    stdout.on('resize', this.draw);
    if (stdin.isTTY) stdin.setRawMode(true).setEncoding('utf8').on('data', this.onKey);
    this.draw();
  }

  show(picture: Picture): void {
    this.picture = picture;
    this.draw();
  }

  close(): void {
    const { stdin, stdout } = process;
    stdout.off('resize', this.draw);
    if (stdin.isTTY) stdin.setRawMode(false).off('data', this.onKey).pause();
    this.screen.close();
  }

  private readonly draw = (): void => {
    const { io, intervalSeconds, waiting } = this.options;
    const { columns, rows } = this.screen.size();
    const view = { ...io.view(), columns };
    const lines =
      this.picture === null
        ? waiting.flatMap((text) => wrapped(text, view))
        : watchView(this.picture.facts, { ...view, ...this.picture.moment, rows: rows - 1 });
    this.screen.draw([...lines.slice(0, rows - 1), line(`every ${intervalSeconds} s; q ends`, view, 'dim')]);
  };

  private readonly onKey = (keys: string): void => {
    if ([...keys].some((key) => END_KEYS.includes(key))) this.options.onEnd();
  };
}
