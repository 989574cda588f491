/**
 * Completion for bash, from the table of commands; it works with and without the package bash-completion. Words that
 * only this host knows come from `vac completion-words`, and not at all when that fails.
 */

import {
  type ArgumentSpec,
  allOptions,
  COMMAND_TABLE,
  type CommandName,
  GLOBAL_OPTIONS,
  type OptionSpec,
  optionsOf,
  VISIBLE_COMMANDS,
  type Words,
} from './commands.js';

const HEAD = String.raw`# Completion of vac for bash. Generated from src/cli/commands.ts; change it there.

# Words of a kind that this host's configuration or vacd knows.
_vac_words() {
    mapfile -t COMPREPLY < <(compgen -W "$("$_vac_program" completion-words "$1" "\${_vac_source[@]}" 2>/dev/null)" -- "$cur")
}

_vac_choices() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

_vac_paths() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$cur")
}
`.replaceAll('\\$', '$');

const FUNCTION = String.raw`
_vac() {
    local cur=$2 command= option= word i arguments=0 _vac_program=$1
    local -a _vac_source=()
    COMPREPLY=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        # bash takes --option=value apart at the equals sign.
        [[ $word == = ]] && continue
        if [[ -n $option ]]; then
            case $option in --config | --state-dir) _vac_source+=("$option" "$word") ;; esac
            option=
            continue
        fi
        case $word in
@VALUE_OPTIONS@
        -*) ;;
        *) if [[ -z $command ]]; then command=$word; else arguments=$((arguments + 1)); fi ;;
        esac
    done
    [[ $cur == = ]] && cur=
    if [[ -n $option ]]; then
        case $option in
@VALUES@
        esac
        return 0
    fi
    if [[ $cur == -* ]]; then
        case $command in
@OPTIONS@
        esac
        return 0
    fi
    if [[ -z $command ]]; then
        _vac_choices '@COMMANDS@'
        return 0
    fi
    case $command:$arguments in
@ARGUMENTS@
    esac
    return 0
}
complete -F _vac vac
`.replaceAll('\\$', '$');

export function bashCompletion(): string {
  const parts: Readonly<Record<string, readonly string[]>> = {
    VALUE_OPTIONS: valueOptions().map(([name, { short }]) => {
      const pattern = short === undefined ? `--${name}` : `--${name} | -${short}`;
      return `        ${pattern}) option=--${name} ;;`;
    }),
    VALUES: valueOptions().flatMap(([name, { choices, words }]) => {
      const action = choices === undefined ? actionOf(words) : `_vac_choices '${choices.join(' ')}'`;
      return action === null ? [] : [`        --${name}) ${action} ;;`];
    }),
    OPTIONS: [
      ...VISIBLE_COMMANDS.map(([name]) => `        ${name}) _vac_choices '${optionWords(optionsOf(name))}' ;;`),
      `        '') _vac_choices '${optionWords(GLOBAL_OPTIONS)}' ;;`,
    ],
    ARGUMENTS: VISIBLE_COMMANDS.flatMap(([name]) => argumentCases(name)),
    COMMANDS: [VISIBLE_COMMANDS.map(([name]) => name).join(' ')],
  };
  const filled = Object.entries(parts).reduce(
    (text, [name, lines]) => text.replace(`@${name}@`, () => lines.join('\n')),
    FUNCTION,
  );
  return HEAD + filled;
}

function valueOptions(): [string, OptionSpec][] {
  return Object.entries(allOptions()).filter(([, { type }]) => type === 'string');
}

function optionWords(options: Readonly<Record<string, OptionSpec>>): string {
  return Object.entries(options)
    .filter(([, { hidden }]) => hidden !== true)
    .map(([name]) => `--${name}`)
    .join(' ');
}

function argumentCases(name: CommandName): string[] {
  return COMMAND_TABLE[name].arguments.flatMap(({ count, words }: ArgumentSpec, index) => {
    const action = actionOf(words);
    const place = count === 'any' || count === 'some' ? '*' : String(index);
    return action === null ? [] : [`    ${name}:${place}) ${action} ;;`];
  });
}

function actionOf(words: Words | undefined): string | null {
  if (words === undefined) return null;
  if (words === 'files') return '_vac_paths -f';
  return words === 'directories' ? '_vac_paths -d' : `_vac_words ${words}`;
}
