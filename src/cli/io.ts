/** Where a command's words go, and how wide and how coloured they may be. */

import { cut, harmless, type ViewOptions } from './views/text.js';

const CLEAR_LINE = '\u001b[K';

export interface Io {
  /** Lines on the standard output. */
  print(lines: readonly string[]): void;
  /** A line on the standard error, or more, made harmless, with the program's name before it. */
  complain(text: string): void;
  /** A line on the standard error that the next one, or null, takes away again; nothing where that is no terminal. */
  passing(text: string | null): void;
  /** As of now: a terminal may be made wider. */
  view(): ViewOptions;
}

/** The streams of this process. Without a terminal nothing is coloured or cut. */
export function processIo(colour: boolean): Io {
  const { stdout, stderr } = process;
  return {
    print: (lines) => {
      if (lines.length > 0) stdout.write(`${lines.join('\n')}\n`);
    },
    complain: (text) => stderr.write(`vac: ${text.split('\n').map(harmless).join('\n')}\n`),
    passing: (text) => {
      if (stderr.isTTY)
        stderr.write(`\r${CLEAR_LINE}${text === null ? '' : cut(harmless(text), (stderr.columns || 80) - 1)}`);
    },
    view: () => ({
      columns: stdout.isTTY ? stdout.columns || 80 : Number.POSITIVE_INFINITY,
      nowSeconds: Math.floor(Date.now() / 1000),
      colour: colour && stdout.isTTY,
    }),
  };
}

/** NO_COLOR (no-color.org) counts unless it is empty; a terminal that calls itself dumb has no colours. */
export function wantsColour(env: NodeJS.ProcessEnv): boolean {
  return (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}
