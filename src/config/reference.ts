/**
 * The option reference, generated from the option tables: `etc/man/options.md` and the manual page
 * `etc/man/vac.conf.5`. To write them: `npx tsx src/config/reference.ts etc/man`.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { MACHINETYPE_OPTIONS } from './machinetype-options.js';
import type { Option, OptionTable } from './options.js';
import { OVERNIGHT_OPTIONS } from './overnight-options.js';
import { VACUUM_PIPE_OPTIONS } from './pipe-options.js';
import { roff } from './roff.js';
import { SETTINGS_OPTIONS } from './settings-options.js';

interface Chapter {
  readonly header: string;
  readonly text: string;
  readonly options: OptionTable;
}

const CHAPTERS: readonly Chapter[] = [
  { header: '[settings]', text: 'The factory itself. This section is required.', options: SETTINGS_OPTIONS },
  {
    header: '[machinetype NAME]',
    text: 'A recipe for machines, of one experiment. NAME is of letters a-z, digits and "-".',
    options: MACHINETYPE_OPTIONS,
  },
  {
    header: '[vacuum_pipe PREFIX]',
    text:
      'Machinetypes PREFIX-suffix that a JSON document describes. Besides these options it takes all those of a machinetype, ' +
      'for each machinetype of the document. The document itself may set only the options marked "pipe", and what a ' +
      '[machinetype PREFIX-suffix] section or this one says wins over it.',
    options: VACUUM_PIPE_OPTIONS,
  },
  {
    header: '[overnight]',
    text: 'Makes a desktop a factory while nobody uses it. Without this section a host belongs to the space by day and night.',
    options: OVERNIGHT_OPTIONS,
  },
];

const FILES = ['/etc/vac.d/*.conf', '/etc/vac.conf', '/run/vac.conf'];

const FORMAT = [
  'Files are read in this order: those of /etc/vac.d by name, /etc/vac.conf, and /run/vac.conf, which is gone after a ' +
    'reboot. Sections of one name merge, and of an option given twice the later value holds. Changes take effect ' +
    'without a restart, unless the option says otherwise; when they are bad, the errors are logged and the last good ' +
    'configuration stays in force. Machines that run keep what they were made with.',
  'All options are read and checked. Where it says "Not yet", this version does not act on them (or on the values named), ' +
    'and gives a warning where they are set.',
  'The format is that of Python\'s ConfigParser: "[section]", then "option = value" or "option: value"; a line that is ' +
    'indented continues the value above; "#" and ";" begin a comment only at the start of a line. Quotes are part of a ' +
    'value. Names of options are case-insensitive, names of sections are not. Options of a section [DEFAULT] hold in all ' +
    'sections that have such an option and do not set it.',
];

const defaultOf = (option: Option): string => {
  if (option.required) return 'required';
  if (option.whenUnset !== undefined) return `not given: ${option.whenUnset}`;
  return option.default === '' ? 'empty' : `default ${option.default}`;
};

const valueText = ({ type, unit }: Option): string =>
  unit === undefined ? type.expected : `${type.expected} (${unit})`;

const sentence = (text: string): string => (text.endsWith('.') ? text : `${text}.`);

/** The reference as Markdown. */
export function optionsMarkdown(): string {
  const cell = (text: string): string => text.replace(/[|\\*<>_]/g, '\\$&');
  const row = ([name, option]: [string, Option]): string => {
    const notes = [option.help, option.pipe ? '(pipe)' : '', ...remarks(option)].filter(Boolean).join(' ');
    return `| \`${name}\` | ${cell(valueText(option))} | ${cell(defaultOf(option))} | ${cell(notes)} |`;
  };
  const chapters = CHAPTERS.map(({ header, text, options }) =>
    [`## \`${header}\``, '', text, '', '| option | value | without it | meaning |', '|---|---|---|---|']
      .concat(Object.entries(options).map(row))
      .join('\n'),
  );
  return `${[
    '# Options of vac.conf',
    'Generated from the tables in `src/config/options.ts`; change it there.',
    ...FORMAT,
    ...chapters,
  ].join('\n\n')}\n`;
}

/** The manual page vac.conf(5) in roff. */
export function confManPage(): string {
  const entry = ([name, option]: [string, Option]): string[] => {
    return [
      '.TP',
      `.B ${roff(name)}`,
      roff(`${sentence(option.help)}${option.pipe ? ' (pipe)' : ''}`),
      '.br',
      roff(sentence(`Value: ${valueText(option)}; ${defaultOf(option)}`)),
      ...remarks(option).flatMap((remark) => ['.br', roff(remark)]),
    ];
  };
  const chapters = CHAPTERS.flatMap(({ header, text, options }) => [
    `.SH "${roff(header)}"`,
    roff(text),
    ...Object.entries(options).flatMap(entry),
  ]);
  return `${[
    '.\\" Generated from src/config/options.ts; change it there.',
    '.TH VAC.CONF 5 "" "Vac factory" "File formats"',
    '.SH NAME',
    'vac.conf \\- configuration of a Vac factory',
    '.SH SYNOPSIS',
    ...FILES.flatMap((file, index) => (index === 0 ? [roff(file)] : ['.br', roff(file)])),
    '.SH DESCRIPTION',
    ...FORMAT.flatMap((paragraph, index) => (index === 0 ? [roff(paragraph)] : ['.PP', roff(paragraph)])),
    '.PP',
    roff('Check a configuration with "vac check-config" before a factory reads it.'),
    ...chapters,
    '.SH EXAMPLE',
    '.nf',
    '[settings]',
    'vac_space = vac01.example.com',
    'factories = .',
    '',
    '[machinetype example]',
    'target_share = 1.0',
    'machine_model = vm-raw',
    'root_image = /srv/images/example.qcow2',
    'user_data = https://images.example.com/user_data',
    'max_wallclock_seconds = 172800',
    '.fi',
    '.SH "SEE ALSO"',
    '.BR vac (1),',
    '.BR vacd (8)',
  ].join('\n')}\n`;
}

/** What has to be said of an option besides its meaning, a sentence each. */
function remarks({ notYet, atRestart, old }: Option): string[] {
  const values = notYet?.values === undefined ? '' : ` (${notYet.values.inWords})`;
  return [
    ...(notYet === undefined ? [] : [`Not yet${values}: ${sentence(notYet.instead)}`]),
    ...(atRestart === undefined ? [] : ['A change takes effect at the next start of vacd.']),
    ...(old === undefined ? [] : [`Deprecated spelling: ${old.join(', ')}.`]),
  ];
}

/** The generated files by name, below `etc/man/`. */
export const REFERENCE_FILES: Readonly<Record<string, () => string>> = {
  'options.md': optionsMarkdown,
  'vac.conf.5': confManPage,
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const directory = process.argv[2];
  if (directory === undefined) throw new Error('usage: tsx src/config/reference.ts DIRECTORY (etc/man)');
  for (const [name, generate] of Object.entries(REFERENCE_FILES)) writeFileSync(join(directory, name), generate());
}
