/**
 * What is generated from the tables of commands: the manual pages and the completion of shells. To write them:
 * `npx tsx src/cli/reference.ts etc`.
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { bashCompletion } from './completion-bash.js';
import { zshCompletion } from './completion-zsh.js';
import { vacdManPage, vacManPage } from './man.js';

/** The generated files by name, below `etc/`. */
export const CLI_REFERENCE_FILES: Readonly<Record<string, () => string>> = {
  'man/vac.1': vacManPage,
  'man/vacd.8': vacdManPage,
  'completion/vac.bash': bashCompletion,
  'completion/_vac': zshCompletion,
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const directory = process.argv[2];
  if (directory === undefined) throw new Error('usage: tsx src/cli/reference.ts DIRECTORY (etc)');
  for (const [name, generate] of Object.entries(CLI_REFERENCE_FILES)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), generate());
  }
}
