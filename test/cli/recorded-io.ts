/** What a command says where there is no terminal. */

import type { Io } from '../../src/cli/io.js';
import type { Ended } from './isolated-host.js';

/** @param nowSeconds undefined: by the clock */
export async function recorded(run: (io: Io) => Promise<number>, nowSeconds?: number): Promise<Ended> {
  let [stdout, stderr] = ['', ''];
  const code = await run({
    print: (lines) => {
      stdout += lines.map((line) => `${line}\n`).join('');
    },
    complain: (text) => {
      stderr += `vac: ${text}\n`;
    },
    passing: () => {},
    view: () => ({
      columns: Number.POSITIVE_INFINITY,
      nowSeconds: nowSeconds ?? Math.floor(Date.now() / 1000),
      colour: false,
    }),
  });
  return { code, stdout, stderr };
}
