/** The command line of `vacd` as a table: parsed by it, said by `vacd --help`, printed in vacd(8). */

import { VERSION } from '../version.js';
import type { OptionSpec } from './commands.js';
import { helpWidth, optionTerms, terms, wrap } from './help.js';

export const VACD_OPTIONS = {
  config: {
    type: 'string',
    multiple: true,
    value: 'FILE',
    help: 'Read the configuration from this file or directory instead of /etc/vac.d/*.conf, /etc/vac.conf and /run/vac.conf. May be given more than once.',
  },
  'state-dir': {
    type: 'string',
    value: 'DIR',
    default: '/var/lib/vac',
    help: 'Where machines, accounting and history are kept.',
  },
  factory: {
    type: 'string',
    value: 'NAME',
    help: "This factory's full name, as the others know it (default: the name of this host).",
  },
  'log-format': {
    type: 'string',
    value: 'FORMAT',
    default: 'text',
    choices: ['text', 'json'],
    help: 'How lines of the log are written to the standard output.',
  },
  help: { type: 'boolean', short: 'h', help: 'Say what vacd does.' },
  version: { type: 'boolean', help: 'Say which version this is.' },
} as const satisfies Record<string, OptionSpec>;

export const VACD_SUMMARY = 'creates virtual machines on this host by itself, by target shares';

export const VACD_DESCRIPTION = [
  'One vacd runs on each hypervisor, as root. It creates machines through libvirt as its configuration and the target shares of the space ask for, gives them what they need, watches them, accounts for them, and cleans up when they end. The factories of a space tell each other what they run by UDP, port 995; each decides by itself, and goes on alone when no other answers.',
  'Everything that must outlive it is in its state directory. When it is ended, or crashes, its machines run on, and the next vacd finds them again. A changed configuration is taken into use within seconds; one with mistakes is reported, and the last good one stays in force.',
];

export const VACD_SIGNALS = [
  ['SIGTERM, SIGINT', 'vacd ends, and leaves its machines running: the next vacd finds them again.'],
  ['SIGHUP', 'The configuration is read again at once.'],
] as const;

export const VACD_EXIT_CODES = [
  ['0', 'It was ended by a signal, or said what it was asked for.'],
  ['1', 'It cannot start, or go on: the last line says why.'],
  ['2', 'The command line is wrong.'],
] as const;

export const VACD_FILES = [
  ['/etc/vac.d/*.conf, /etc/vac.conf, /run/vac.conf', 'The configuration, in this order; see vac.conf(5).'],
  ['/var/lib/vac', 'The state directory.'],
  ['/var/lib/vac/vacd.sock', 'Where vac asks, and tells.'],
  ['/var/lib/vac/machines', "A directory for each machine: its life's journal, features, outputs and console."],
  ['/var/lib/vac/counts, factory-heartbeat, responder-heartbeat, factory-error', 'For monitoring.'],
] as const;

export function vacdHelp(columns: number): string[] {
  const width = helpWidth(columns);
  return [
    ...wrap(`vacd ${VERSION}: ${VACD_SUMMARY}`, width),
    '',
    'usage: vacd [OPTION...]',
    ...terms(optionTerms(VACD_OPTIONS), width),
    '',
    'Signals:',
    ...terms(VACD_SIGNALS, width),
    '',
    ...wrap('Ask a running vacd with: vac why. See vacd(8), vac(1), vac.conf(5).', width),
  ];
}
