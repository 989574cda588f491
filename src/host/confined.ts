/**
 * Runs a program over data that strangers made (images): without root, with little memory and processor time, and unable
 * to write files, as far as this host lets us. A fault in its parser is then worth little.
 */

import { type RunOptions, type RunResult, run } from './exec.js';

const MEMORY_BYTES = 2 * 2 ** 30;
const CPU_SECONDS = 60;

const LIMITS = ['prlimit', `--as=${MEMORY_BYTES}`, `--cpu=${CPU_SECONDS}`, '--fsize=0', '--core=0'];
/** As nobody, who may read every file (a site's images may be root's alone) and do nothing else that root may. */
const NOBODY = [
  'setpriv',
  '--reuid=nobody',
  '--regid=nogroup',
  '--clear-groups',
  '--no-new-privs',
  '--bounding-set=-all,+dac_read_search',
  '--inh-caps=-all,+dac_read_search',
  '--ambient-caps=-all,+dac_read_search',
];
const NOBODYS_GROUPS = ['nogroup', 'nobody'];

/** From the narrowest to none at all; containers without the capability have only the later ones. */
const CONFINEMENTS: readonly (readonly string[])[] = [
  ...NOBODYS_GROUPS.map((group) => [...LIMITS, ...NOBODY.map((word) => word.replace('nogroup', group))]),
  LIMITS,
  [],
];

let chosen: Promise<readonly string[]> | null = null;

/** As `run`, confined. @throws CommandError */
export async function runConfined(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<RunResult> {
  chosen ??= narrowest();
  const [first = command, ...words] = [...(await chosen), command, ...args];
  return await run(first, words, options);
}

/** What this host can do is tried once. */
async function narrowest(): Promise<readonly string[]> {
  for (const words of CONFINEMENTS) {
    const [first, ...rest] = [...words, 'true'];
    const works = await run(first!, rest).then(
      () => true,
      () => false,
    );
    if (works) return words;
  }
  return [];
}
