/** `vac accounting` and `vac apel-sync`: what the archive of this host says was used, and telling receivers of it. */

import { outgoingRecords } from '../accounting/archive.js';
import { checkMonth } from '../accounting/check.js';
import { republish } from '../accounting/republish.js';
import { beginSync, dueMonths, spoolSync } from '../accounting/sync.js';
import { readMonth } from '../accounting/totals.js';
import { loadSettings, readConfigFiles } from '../config/index.js';
import { hostFqdn } from '../daemon/entry.js';
import { VacError } from '../errors.js';
import { type MonthName, monthName, parseMonth } from '../factory/months.js';
import { Journal } from '../machines/journal.js';
import { StateLayout } from '../machines/layout.js';
import { configProblemLine } from './config-problem.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { accountingView, syncView } from './views/accounting.js';
import { counted } from './views/text.js';

/** Exit code 1: something does not agree. */
export async function accountingCommand(line: CommandLine, io: Io): Promise<number> {
  const layout = new StateLayout(line.text('state-dir')!);
  const again = line.text('republish');
  if (again !== undefined) return await republishCommand(line, again, layout, io);
  const month = checkedMonth('--month', line.text('month') ?? monthName(io.view().nowSeconds), io);
  const archive = await readMonth(layout, month).catch((cause) => refuse(layout.apelArchive(), cause));
  const check = await checkMonth(new Journal(layout), archive).catch((cause) => refuse(layout.machines(), cause));
  const problems = [...archive.problems, ...check.problems];
  const denied = problems.find((problem) => problem.includes('EACCES'));
  if (denied !== undefined) {
    throw new VacError('file-unusable', `${denied}; machines' directories are root's alone (try sudo)`);
  }
  let waiting = 0;
  for await (const { parsed } of outgoingRecords(layout)) waiting += parsed === null ? 0 : 1;
  const report = { month, totals: archive.totals, compared: check.compared, pending: check.pending, waiting, problems };
  io.print(line.has('json') ? [jsonText(report)] : accountingView(report, io.view()));
  return problems.length === 0 ? 0 : 1;
}

async function republishCommand(line: CommandLine, again: string, layout: StateLayout, io: Io): Promise<number> {
  if (line.has('month')) throw new VacError('usage', 'accounting: give --month or --republish, not both');
  const month = checkedMonth('--republish', again, io);
  const gocdbSitename = await gocdbSitenameOf(line);
  const done = await republish(layout, month, gocdbSitename).catch((cause) => refuse(layout.apelOutgoing(), cause));
  for (const name of done.unreadable) io.complain(`${layout.apelArchive()}/${name} is no accounting record`);
  if (line.has('json')) io.print([jsonText({ month, ...done })]);
  else {
    const parts = [`${counted(done.placed, 'record')} of ${month} to be sent again`];
    if (done.waiting > 0) parts.push(`${done.waiting} waited already`);
    if (done.kept > 0) parts.push(`${done.kept} never sent, as they are of no registered site or without a benchmark`);
    io.print([parts.join('; ')]);
  }
  return done.unreadable.length === 0 ? 0 : 1;
}

export async function apelSyncCommand(line: CommandLine, io: Io): Promise<number> {
  const layout = new StateLayout(line.text('state-dir')!);
  const { nowSeconds } = io.view();
  const named = line.positionals.map((text) => checkedMonth('apel-sync', text, io));
  const gocdbSitename = await gocdbSitenameOf(line);
  try {
    const allTold = named.length > 0 ? async () => {} : await beginSync(layout);
    const months = named.length > 0 ? named : await dueMonths(layout, nowSeconds);
    const told = [];
    for (const month of months) told.push({ month, ...(await spoolSync(layout, month, gocdbSitename, nowSeconds)) });
    await allTold();
    io.print(line.has('json') ? [jsonText(told)] : syncView(told, io.view()));
    return 0;
  } catch (cause) {
    if (cause instanceof VacError) throw cause;
    return refuse(layout.apelOutgoing(), cause as Error);
  }
}

/** @throws VacError `usage` for what is no month that has begun */
function checkedMonth(option: string, text: string, io: Io): MonthName {
  const start = parseMonth(text);
  if (start !== null && start <= io.view().nowSeconds) return text;
  const wanted = `expected a month that has begun, as ${monthName(io.view().nowSeconds)}`;
  throw new VacError('usage', `${option} "${text}": ${wanted}`);
}

/** @throws VacError `config-bad` */
async function gocdbSitenameOf(line: CommandLine): Promise<string | null> {
  const paths = line.texts('config');
  const { files, errors } = await (paths === undefined ? readConfigFiles() : readConfigFiles(paths, 'error'));
  if (errors.length > 0) throw new VacError('config-bad', configProblemLine(errors));
  const settings = loadSettings(files, { hostFqdn: hostFqdn() });
  if (settings !== null) return settings.gocdbSitename;
  const where = files.map(({ path }) => path).join(' ');
  throw new VacError('config-bad', `[settings] of ${where} cannot be used; vac check-config says what is wrong`);
}

/** @throws VacError `file-unusable` */
function refuse(path: string, cause: Error): never {
  if (cause instanceof VacError) throw cause;
  const { code } = cause as NodeJS.ErrnoException;
  const advice =
    code === 'ENOENT'
      ? '; no vacd has used that state directory: name its own with --state-dir'
      : code === 'EACCES'
        ? "; it is root's alone (try sudo)"
        : '';
  throw new VacError('file-unusable', `${path} cannot be used: ${cause.message}${advice}`, { cause });
}
