/**
 * The commands of `vac` as one table: what is parsed, said by `--help`, printed in vac(1) and completed by shells comes
 * from here alone, group by group from `commands/`. What they do is in `main.ts` and the files that it names.
 */

import { FACTORY_COMMANDS } from './commands/factory.js';
import { RECORD_COMMANDS } from './commands/records.js';
import type { WordKind } from './commands/shared.js';
import { SPACE_COMMANDS } from './commands/space.js';
import { TOOL_COMMANDS } from './commands/tools.js';

/** What a shell may offer for a word: file names, or words that `vac completion-words KIND` prints. */
export type Words = 'files' | 'directories' | WordKind;

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: true;
  /** What its value is called. */
  readonly value?: string;
  readonly default?: string;
  /** The only values that there are. */
  readonly choices?: readonly string[];
  readonly help: string;
  readonly words?: Words;
  /** Understood, and told nobody: another spelling. */
  readonly hidden?: true;
}

export interface ArgumentSpec {
  readonly name: string;
  /** How many of them: 1, 0 or 1, any number, 1 or more. */
  readonly count: 'one' | 'optional' | 'any' | 'some';
  readonly words?: Words;
}

export type CommandGroup = 'space' | 'factory' | 'records' | 'tools';

export interface CommandSpec {
  readonly group: CommandGroup;
  readonly arguments: readonly ArgumentSpec[];
  /** Its own: besides those of `json`, `asks` and `GLOBAL_OPTIONS`. */
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Takes `JSON_OPTION`. */
  readonly json?: true;
  /** Asks factories over the network, and takes `ASKING_OPTIONS`: all when none is named (`ASKING_HELP`), or those named. */
  readonly asks?: 'all' | 'named';
  /** One line. */
  readonly summary: string;
  /** Paragraphs. */
  readonly help: readonly string[];
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly exitCodes: readonly (readonly [code: number, meaning: string])[];
  /** Told nobody: for scripts of ours. */
  readonly hidden?: true;
}

export const GROUPS: Readonly<Record<CommandGroup, string>> = {
  space: 'The space: all its factories are asked by VacQuery',
  factory: 'The factory on this host: its vacd is asked, or told, through its socket',
  records: 'The machines of this host: what they sent, did and used',
  tools: 'For other programs, and before changes',
};

/** Options that every command takes. */
export const GLOBAL_OPTIONS = {
  config: {
    type: 'string',
    multiple: true,
    value: 'FILE',
    words: 'files',
    help: 'Read the configuration from this file or directory instead of /etc/vac.d, /etc/vac.conf and /run/vac.conf. May be given more than once.',
  },
  'state-dir': {
    type: 'string',
    value: 'DIR',
    default: '/var/lib/vac',
    words: 'directories',
    help: "State directory of this host's vacd, where its socket is.",
  },
  'no-colour': { type: 'boolean', help: 'No colours, on terminals too; so does NO_COLOR in the environment.' },
  'no-color': { type: 'boolean', help: 'The same.', hidden: true },
  help: { type: 'boolean', short: 'h', help: 'Say what vac, or the command, does.' },
  version: { type: 'boolean', help: 'Say which version this is.' },
} as const satisfies Record<string, OptionSpec>;

export const JSON_OPTION = {
  json: { type: 'boolean', short: 'J', help: 'JSON for programs instead of text for people.' },
} as const satisfies Record<string, OptionSpec>;

/** Of the commands that ask factories over the network. */
export const ASKING_OPTIONS = {
  space: {
    type: 'string',
    short: 's',
    value: 'SPACE',
    help: "Name of the space to ask, instead of the configuration's. Of another space, name the factories to ask by their full names.",
  },
  timeout: {
    type: 'string',
    short: 't',
    value: 'SECONDS',
    help: 'How long to wait for factories that do not answer (default: udp_timeout_seconds of the configuration, else 10).',
  },
} as const satisfies Record<string, OptionSpec>;

export const ASKING_HELP =
  'Without FACTORY, all factories of the space are asked. A FACTORY may be named by its first label, as wn01. What arrived is printed even when some did not answer; one line on the standard error then says which.';

/** What every command ends with when its line cannot be understood. */
export const USAGE_EXIT = [2, 'the command line is wrong'] as const;

export const COMMANDS = {
  ...SPACE_COMMANDS,
  ...FACTORY_COMMANDS,
  ...RECORD_COMMANDS,
  ...TOOL_COMMANDS,
} as const satisfies Record<string, CommandSpec>;

export type CommandName = keyof typeof COMMANDS;

/** The table with its entries as the general type, for those that walk over it. */
export const COMMAND_TABLE: Readonly<Record<CommandName, CommandSpec>> = COMMANDS;

export const VISIBLE_COMMANDS = (Object.entries(COMMAND_TABLE) as [CommandName, CommandSpec][]).filter(
  ([, { hidden }]) => hidden !== true,
);

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** Options of a command that not every command takes. */
export function commandOptions(name: CommandName): Readonly<Record<string, OptionSpec>> {
  const { options, json, asks } = COMMAND_TABLE[name];
  return { ...options, ...(json === true ? JSON_OPTION : {}), ...(asks !== undefined ? ASKING_OPTIONS : {}) };
}

/** All options that a command takes. */
export function optionsOf(name: CommandName): Readonly<Record<string, OptionSpec>> {
  return { ...commandOptions(name), ...GLOBAL_OPTIONS };
}

/** All options that there are: one name means the same in all commands that take it. */
export function allOptions(): Readonly<Record<string, OptionSpec>> {
  const names = Object.keys(COMMANDS) as CommandName[];
  return Object.assign({}, ...names.map(optionsOf));
}

/** Arguments as a line of usage has them: `NAME [FACTORY...]`. */
export function usageArguments(spec: Pick<CommandSpec, 'arguments'>): string {
  const forms = {
    one: (name: string) => name,
    optional: bracketed,
    any: (n: string) => `[${n}...]`,
    some: (n: string) => `${n}...`,
  };
  return spec.arguments.map(({ name, count }) => forms[count](name)).join(' ');
}

function bracketed(name: string): string {
  return `[${name}]`;
}
