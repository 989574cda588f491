/** Which group may use the control socket: `control_group` of the configuration, as this host knows it. */

import { formatProblem, problemAt } from '../config/problem.js';
import { type Config, originKey } from '../config/types.js';
import { groupId } from '../host/groups.js';
import type { Logger } from './log.js';

/**
 * The group's number; null when none is configured, or none of that name is known. The latter is logged with file and
 * line, and keeps nothing from running: a directory service that is down must not keep a factory from its work.
 *
 * @param lookUp instead of the host's own tables
 */
export async function controlGroupId(
  config: Config,
  log: Logger,
  lookUp: (name: string) => Promise<number | null> = groupId,
): Promise<number | null> {
  const { controlGroup } = config.settings;
  if (controlGroup === null) return null;
  let problem = 'this host knows no group of that name; create it, or correct the name';
  try {
    const gid = await lookUp(controlGroup);
    if (gid !== null) return gid;
  } catch (error) {
    problem = `the host does not say whether there is such a group: ${(error as Error).message}`;
  }
  const [section, option, given] = ['settings', 'control_group', controlGroup];
  const { file, line } = config.origins[originKey(section, option)] ?? { file: 'the configuration', line: null };
  log.error(
    formatProblem(problemAt({ file, line, section, option, given }, `${problem}; only root may use vacd.sock`)),
  );
  return null;
}
