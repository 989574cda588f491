/** The hostile and the innocent machine's user_data, and what the hostile one said came of its attacks. */

import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { writeUserDataWith } from '../guest-program.js';

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Writes the hostile machine's user_data, its tools within, to a file. */
export async function writeHostileUserData(path: string): Promise<void> {
  await writeUserDataWith(path, here('hostile.sh'), here('attack.c'));
}

export async function writeInnocentUserData(path: string): Promise<void> {
  await writeFile(path, await readFile(here('innocent.sh'), 'utf8'));
}

export interface Outcome {
  /** What the machine was told. */
  readonly result: string;
  /** Since it began. */
  readonly atSeconds: number;
}

/** What came of each attack, by its name, as the machine said on its console. */
export function outcomesIn(console: string): Map<string, Outcome> {
  const found = console.matchAll(/^ATTACK (\d+) ([^:\r]+): ?(.*?)\r?$/gm);
  return new Map([...found].map(([, at, name, result]) => [name!, { result: result!, atSeconds: Number(at) }]));
}

/** How long an attack took at most, in seconds: from what was said before it. Infinity: it was not said. */
export function secondsOf(outcomes: ReadonlyMap<string, Outcome>, name: string): number {
  const times = [...outcomes].map(([said, { atSeconds }]) => [said, atSeconds] as const);
  const index = times.findIndex(([said]) => said === name);
  return index < 0 ? Number.POSITIVE_INFINITY : times[index]![1] - (times[index - 1]?.[1] ?? 0) + 1;
}
