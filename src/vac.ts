#!/usr/bin/env node
/** vac, the command: asks what a factory does and why. */

import { parseArgs } from 'node:util';
import { drain } from './cli/drain.js';
import { why } from './cli/why.js';
import { checkConfig } from './config/index.js';
import { VacError } from './errors.js';
import { VERSION } from './version.js';

const HELP = `vac ${VERSION}: asks a factory what it does and why

usage: vac COMMAND [options]
  why [SLOT|MACHINE|MACHINETYPE]   the latest decisions and their reasons (of everything, if nothing is named)
  drain [REASON]                   start nothing more on this host; machines go on (until undrain, or vacd restarts)
  undrain                          starts may go on
  check-config [FILE...]           checks the configuration and says everything that is wrong with it

options
  --state-dir DIR   of the vacd to ask (default /var/lib/vac)
  -J, --json        for machines
  --help, --version

exit codes: 0 fine, 1 the answer is no or an error was reported, 2 the command line is wrong
`;

async function main(): Promise<number> {
  const [command, ...rest] = process.argv.slice(2);
  if (command === 'check-config') return checkConfig(rest, (line) => process.stdout.write(`${line}\n`));
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'state-dir': { type: 'string', default: '/var/lib/vac' },
      json: { type: 'boolean', short: 'J', default: false },
      help: { type: 'boolean', default: false },
      version: { type: 'boolean', default: false },
    },
  });
  const socketPath = `${values['state-dir']}/vacd.sock`;
  if (values.version) process.stdout.write(`${VERSION}\n`);
  else if (values.help || positionals.length === 0) process.stdout.write(HELP);
  else if (positionals[0] === 'why' && positionals.length <= 2) {
    process.stdout.write(`${await why(socketPath, positionals[1], values.json)}\n`);
  } else if (positionals[0] === 'drain' || (positionals[0] === 'undrain' && positionals.length === 1)) {
    process.stdout.write(`${await drain(socketPath, positionals[0] === 'drain' ? positionals.slice(1) : null)}\n`);
  } else {
    process.stderr.write(`vac: cannot make sense of "${positionals.join(' ')}"; see vac --help\n`);
    return 2;
  }
  return 0;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error & { code?: string }) => {
    const usage = error.code?.startsWith('ERR_PARSE_ARGS') ?? false;
    process.stderr.write(`vac: ${error instanceof VacError || usage ? error.message : error.stack}\n`);
    process.exitCode = usage ? 2 : 1;
  },
);
