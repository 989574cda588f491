/** `vac` from its arguments to its exit code: which command is meant, and what is said where it fails. */

import { isVacError, VacError } from '../errors.js';
import { VERSION } from '../version.js';
import { accountingCommand, apelSyncCommand } from './accounting-command.js';
import { check, checkFailed } from './check-command.js';
import { checkConfigCommand } from './check-config-command.js';
import { type CommandName, isCommand, VISIBLE_COMMANDS } from './commands.js';
import { completionWords } from './completion-words.js';
import { drain, shutdownAt, stop, undrain, whyCommand } from './factory-commands.js';
import { commandHelp, vacHelp } from './help.js';
import { cernvmSignatureCommand, imagesCommand } from './images-command.js';
import type { Io } from './io.js';
import { logsCommand } from './logs-command.js';
import { overnightCommand } from './overnight-command.js';
import { type CommandLine, namedCommand, parseCommandLine, unknownName } from './parse.js';
import { proxyInit } from './proxy-command.js';
import { quarantine, release } from './quarantine-command.js';
import { simulateCommand } from './simulate-command.js';
import { factories, machines, machinetype, machinetypes, shares } from './space-commands.js';
import { squidConfCommand } from './squid-command.js';
import { traceCommand } from './trace-command.js';
import { watch } from './watch-command.js';

type Run = (line: CommandLine, io: Io) => Promise<number>;

const RUN: Readonly<Record<CommandName, Run>> = {
  machines,
  machinetypes,
  machinetype,
  factories,
  shares,
  watch,
  why: whyCommand,
  drain,
  undrain,
  stop,
  logs: logsCommand,
  'shutdown-at': shutdownAt,
  overnight: overnightCommand,
  trace: traceCommand,
  quarantine,
  release,
  images: imagesCommand,
  'cernvm-signature': cernvmSignatureCommand,
  accounting: accountingCommand,
  'apel-sync': apelSyncCommand,
  check,
  simulate: simulateCommand,
  'squid-conf': squidConfCommand,
  'proxy-init': proxyInit,
  'check-config': checkConfigCommand,
  help: async (line, io) => help(line.positionals[0], io),
  'completion-words': completionWords,
};

/**
 * Runs one command; never rejects but for a mistake in this program.
 *
 * @param io made once it is known whether colours are wanted
 * @returns the exit code
 */
export async function main(args: readonly string[], makeIo: (mayColour: boolean) => Io): Promise<number> {
  let io = makeIo(false);
  try {
    const parsed = parseCommandLine(args);
    switch (parsed.kind) {
      case 'version':
        io.print([VERSION]);
        return 0;
      case 'help':
        io.print(parsed.command === null ? vacHelp(io.view().columns) : commandHelp(parsed.command, io.view().columns));
        return 0;
      case 'nothing':
        io.complain('which command? These are there:');
        io.print(vacHelp(io.view().columns));
        return 2;
      case 'command':
        io = makeIo(!parsed.line.has('no-colour') && !parsed.line.has('no-color'));
        return await RUN[parsed.command](parsed.line, io);
    }
  } catch (error) {
    // A monitor shows the first line of the standard output, and takes 1 and 2 for alarms.
    if (namedCommand(args) === 'check') {
      return checkFailed(error as Error, args.includes('--json') || args.includes('-J'), io);
    }
    if (!(error instanceof VacError)) throw error;
    io.complain(error.message);
    return isVacError(error, 'usage') ? 2 : 1;
  }
}

function help(name: string | undefined, io: Io): number {
  const { columns } = io.view();
  if (name === undefined) {
    io.print(vacHelp(columns));
    return 0;
  }
  if (!isCommand(name))
    throw unknownName(
      'command',
      name,
      VISIBLE_COMMANDS.map(([each]) => each),
      '',
      'vac --help lists them',
    );
  io.print(commandHelp(name, columns));
  return 0;
}
