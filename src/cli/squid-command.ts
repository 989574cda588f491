/** `vac squid-conf IN OUT`: the proxy's configuration file, written only when it would become another one. */

import { readFile, stat } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
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
  const template = await readFile(from, 'utf8').catch((cause) => refuse(from, 'read', cause));
  const made = squidConf(template, factories, ownFactory);
  if (!made.ok) throw new VacError('config-bad', `${from}: ${made.error}`);
  const others = factories.filter((factory) => factory !== ownFactory);
  const changed = await writeIfOther(from, to, made.text).catch((cause) => refuse(to, 'written', cause));
  if (line.has('json')) io.print([jsonText({ changed, factories: others })]);
  else if (!changed) io.print([`${to} is as it should be`]);
  else io.print([`${to} is written, with ${counted(others.length, 'sibling')}; tell the proxy: squid -k reconfigure`]);
  return 0;
}

/** Whether it was written. */
async function writeIfOther(from: string, to: string, text: string): Promise<boolean> {
  if ((await readTextIfThere(to)) === text) return false;
  // A proxy's configuration may hold passwords: whoever could not read it, cannot now.
  const { mode, uid, gid } = await stat(to).catch(() => stat(from));
  await writeFileAtomic(to, text, { mode: mode & 0o777, uid, gid });
  return true;
}

/** @throws VacError `file-unusable` */
function refuse(path: string, what: 'read' | 'written', cause: unknown): never {
  const { code, message } = cause as NodeJS.ErrnoException;
  throw new VacError('file-unusable', `${path} cannot be ${what}: ${REASONS[code ?? ''] ?? message}`, { cause });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  ENOTDIR: 'there is no such directory',
  EISDIR: 'it is a directory',
  EACCES: 'permission denied (try sudo)',
  EPERM: 'permission denied (try sudo)',
  ENOSPC: 'no space is left there',
  EROFS: 'that file system is read-only',
};
