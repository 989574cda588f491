/** Configuration as the daemon takes it: checked against this host, and explained line by line where it is bad. */

import { availableParallelism, totalmem } from 'node:os';
import { checkHostFacts, formatProblem, loadConfig, type Problem, readConfigFiles } from '../config/index.js';
import type { Config } from '../config/types.js';
import { VacError } from '../errors.js';

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
  const hostErrors = hostProblems(result.config, processors);
  if (hostErrors.length > 0) throw bad(hostErrors);
  return { config: result.config, warnings: result.warnings };
}

/** What this host cannot give of what the configuration asks. */
export function hostProblems(config: Config, processors: number = availableParallelism()): Problem[] {
  return checkHostFacts(config, { processors });
}

/** What this host will hardly bear of what the configuration allows: more memory than it has. For the log, a line each. */
export function expectations({ settings }: Config, hostMemoryBytes = totalmem()): string[] {
  const memoryMiB = settings.mibPerProcessor * (settings.totalProcessors ?? availableParallelism());
  const hostMiB = Math.floor(hostMemoryBytes / 2 ** 20);
  if (memoryMiB <= hostMiB) return [];
  return [`machines may take ${memoryMiB} MiB of memory (mb_per_processor × processors), this host has ${hostMiB} MiB`];
}

function bad(problems: readonly Problem[]): VacError {
  return new VacError('config-bad', ['the configuration cannot be used:', ...problems.map(formatProblem)].join('\n  '));
}
