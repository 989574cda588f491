/** Configuration as the daemon takes it: checked against this host, and explained line by line where it is bad. */

import { availableParallelism, totalmem } from 'node:os';
import {
  type Config,
  checkHostFacts,
  formatProblem,
  loadConfig,
  type Problem,
  readConfigFiles,
} from '../config/index.js';
import { VacError } from '../errors.js';
import { unkeptPromise } from '../factory/eligibility.js';

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
  return checkHostFacts(config, { processors, volumeGroups: null });
}

/**
 * What will not come out as the configuration asks: more memory than the host has, and what this version does not do
 * yet. For the log, a line each.
 */
export function expectations({ settings, vacuumPipes, machinetypes }: Config, hostMemoryBytes = totalmem()): string[] {
  const lines: string[] = [];
  const memoryMiB = settings.mibPerProcessor * (settings.totalProcessors ?? availableParallelism());
  const hostMiB = Math.floor(hostMemoryBytes / 2 ** 20);
  if (memoryMiB > hostMiB) {
    lines.push(
      `machines may take ${memoryMiB} MiB of memory (mb_per_processor × processors), this host has ${hostMiB} MiB`,
    );
  }
  if (settings.volumeGroup !== null) lines.push('volume_group is set, but disks are made as files by this version');
  if (vacuumPipes.length > 0)
    lines.push(`${vacuumPipes.length} vacuum pipes are configured, but this version fetches none`);
  if (settings.factories.length > 1)
    lines.push('factories are listed, but this version does not talk to other factories');
  for (const type of machinetypes) {
    const promise = unkeptPromise(type);
    if (promise !== null) lines.push(`machinetype ${type.name} is not started: ${promise}`);
  }
  return lines;
}

function bad(problems: readonly Problem[]): VacError {
  return new VacError('config-bad', ['the configuration cannot be used:', ...problems.map(formatProblem)].join('\n  '));
}
