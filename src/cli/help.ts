/** What `vac --help` and `vac COMMAND --help` say, from the table of commands. */

import { VERSION } from '../version.js';
import {
  ASKING_HELP,
  COMMAND_TABLE,
  type CommandGroup,
  type CommandName,
  type CommandSpec,
  commandOptions,
  GLOBAL_OPTIONS,
  GROUPS,
  type OptionSpec,
  USAGE_EXIT,
  usageArguments,
  VISIBLE_COMMANDS,
} from './commands.js';
import { wrapped } from './views/text.js';

/** Text for people is not read well in longer lines, however wide the terminal is. */
const MAX_COLUMNS = 100;
const DEFAULT_COLUMNS = 80;
/** Where the second column begins at most; what is longer stands on a line of its own. */
const MAX_TERM_COLUMNS = 26;
/** With less room than this for the second column there is none: words would be cut off. */
const MIN_MEANING_COLUMNS = 30;
const NARROW_INDENT = 6;

/** @param columns of the terminal; Infinity: there is none */
export function vacHelp(columns: number): string[] {
  const width = helpWidth(columns);
  const groups = (Object.keys(GROUPS) as CommandGroup[]).flatMap((group) => [
    '',
    ...wrap(`${GROUPS[group]}:`, width),
    ...terms(
      VISIBLE_COMMANDS.filter(([, spec]) => spec.group === group).map(
        ([name, spec]) => [`${name} ${usageArguments(spec)}`.trimEnd(), spec.summary] as const,
      ),
      width,
    ),
  ]);
  return [
    ...wrap(`vac ${VERSION}: asks factories what they do and why, and tells this one what to do`, width),
    '',
    'usage: vac COMMAND [OPTION...]',
    ...groups,
    '',
    'Options of every command:',
    ...terms(optionTerms(GLOBAL_OPTIONS), width),
    '',
    ...wrap(
      `Most take -J, --json. vac COMMAND --help says more: options, examples, exit codes. So does vac(1).`,
      width,
    ),
  ];
}

export function commandHelp(name: CommandName, columns: number): string[] {
  const width = helpWidth(columns);
  const spec = COMMAND_TABLE[name];
  const { examples } = spec;
  const options = commandOptions(name);
  return [
    ...wrap(`vac ${name}: ${spec.summary}`, width),
    '',
    `usage: vac ${name} ${usageArguments(spec)} [OPTION...]`.replace(/ +/g, ' '),
    ...commandParagraphs(name).flatMap((paragraph) => ['', ...wrap(paragraph, width)]),
    ...(Object.keys(options).length === 0 ? [] : ['', 'Options:', ...terms(optionTerms(options), width)]),
    '',
    'Options of every command:',
    ...terms(optionTerms(GLOBAL_OPTIONS), width),
    ...(examples.length === 0 ? [] : ['', 'Examples:', ...terms(examples, width)]),
    '',
    'Exit codes:',
    ...terms(
      exitCodesOf(name).map(([code, meaning]) => [String(code), meaning] as const),
      width,
    ),
  ];
}

export function commandParagraphs(name: CommandName): readonly string[] {
  const { help, asks } = COMMAND_TABLE[name];
  return asks === 'all' ? [...help, ASKING_HELP] : help;
}

/** With the one that all have; a plugin of a monitor has codes of its own. */
export function exitCodesOf(name: CommandName): CommandSpec['exitCodes'] {
  const { exitCodes } = COMMAND_TABLE[name];
  return exitCodes.some(([code]) => code === USAGE_EXIT[0]) ? exitCodes : [...exitCodes, USAGE_EXIT];
}

/** `-s, --space SPACE`. */
export function optionUsage(name: string, { short, value }: OptionSpec): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

/** What an option does, with its values and its default. */
export function optionHelp({ help, choices, default: preset }: OptionSpec): string {
  const values = choices === undefined ? '' : ` One of ${choices.join(', ')}.`;
  return `${help}${values}${preset === undefined ? '' : ` Default: ${preset}.`}`;
}

export function optionTerms(options: Readonly<Record<string, OptionSpec>>): (readonly [string, string])[] {
  return Object.entries(options)
    .filter(([, { hidden }]) => hidden !== true)
    .map(([name, option]) => [optionUsage(name, option), optionHelp(option)] as const);
}

/** Two columns: what is explained, and what it means. */
export function terms(entries: readonly (readonly [string, string])[], width: number): string[] {
  const fitting = entries.map(([term]) => term.length).filter((length) => length <= MAX_TERM_COLUMNS);
  const beside = Math.max(0, ...fitting) + 4;
  const indent = width - beside < MIN_MEANING_COLUMNS ? NARROW_INDENT : beside;
  return entries.flatMap(([term, meaning]) => {
    const lines = wrap(meaning, width - indent).map((line) => `${' '.repeat(indent)}${line}`);
    const head = `  ${term}`;
    return head.length + 2 <= indent
      ? [head.padEnd(indent) + lines[0]!.slice(indent), ...lines.slice(1)]
      : [head, ...lines];
  });
}

/** A paragraph as lines. */
export function wrap(text: string, width: number): string[] {
  return wrapped(text, { columns: width, nowSeconds: 0, colour: false }, 0);
}

export function helpWidth(columns: number): number {
  return Number.isFinite(columns) ? Math.min(columns, MAX_COLUMNS) : DEFAULT_COLUMNS;
}
