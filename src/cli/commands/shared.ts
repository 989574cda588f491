/** What entries of several groups of the table of commands say alike. */

import type { ArgumentSpec } from '../commands.js';

/** What `vac completion-words KIND` can print. */
export const WORD_KINDS = ['commands', 'factories', 'machinetypes', 'machines', 'subjects'] as const;
export type WordKind = (typeof WORD_KINDS)[number];

export const FACTORIES = { name: 'FACTORY', count: 'any', words: 'factories' } as const satisfies ArgumentSpec;

export const COLUMNS_HELP =
  'Columns for which a terminal is too narrow are left out; where there is no terminal, none is.';

export const ASKED = [
  [0, 'all factories that were asked answered'],
  [1, 'some did not answer, or not in full; or an error'],
] as const;

export const ANSWERED = [
  [0, 'it is done'],
  [1, 'an error, such as that no vacd runs here'],
] as const;

export const TIME_HELP =
  'TIME is the next 18:00, a local "2026-11-22 18:00", 2026-11-22T18:00+01:00, a span from now as +2h, +30m or +1d12h, or Unix seconds. The time that was understood is said back with its zone.';
