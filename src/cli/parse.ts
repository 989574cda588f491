/** From the words after `vac` to a command with its arguments and options, by the table in `commands.ts`. */

import { parseArgs } from 'node:util';
import { nearest } from '../config/nearest.js';
import { VacError } from '../errors.js';
import {
  allOptions,
  COMMAND_TABLE,
  type CommandName,
  GLOBAL_OPTIONS,
  isCommand,
  type OptionSpec,
  optionsOf,
  usageArguments,
  VISIBLE_COMMANDS,
} from './commands.js';

/** Options and arguments that are known to be in the table, so a mistyped name here is a programmer's error. */
export class CommandLine {
  constructor(
    readonly positionals: readonly string[],
    private readonly specs: Readonly<Record<string, OptionSpec>>,
    private readonly given: ReadonlyMap<string, readonly string[]>,
  ) {}

  /** Whether it was given, whatever its default is. */
  has(name: string): boolean {
    this.spec(name);
    return this.given.has(name);
  }

  /** The option's value, the last one if it was given more than once; else its default, if it has one. */
  text(name: string): string | undefined {
    return this.given.get(name)?.at(-1) ?? this.spec(name).default;
  }

  /** All its values; undefined when it was not given. */
  texts(name: string): readonly string[] | undefined {
    this.spec(name);
    return this.given.get(name);
  }

  /**
   * A number above 0, and of `most` at most.
   *
   * @throws VacError `usage`
   */
  positiveNumber(name: string, unit: string, most = Number.MAX_SAFE_INTEGER): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const number = Number(text);
    if (!Number.isFinite(number) || number <= 0 || number > most) {
      const range = most === Number.MAX_SAFE_INTEGER ? 'above 0' : `above 0, up to ${most}`;
      throw new VacError('usage', `--${name} "${text}": expected a number of ${unit} ${range}`);
    }
    return number;
  }

  private spec(name: string): OptionSpec {
    const spec = this.specs[name];
    if (spec === undefined) throw new Error(`option ${name} is not in the table of this command`);
    return spec;
  }
}

export type Parsed =
  | { readonly kind: 'version' }
  /** Null: of vac itself. */
  | { readonly kind: 'help'; readonly command: CommandName | null }
  /** Nothing was asked for. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'command'; readonly command: CommandName; readonly line: CommandLine };

/**
 * Options may stand before the command or after it.
 *
 * @throws VacError `usage`, with the nearest name where a name is unknown
 */
export function parseCommandLine(args: readonly string[]): Parsed {
  const word = firstPositional(args);
  const command = word?.value;
  if (command !== undefined && !isCommand(command)) {
    throw unknownName(
      'command',
      command,
      VISIBLE_COMMANDS.map(([name]) => name),
      '',
      'vac --help lists them',
    );
  }
  const specs = command === undefined ? GLOBAL_OPTIONS : optionsOf(command);
  const where = command === undefined ? 'vac' : `vac ${command}`;
  const rest = word === undefined ? args : [...args.slice(0, word.index), ...args.slice(word.index + 1)];
  const line = readLine(rest, specs, where);
  if (line.has('version')) return { kind: 'version' };
  if (line.has('help')) return { kind: 'help', command: command ?? null };
  if (command === undefined) return { kind: 'nothing' };
  checkCount(command, line.positionals);
  return { kind: 'command', command, line };
}

/**
 * Reads options and arguments of a table of options, for `vacd` too.
 *
 * @param where begins what is said of a mistake's help: `vac drain` → `see vac drain --help`
 * @throws VacError `usage`
 */
