/** `vac logs`: the syslog of a machine of this host, as the relay keeps it. It reads the state directory, so vacd need not run. */

import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { VacError } from '../errors.js';
import type { MachineEnd } from '../factory/types.js';
import { readTextIfThere } from '../host/files.js';
import { JOURNAL, StateLayout } from '../machines/layout.js';
import type { Io } from './io.js';
import { chooseLog, machineOfId } from './log-choice.js';
import type { CommandLine } from './parse.js';
import { harmless } from './views/text.js';

/** With --follow, unless --lines says otherwise. */
const FOLLOW_LINES = 10;
/** Between two looks for new lines. */
const LOOK_SECONDS = 0.25;
/** Printed at once. */
const PAGE_LINES = 1000;

export async function logsCommand(line: CommandLine, io: Io): Promise<number> {
  const [name] = line.positionals as [string];
  const layout = new StateLayout(line.text('state-dir')!);
  const wanted = linesWanted(line.text('lines'), line.has('follow'));
  try {
    const id = await findMachine(layout, name);
    const log = new LogReader(layout.machineLog(id));
    const print = (lines: readonly string[]) => io.print(lines.map(harmless));
    const isThere = await log.readLast(wanted, print);
    if (!line.has('follow')) {
      if (!isThere)
        throw new VacError('no-such-thing', `${id} has sent no syslog to this host, or it was removed (syslog_days)`);
      return 0;
    }
    await follow(layout, id, log, print, io);
    return 0;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
    if (code !== 'EACCES' && !isMissing) throw cause;
    const why = isMissing
      ? `there are no logs in ${layout.root}: no vacd has used that directory; name its own with --state-dir`
      : `the logs in ${layout.root} cannot be read (${message}); they are root's alone (try sudo)`;
    throw new VacError('file-unusable', why, { cause });
  }
}

function linesWanted(text: string | undefined, follows: boolean): number {
  if (text === undefined) return follows ? FOLLOW_LINES : Number.POSITIVE_INFINITY;
  if (!/^\d{1,9}$/.test(text)) throw new VacError('usage', `--lines "${text}": expected a number of lines`);
  return Number(text);
}

async function findMachine(layout: StateLayout, name: string): Promise<string> {
  const logs = (await readdir(join(layout.root, 'logs'))).filter((file) => file.endsWith('.log'));
  const directories = await readdir(layout.machines());
  const ids = new Set([...logs.map((file) => file.slice(0, -'.log'.length)), ...directories]);
  const uuidOf = async (id: string) => {
    const text = await readTextIfThere(layout.inMachine(id, JOURNAL.record));
    return text === null ? null : String((JSON.parse(text) as { uuid?: unknown }).uuid);
  };
  return chooseLog([...ids], name, uuidOf);
}

/** Prints what is added until the machine is over and all its lines are there. */
async function follow(
  layout: StateLayout,
  id: string,
  log: LogReader,
  print: (lines: readonly string[]) => void,
  io: Io,
): Promise<void> {
  for (;;) {
    // Asked first: what it sent before it was cleared is in the log then.
    const end = await endOf(layout, id);
    await log.readOn(print);
    if (end !== null) {
      io.complain(`${machineOfId(id)!.hostname} is over: ${end}`);
      return;
    }
    await delay(LOOK_SECONDS * 1000);
  }
}

/** Why it is over; null while it is not, or while lines of it may still come. */
async function endOf(layout: StateLayout, id: string): Promise<string | null> {
  const isThere = (path: string) =>
    stat(path).then(
      () => true,
      () => false,
    );
  if (!(await isThere(layout.machine(id)))) return 'its directory is gone';
  if (!(await isThere(layout.inMachine(id, JOURNAL.cleared)))) return null;
  const text = await readTextIfThere(layout.inMachine(id, JOURNAL.finished));
  if (text === null) return 'it never ran';
  const { message, reason } = JSON.parse(text) as MachineEnd;
  return message === null ? reason : `${message} (${reason})`;
}

class LogReader {
  private bytes = 0;
  private rest = '';

  constructor(private readonly path: string) {}

  /** The last lines. Returns whether there is such a log. */
  async readLast(count: number, print: (lines: readonly string[]) => void): Promise<boolean> {
    const file = await open(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (file === null) return false;
    try {
      const { size } = await file.stat();
      this.bytes = size;
      if (size === 0 || count === 0) return true;
      let last: string[] = [];
      const stream = file.createReadStream({ end: size - 1, autoClose: false });
      for await (const each of createInterface({ input: stream })) {
        last.push(each);
        if (count === Number.POSITIVE_INFINITY ? last.length >= PAGE_LINES : last.length >= count + PAGE_LINES) {
          if (count === Number.POSITIVE_INFINITY) print(last.splice(0));
          else last = last.slice(-count);
        }
      }
      print(count === Number.POSITIVE_INFINITY ? last : last.slice(-count));
      return true;
    } finally {
      await file.close();
    }
  }

  /** What was added since. */
  async readOn(print: (lines: readonly string[]) => void): Promise<void> {
    const file = await open(this.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw error;
    });
    if (file === null) return;
    try {
      const buffer = Buffer.alloc(256 * 1024);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, this.bytes);
        if (bytesRead === 0) return;
        this.bytes += bytesRead;
        const lines = (this.rest + buffer.toString('latin1', 0, bytesRead)).split('\n');
        this.rest = lines.pop()!;
        print(lines.map((each) => Buffer.from(each, 'latin1').toString('utf8')));
      }
    } finally {
      await file.close();
    }
  }
}
