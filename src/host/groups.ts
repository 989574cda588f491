/** Groups of users, from wherever the host has them: its own table, or a directory service. */

import { isVacError } from '../errors.js';
import { run } from './exec.js';
import { readTextIfThere } from './files.js';

/** What getent ends with when there is no such entry. */
const NOT_FOUND = 2;

/**
 * The number of a group; null when there is none of this name.
 *
 * @throws VacError `command-failed` or `command-timeout` when the host cannot say
 */
export async function groupId(name: string): Promise<number | null> {
  try {
    const { stdout } = await run('getent', ['group', name], { timeoutSeconds: 10, allowExitCodes: [0, NOT_FOUND] });
    return gidIn(stdout, name);
  } catch (error) {
    if (!isVacError(error, 'command-missing')) throw error;
    return gidIn((await readTextIfThere('/etc/group')) ?? '', name);
  }
}

/** From lines as in group(5): `name:password:number:members`. */
function gidIn(lines: string, name: string): number | null {
  const digits = lines
    .split('\n')
    .map((line) => line.split(':'))
    .find(([first]) => first === name)?.[2];
  return digits !== undefined && /^\d+$/.test(digits) ? Number(digits) : null;
}