export function readLine(
  args: readonly string[],
  specs: Readonly<Record<string, OptionSpec>>,
  where: string,
): CommandLine {
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: parseArgsOptions(specs),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, value } = token;
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
    if (spec === undefined) throw unknownOption(name, rawName, specs, where);
    if (spec.type === 'boolean' && value !== undefined) {
      throw new VacError('usage', `--${name} takes no value ("${value}"); see ${where} --help`);
    }
    // `--space --json`: what follows is an option, and the value was forgotten; `--space=--x` is meant so.
    const isMissing =
      spec.type === 'string' &&
      (value === undefined || value.trim() === '' || (!token.inlineValue && /^--?[a-z]/i.test(value)));
    if (isMissing) throw new VacError('usage', `${rawName} needs a value, ${spec.value}; see ${where} --help`);
    if (spec.choices?.includes(value ?? '') === false) throw unknownChoice(name, value ?? '', spec.choices);
    given.set(name, [...(given.get(name) ?? []), value ?? '']);
  }
  return new CommandLine(positionals, specs, given);
}

/** The command that a line begins with, which may be wrong in all else; null: none. */
export function namedCommand(args: readonly string[]): CommandName | null {
  try {
    const name = firstPositional(args)?.value ?? '';
    return isCommand(name) ? name : null;
  } catch {
    return null;
  }
}

/** The command's place among the words: options before it may have values, so all options of all commands count. */
function firstPositional(args: readonly string[]): { index: number; value: string } | undefined {
  const { tokens } = parseArgs({
    args: [...args],
    options: parseArgsOptions(allOptions()),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === 'positional') return token;
    // What follows an option that nobody knows may be its value, and no command.
    if (token.kind === 'option' && !Object.hasOwn(allOptions(), token.name)) {
      throw unknownOption(token.name, token.rawName, allOptions(), 'vac');
    }
  }
  return undefined;
}

function parseArgsOptions(specs: Readonly<Record<string, OptionSpec>>) {
  return Object.fromEntries(
    Object.entries(specs).map(([name, { type, short }]) => [name, short === undefined ? { type } : { type, short }]),
  );
}

function checkCount(command: CommandName, positionals: readonly string[]): void {
  const { arguments: wanted } = COMMAND_TABLE[command];
  const least = wanted.filter(({ count }) => count === 'one' || count === 'some').length;
  const isBounded = wanted.every(({ count }) => count === 'one' || count === 'optional');
  if (positionals.includes('')) throw new VacError('usage', `${command}: an argument is empty; is a variable not set?`);
  const { options } = COMMAND_TABLE[command];
  const words = [usageArguments(COMMAND_TABLE[command]), ...(Object.keys(options).length > 0 ? ['[OPTION...]'] : [])];
  const usage = `usage: vac ${command} ${words.join(' ').trim()}`.trimEnd();
  if (positionals.length < least) {
    throw new VacError('usage', `${command} needs ${wanted[positionals.length]!.name}; ${usage}`);
  }
  if (isBounded && positionals.length > wanted.length) {
    throw new VacError('usage', `${command} does not understand "${positionals[wanted.length]}"; ${usage}`);
  }
}

function unknownOption(
  name: string,
  rawName: string,
  specs: Readonly<Record<string, OptionSpec>>,
  where: string,
): VacError {
  const known = Object.entries(specs).flatMap(([each, { hidden }]) => (hidden === true ? [] : [each]));
  return unknownName('option', name.length === 1 ? rawName : name, known, '--', `see ${where} --help`);
}

function unknownChoice(name: string, value: string, choices: readonly string[]): VacError {
  const guess = nearest(value, choices);
  return new VacError(
    'usage',
    `--${name} "${value}": expected one of ${choices.join(', ')}${guess === null ? '' : ` (did you mean ${guess}?)`}`,
  );
}

/** What is said of a name that is not known, with the nearest one that is. */
export function unknownName(
  kind: string,
  name: string,
  known: readonly string[],
  prefix: string,
  help: string,
): VacError {
  const guess = nearest(name, known);
  const written = name.startsWith('-') ? name : `${prefix}${name}`;
  return new VacError(
    'usage',
    `there is no ${kind} "${written}"${guess === null ? '' : `: did you mean ${prefix}${guess}?`}; ${help}`,
  );
}
