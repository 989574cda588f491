/** Configuration as the daemon takes it: checked against this host, and explained line by line where it is bad. */

import { availableParallelism, totalmem } from 'node:os';
import { checkHostFacts, formatProblem, loadConfig, type Problem, readConfigFiles } from '../config/index.js';
import { problemAt } from '../config/problem.js';
import { type Config, originKey } from '../config/types.js';
import { VacError } from '../errors.js';
import { Lvm, NO_SUCH_GROUP } from '../host/lvm.js';

/**
 * @param paths files or directories; undefined = where a site's configuration is
 * @throws VacError `config-bad` whose message holds every error, a line each
 */
export async function loadForDaemon(
  paths: readonly string[] | undefined,
  hostFqdn: string,
  processors: number = availableParallelism(),
): Promise<{ config: Config; warnings: readonly Problem[] }> {
  const { files, errors } = await (paths === undefined ? readConfigFiles() : readConfigFiles(paths, 'error'));
  if (errors.length > 0) throw bad(errors);
  const result = loadConfig(files, { hostFqdn });
  if (!result.ok) throw bad(result.errors);
  const hostErrors = [...hostProblems(result.config, processors), ...(await volumeGroupProblems(result.config))];
  if (hostErrors.length > 0) throw bad(hostErrors);
  return { config: result.config, warnings: result.warnings };
}

/** What this host cannot give of what the configuration asks. */
export function hostProblems(config: Config, processors: number = availableParallelism()): Problem[] {
  return checkHostFacts(config, { processors });
}

/** A volume group that is named must be there (SPEC 2). Looked at before the first machine alone: groups may come and go. */
export async function volumeGroupProblems({ settings, origins }: Config): Promise<Problem[]> {
  const { volumeGroup: given } = settings;
  if (given === null || (await new Lvm().find(given)) !== null) return [];
  const option = 'volume_group';
  const { file, line } = origins[originKey('settings', option)] ?? { file: '', line: null };
  return [problemAt({ file, line, section: 'settings', option, given }, NO_SUCH_GROUP)];
}

/** What this host will hardly bear of what the configuration allows: more memory than it has. For the log, a line each. */
export function expectations({ settings, machinetypes }: Config, hostMemoryBytes = totalmem()): string[] {
  const each = machinetypes.map((type) => type.mibPerProcessor);
  const mibPerProcessor = each.length === 0 ? settings.mibPerProcessor : Math.max(...each);
  const memoryMiB = mibPerProcessor * (settings.totalProcessors ?? availableParallelism());
  const hostMiB = Math.floor(hostMemoryBytes / 2 ** 20);
  if (memoryMiB <= hostMiB) return [];
  return [`machines may take ${memoryMiB} MiB of memory (mb_per_processor × processors), this host has ${hostMiB} MiB`];
}

function bad(problems: readonly Problem[]): VacError {
  return new VacError('config-bad', ['the configuration cannot be used:', ...problems.map(formatProblem)].join('\n  '));
}
