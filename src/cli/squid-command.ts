/** `vac squid-conf IN OUT`: the proxy's configuration file, written only when it would become another one. */

import { readFile, stat } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import type { Io } from './io.js';
import type { CommandLine } from './parse.js';
import { spaceFacts } from './space-facts.js';
import { squidConf } from './views/squid-conf.js';
import { counted } from './views/text.js';

export async function squidConfCommand(line: CommandLine, io: Io): Promise<number> {
  const [from, to] = line.positionals as [string, string];
  const { factories, ownFactory } = await spaceFacts(
    {
      configPaths: line.texts('config'),
      stateDir: line.text('state-dir')!,
      stateDirGiven: line.has('state-dir'),
    },
    (text) => io.complain(text),
  );
  const template = await readFile(from, 'utf8').catch((cause: Error) => {
    throw new VacError('usage', `${from} cannot be read: ${cause.message}`, { cause });
  });
  const made = squidConf(template, factories, ownFactory);
  if (!made.ok) throw new VacError('config-bad', `${from}: ${made.error}`);
  if ((await readTextIfThere(to)) === made.text) {
    io.print([`${to} is as it should be`]);
    return 0;
  }
  // A proxy's configuration may hold passwords: whoever could not read it, cannot now.
  const { mode, uid, gid } = await stat(to).catch(() => stat(from));
  await writeFileAtomic(to, made.text, { mode: mode & 0o777, uid, gid });
  const others = factories.filter((factory) => factory !== ownFactory).length;
  io.print([`${to} is written, with ${counted(others, 'sibling')}; tell the proxy: squid -k reconfigure`]);
  return 0;
}
