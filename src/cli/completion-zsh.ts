/**
 * Completion for zsh, from the table of commands. Words that only this host knows come from `vac completion-words`,
 * and not at all when that fails.
 */

import {
  type ArgumentSpec,
  type CommandSpec,
  GLOBAL_OPTIONS,
  type OptionSpec,
  optionsOf,
  VISIBLE_COMMANDS,
  type Words,
} from './commands.js';

const TEMPLATE = String.raw`#compdef vac
# Completion of vac for zsh. Generated from src/cli/commands.ts; change it there.

# Words of a kind, the last argument, that this host's configuration or vacd knows; before it come options of compadd.
_vac_words() {
    local -a found
    _vac_source
    found=(\${(f)"$(vac completion-words $argv[-1] $vac_source 2>/dev/null)"})
    compadd "\${(@)argv[1,-2]}" -a found
}

# Which configuration or vacd is meant; options before the command and after it are parsed one after the other.
_vac_source() {
    local option
    for option in --config --state-dir; do
        [[ -n $opt_args[$option] ]] && vac_source+=($option \${(Q)opt_args[$option]})
    done
}

_vac() {
    local curcontext=$curcontext state
    local -a vac_source commands
    typeset -A opt_args
    _arguments -C -s \
@GLOBAL@
        '(-)1:command:->command' \
        '(-)*::argument:->argument'
    _vac_source
    case $state in
    command)
        commands=(
@COMMANDS@
        )
        _describe -t commands 'command' commands
        ;;
    argument)
        case $words[1] in
@ARGUMENTS@
        esac
        ;;
    esac
}

_vac "$@"
`.replaceAll('\\$', '$');

export function zshCompletion(): string {
  const parts: Readonly<Record<string, readonly string[]>> = {
    GLOBAL: optionSpecs(GLOBAL_OPTIONS).map((spec) => `        ${spec} \\`),
    COMMANDS: VISIBLE_COMMANDS.map(([name, { summary }]) => `            ${quoted(`${name}:${summary}`)}`),
    ARGUMENTS: VISIBLE_COMMANDS.flatMap(([name, spec]) => [
      `        ${name})`,
      '            _arguments -s \\',
      ...[...optionSpecs(optionsOf(name)), ...argumentSpecs(spec)]
        .map((each) => `                ${each}`)
        .join(' \\\n')
        .split('\n'),
      '            ;;',
    ]),
  };
  return Object.entries(parts).reduce(
    (text, [name, lines]) => text.replace(`@${name}@`, () => lines.join('\n')),
    TEMPLATE,
  );
}

/** As `_arguments` takes them, a spelling each; one excludes the other unless it may be given more than once. */
function optionSpecs(options: Readonly<Record<string, OptionSpec>>): string[] {
  return Object.entries(options)
    .filter(([, { hidden }]) => hidden !== true)
    .flatMap(([name, { short, multiple, value, help, words, choices }]) => {
      const spellings = [...(short === undefined ? [] : [`-${short}`]), `--${name}`];
      const before = multiple === true ? '*' : `(${spellings.join(' ')})`;
      const after =
        value === undefined ? '' : `:${value}:${choices === undefined ? actionOf(words) : `(${choices.join(' ')})`}`;
      return spellings.map((spelling) => {
        const sign = value === undefined ? '' : spelling.startsWith('--') ? '=' : '+';
        return quoted(`${before}${spelling}${sign}[${bracketed(firstSentence(help))}]${after}`);
      });
    });
}

function argumentSpecs({ arguments: specs }: CommandSpec): string[] {
  return specs.map(({ name, count, words }: ArgumentSpec, index) => {
    const place = { one: `${index + 1}`, optional: `${index + 1}:`, any: '*', some: '*' }[count];
    return quoted(`${place}:${name}:${actionOf(words)}`);
  });
}

function actionOf(words: Words | undefined): string {
  if (words === undefined) return '';
  if (words === 'files') return '_files';
  return words === 'directories' ? '_directories' : `_vac_words ${words}`;
}

function firstSentence(text: string): string {
  return text.split('. ')[0]!.replace(/\.$/, '');
}

/** Brackets end the explanation of an option. */
function bracketed(text: string): string {
  return text.replace(/[[\]\\]/g, '\\$&');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
