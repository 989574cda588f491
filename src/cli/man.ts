/** The manual pages vac(1) and vacd(8), from the tables that the programs parse by. */

import { bold, paragraphs, roff, section, subsection, termList } from '../config/roff.js';
import {
  ASKING_HELP,
  ASKING_OPTIONS,
  COMMAND_TABLE,
  type CommandGroup,
  type CommandName,
  type CommandSpec,
  GLOBAL_OPTIONS,
  GROUPS,
  JSON_OPTION,
  usageArguments,
  VISIBLE_COMMANDS,
} from './commands.js';
import { exitCodesOf, optionTerms } from './help.js';
import {
  VACD_DESCRIPTION,
  VACD_EXIT_CODES,
  VACD_FILES,
  VACD_OPTIONS,
  VACD_SIGNALS,
  VACD_SUMMARY,
} from './vacd-command.js';

const GENERATED = '.\\" Generated from the tables in src/cli; change it there.';

const DESCRIPTION = [
  'vac asks the factories of a space what they do, and why; and it tells the factory on this host what to do. What it asks other factories goes by VacQuery (UDP, port 995), and they answer only hosts that they know: the factories of the space, and the networks of their option query_networks. What it tells this factory goes through a socket that only root, or the group of the option control_group, can use.',
  'The space and its factories are those of the configuration of this host. Where it cannot be read, or a state directory is named without a configuration, they are those that the vacd of the state directory knows.',
];

const FILES = [
  ['/etc/vac.d/*.conf, /etc/vac.conf, /run/vac.conf', 'The configuration, in this order; see vac.conf(5).'],
  ['/var/lib/vac/vacd.sock', 'Where the vacd on this host is asked, and told.'],
] as const;

const ENVIRONMENT = [
  ['NO_COLOR', 'If set, and not empty: no colours.'],
  ['TZ', 'The time zone of times without one, and of those that are said.'],
] as const;

/** vac(1). */
export function vacManPage(): string {
  return page('VAC', '1', 'User commands', [
    section('NAME'),
    'vac \\- asks Vac factories what they do and why, and tells this one what to do',
    section('SYNOPSIS'),
    '.B vac',
    roff('COMMAND [OPTION...]'),
    section('DESCRIPTION'),
    ...paragraphs(DESCRIPTION),
    section('OPTIONS'),
    'Of every command:',
    ...termList(optionTerms(GLOBAL_OPTIONS)),
    '.PP',
    'Of most commands:',
    ...termList(optionTerms(JSON_OPTION)),
    '.PP',
    'Of commands that ask factories over the network:',
    ...termList(optionTerms(ASKING_OPTIONS)),
    '.PP',
    roff(ASKING_HELP),
    section('COMMANDS'),
    ...(Object.keys(GROUPS) as CommandGroup[]).flatMap((group) => [
      subsection(GROUPS[group]),
      ...VISIBLE_COMMANDS.filter(([, spec]) => spec.group === group).flatMap(([name]) => commandEntry(name)),
    ]),
    section('EXIT STATUS'),
    ...termList([
      ['0', 'All is fine.'],
      ['1', 'The answer is no; or some factory did not answer; or differences were found; or an error.'],
      ['2', 'The command line is wrong.'],
    ]),
    '.PP',
    roff('What they mean for a command stands with it. vac check has those of a plugin of Nagios.'),
    section('FILES'),
    ...termList(FILES),
    section('ENVIRONMENT'),
    ...termList(ENVIRONMENT),
    ...seeAlso('vacd (8)', 'vac.conf (5)'),
  ]);
}

/** vacd(8). */
export function vacdManPage(): string {
  return page('VACD', '8', 'System administration', [
    section('NAME'),
    `vacd \\- ${roff(VACD_SUMMARY)}`,
    section('SYNOPSIS'),
    '.B vacd',
    roff('[OPTION...]'),
    section('DESCRIPTION'),
    ...paragraphs(VACD_DESCRIPTION),
    section('OPTIONS'),
    ...termList(optionTerms(VACD_OPTIONS)),
    section('SIGNALS'),
    ...termList(VACD_SIGNALS),
    section('EXIT STATUS'),
    ...termList(VACD_EXIT_CODES),
    section('FILES'),
    ...termList(VACD_FILES),
    ...seeAlso('vac (1)', 'vac.conf (5)'),
  ]);
}

/** A command, and indented below it all that its help says. */
function commandEntry(name: CommandName): string[] {
  const spec = COMMAND_TABLE[name];
  const [first, ...others] = [`${sentence(spec.summary)}`, ...spec.help];
  return [
    '.TP',
    bold(`vac ${name} ${usageArguments(spec)}`.trimEnd()),
    roff(first!),
    '.RS',
    ...others.flatMap((text) => ['.PP', roff(text)]),
    ...termList(optionTerms(spec.options)),
    ...alsoTakes(spec),
    ...(spec.examples.length === 0 ? [] : ['.PP', 'Examples:', ...termList(spec.examples)]),
    '.PP',
    roff(
      `Exit status: ${exitCodesOf(name)
        .map(([code, meaning]) => `${code} ${meaning}`)
        .join('; ')}.`,
    ),
    '.RE',
  ];
}

/** Options of its that the page explains once, at its beginning. */
function alsoTakes({ json, asks }: CommandSpec): string[] {
  const names = [...(json ? Object.keys(JSON_OPTION) : []), ...(asks ? Object.keys(ASKING_OPTIONS) : [])];
  return names.length === 0 ? [] : ['.PP', roff(`Also: ${names.map((name) => `--${name}`).join(', ')}.`)];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function page(title: string, chapter: string, kind: string, lines: readonly string[]): string {
  return `${[GENERATED, `.TH ${title} ${chapter} "" "Vac factory" "${kind}"`, ...lines].join('\n')}\n`;
}

function seeAlso(...pages: readonly string[]): string[] {
  return [section('SEE ALSO'), ...pages.map((name, index) => `.BR ${name}${index < pages.length - 1 ? ',' : ''}`)];
}
