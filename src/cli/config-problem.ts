/** What commands that would rather go on say of a configuration which cannot be used. */

import { formatProblem, type Problem } from '../config/index.js';

/** Of files that are there and may not be read by this user, the first; undefined: there is none. */
export function deniedFile(problems: readonly Problem[]): Problem | undefined {
  return problems.find(({ message }) => message.includes('permission denied'));
}

/** The first of its problems, and where all of them are told, mostly in one line. `problems` is not empty. */
export function configProblemLine([first, ...others]: readonly Problem[]): string {
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  const text = `${formatProblem(first!)}${more}`;
  // After an example of what to write the advice would be taken for a part of that.
  return text.includes('\n')
    ? `${text}\nvac check-config says all that is wrong`
    : `${text}; vac check-config says all that is wrong`;
}
