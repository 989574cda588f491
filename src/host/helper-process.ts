/**
 * Which process is a helper of ours, told from /proc alone: by program, configuration file, network namespace and
 * start time. A pid by itself proves nothing, since the kernel uses it again.
 */

import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';

export interface HelperProcess {
  readonly pid: number;
  /** Clock ticks from boot to the process's start: with the pid, unique until the next boot. */
  readonly startTicks: number;
}

/** What makes a process this helper. */
export interface HelperIdentity {
  readonly command: string;
  /** An argument that no other process of this program has: the absolute path of its configuration, as a rule. */
  readonly mark: string;
  /** It has a network namespace of its own; others are in ours. */
  readonly isApart?: boolean;
}

/** The process `pid` if it lives and is this helper, else null. */
export async function readHelperProcess(pid: number, identity: HelperIdentity): Promise<HelperProcess | null> {
  try {
    const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0');
    if (!isCommandLineOf(argv, identity)) return null;
    // Two hypervisors on one host, each in a network namespace, may use the same path for different files.
    if (!identity.isApart && (await readlink(`/proc/${pid}/ns/net`)) !== (await readlink('/proc/self/ns/net')))
      return null;
    const startTicks = parseStartTicks(await readFile(`/proc/${pid}/stat`, 'utf8'));
    return startTicks === null ? null : { pid, startTicks };
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** The oldest process on this host that is this helper, however it was started; null if there is none. */
export async function findHelperProcess(identity: HelperIdentity): Promise<HelperProcess | null> {
  let oldest: HelperProcess | null = null;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const found = await readHelperProcess(Number(name), identity);
    if (found !== null && (oldest === null || found.startTicks < oldest.startTicks)) oldest = found;
  }
  return oldest;
}

/** The mark may be an argument of its own or the value of `--option=`. A zombie has no arguments at all. */
export function isCommandLineOf(argv: readonly string[], { command, mark }: HelperIdentity): boolean {
  if (basename(argv[0] ?? '') !== basename(command)) return false;
  return argv.slice(1).some((argument) => argument === mark || argument.endsWith(`=${mark}`));
}

/**
 * Field 22 of /proc/PID/stat; null for a process that has ended but is not yet reaped. The program's name, in brackets,
 * may hold anything, so fields are counted from the last bracket.
 */
export function parseStartTicks(stat: string): number | null {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  if (state === 'Z' || state === 'X') return null;
  return Number(fields[22 - 3]);
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ESRCH';
}
