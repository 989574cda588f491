/**
 * All options of the configuration, in one table: the loader, the messages, the manual page and the option reference
 * are made from it. To add an option, add it to the table of its section (`settings-options.ts`,
 * `machinetype-options.ts`, `pipe-options.ts` or `overnight-options.ts`), to `types.ts`, and where its section is read
 * (`settings.ts`, `machinetype.ts`, `pipe.ts` or `overnight.ts`), then regenerate the reference (`reference.ts`).
 */
import { MACHINETYPE_OPTIONS } from './machinetype-options.js';
import { OVERNIGHT_OPTIONS } from './overnight-options.js';
import { VACUUM_PIPE_OPTIONS } from './pipe-options.js';
import { SETTINGS_OPTIONS } from './settings-options.js';
import type { ValueType } from './values.js';

/**
 * One option. Exactly one of `default`, `whenUnset` and `required` says what holds without it. With `whenUnset`, an
 * empty value is the same as none, so a later file can take an option back.
 */
export interface Option<T = unknown> {
  readonly type: ValueType<T>;
  readonly unit?: string;
  /** The default as an administrator would write it; may be the empty text. */
  readonly default?: string;
  /** In words, what holds when the option is not given; its value is then null. */
  readonly whenUnset?: string;
  readonly required?: true;
  /** One or two sentences. */
  readonly help: string;
  /** A vacuum pipe's document may set it. */
  readonly pipe?: true;
  /** Deprecated spellings; accepted with a warning. One spelling may stand for several options. */
  readonly old?: readonly string[];
  /** Read and checked, but not acted on by this version. The reference says so, and a warning wherever it is set. */
  readonly notYet?: NotYet;
  /** A change takes effect only at the next start of vacd (see `withRestartOptionsOf`). */
  readonly atRestart?: true;
}

export interface NotYet {
  /** What happens instead, and the way out if there is one: completes "not yet supported: ". */
  readonly instead: string;
  /** The values that are meant, in words and as their text; the default may be one. Absent: all but the default. */
  readonly values?: { readonly inWords: string; readonly pattern: RegExp };
}

/** Options by name. A name that ends in `_XXX` stands for any number of options, XXX being letters a-z, digits and _. */
export type OptionTable = Readonly<Record<string, Option>>;

/** The tables by kind of section. */
export const OPTION_TABLES = {
  settings: SETTINGS_OPTIONS as OptionTable,
  machinetype: MACHINETYPE_OPTIONS as OptionTable,
  vacuum_pipe: { ...MACHINETYPE_OPTIONS, ...VACUUM_PIPE_OPTIONS } as OptionTable,
  overnight: OVERNIGHT_OPTIONS as OptionTable,
} as const;

export type SectionKind = keyof typeof OPTION_TABLES;
