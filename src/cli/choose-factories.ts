/** Which factories are meant by the names on the command line. */

import { nearest } from '../config/nearest.js';
import { VacError } from '../errors.js';
import type { SpaceFacts } from './space-facts.js';

const HOST_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/**
 * FQDNs of the factories named, each once; of all when none is. A name may be the first label of one factory of the
 * space. Of another space than that of this host nothing is known here: its factories are named in full.
 *
 * @throws VacError `no-such-thing` for names that are none, or not only one
 */
export function chooseFactories(
  named: readonly string[],
  { space, ownSpace, factories, source }: Pick<SpaceFacts, 'space' | 'ownSpace' | 'factories' | 'source'>,
): string[] {
  if (space !== ownSpace) {
    if (named.length > 0) return [...new Set(named.map(asHostName))];
    const known = ownSpace === null ? '' : `, which is not the space of ${source} (${ownSpace})`;
    throw new VacError('usage', `the factories of space ${space} are not known here${known}: name them, in full`);
  }
  if (named.length === 0) return [...factories];
  return [...new Set(named.map((name) => chosen(name.toLowerCase(), factories, space)))];
}

function chosen(name: string, factories: readonly string[], space: string): string {
  if (factories.includes(name)) return name;
  const matches = factories.filter((factory) => factory.startsWith(`${name}.`));
  if (matches.length === 1) return matches[0]!;
  if (matches.length > 1) {
    throw new VacError('no-such-thing', `"${name}" may be ${matches.join(' or ')}: say which`);
  }
  const guess = nearest(name, name.includes('.') ? factories : factories.map((factory) => factory.split('.')[0]!));
  const hint =
    guess === null
      ? `; vac factories lists them, and --space SPACE asks factories of another space`
      : `: did you mean ${guess}?`;
  throw new VacError('no-such-thing', `"${name}" is no factory of space ${space}${hint}`);
}

function asHostName(name: string): string {
  const lower = name.toLowerCase();
  if (HOST_NAME.test(lower)) return lower;
  throw new VacError('no-such-thing', `"${name}" is no host name`);
}
