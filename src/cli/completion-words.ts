/**
 * `vac completion-words KIND`: what a shell may offer, a word a line. Whoever presses a key waits for it, so it asks
 * nothing but files and this host's own socket, briefly; and what fails is left out without a word.
 */

import { loadConfig, readConfigFiles } from '../config/index.js';
import type { Config } from '../config/types.js';
import { hostFqdn } from '../daemon/entry.js';
import type { FactoryStatus } from '../daemon/status.js';
import { WORD_KINDS, type WordKind } from './commands/shared.js';
import { VISIBLE_COMMANDS } from './commands.js';
import type { Io } from './io.js';
import { localStatus } from './local-status.js';
import type { CommandLine } from './parse.js';
import { pipesHere } from './pipes-here.js';
import { socketPath } from './space-facts.js';
import { shortener } from './views/text.js';

const DAEMON_MS = 300;
/** Shells expand what they are given: only what no shell finds anything in, and vac no option. */
const HARMLESS = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

export async function completionWords(line: CommandLine, io: Io): Promise<number> {
  const kind = WORD_KINDS.find((each) => each === line.positionals[0]);
  const words = kind === undefined ? [] : await wordsOf(kind, line).catch(() => []);
  io.print([...new Set(words)].filter((word) => HARMLESS.test(word)).sort());
  return 0;
}

async function wordsOf(kind: WordKind, line: CommandLine): Promise<readonly string[]> {
  switch (kind) {
    case 'commands':
      return VISIBLE_COMMANDS.map(([name]) => name);
    case 'factories': {
      const factories = (await configuration(line))?.settings.factories ?? [];
      return factories.map(shortener(factories));
    }
    case 'machinetypes':
      return machinetypes(line);
    case 'machines':
      return machines(line);
    case 'subjects':
      return [...(await machinetypes(line)), ...(await machines(line))];
  }
}

async function machinetypes(line: CommandLine): Promise<string[]> {
  const config = await configuration(line);
  const all = config === null ? null : (await pipesHere(config, line.text('state-dir')!)).config;
  const configured = all?.machinetypes.map(({ name }) => name);
  return configured ?? (await status(line))?.shares.map(({ machinetype }) => machinetype) ?? [];
}

async function machines(line: CommandLine): Promise<string[]> {
  const running = (await status(line))?.machines.filter(({ phase }) => phase !== 'cleared') ?? [];
  return running.map(({ hostname }) => hostname.split('.')[0]!);
}

async function configuration(line: CommandLine): Promise<Config | null> {
  const { files } = await readConfigFiles(line.texts('config'));
  const result = loadConfig(files, { hostFqdn: hostFqdn() });
  return result.ok ? result.config : null;
}

function status(line: CommandLine): Promise<FactoryStatus | null> {
  return localStatus(socketPath(line.text('state-dir')!), DAEMON_MS);
}
