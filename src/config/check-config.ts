/** `vac check-config [FILE…]`: says everything that is wrong with a configuration, before a daemon reads it. */
import { availableParallelism, hostname } from 'node:os';
import { checkHostFacts, type HostFacts } from './host-facts.js';
import { loadConfig } from './load.js';
import { formatProblem, type Problem } from './problem.js';
import { DEFAULT_CONFIG_PATHS, readConfigFiles } from './read.js';
import type { Config } from './types.js';

export const CHECK_CONFIG_USAGE = `usage: vac check-config [FILE…]
Checks the configuration (${DEFAULT_CONFIG_PATHS.join(', ')}), or these files or directories in this order instead.
Prints all errors and warnings; the exit code is 0 when there are no errors, else 1.`;

/** Names and numbers of the host that the check needs. */
export interface CheckFacts extends HostFacts {
  readonly hostFqdn: string;
}

/**
 * Prints line by line to `out` and gives the exit code. Files named in `args` must exist. `facts` default to what Node
 * knows of this host.
 */
export async function checkConfig(
  args: readonly string[],
  out: (line: string) => void,
  facts: CheckFacts = { hostFqdn: hostname(), processors: availableParallelism() },
): Promise<number> {
  if (args.some((arg) => arg.startsWith('-'))) {
    out(CHECK_CONFIG_USAGE);
    return args.every((arg) => arg === '--help' || arg === '-h') ? 0 : 1;
  }
  const { files, errors: unreadable } =
    args.length > 0 ? await readConfigFiles(args, 'error') : await readConfigFiles();
  const result = files.length > 0 ? loadConfig(files, facts) : null;
  const errors: Problem[] = [...unreadable];
  if (result?.ok === false) errors.push(...result.errors);
  if (result?.ok) errors.push(...checkHostFacts(result.config, facts));

  for (const problem of errors) out(`error: ${formatProblem(problem)}`);
  for (const problem of result?.warnings ?? []) out(`warning: ${formatProblem(problem)}`);
  const counts = `${count(errors.length, 'error')}, ${count(result?.warnings.length ?? 0, 'warning')}`;
  if (errors.length > 0 || !result?.ok) {
    out(`configuration is bad: ${counts}`);
    return 1;
  }
  for (const text of summary(result.config)) out(text);
  return 0;
}

function summary(config: Config): string[] {
  const { settings, machinetypes, vacuumPipes, files } = config;
  const totalShare = [...machinetypes, ...vacuumPipes].reduce((sum, { targetShare }) => sum + targetShare, 0);
  const percent = (share: number): string =>
    totalShare === 0 || share === 0 ? 'never started' : `${((100 * share) / totalShare).toFixed(1)} % of the space`;
  return [
    `configuration is good: ${count(machinetypes.length, 'machinetype')}, ${count(vacuumPipes.length, 'vacuum pipe')}, ` +
      `${count(settings.factories.length, 'factory', 'factories')} in space ${settings.vacSpace}, from ${files.join(' ')}`,
    ...machinetypes.map((type) => {
      const { minProcessors: min, maxProcessors: max } = type;
      const processors = min === max ? count(min, 'processor') : `${min} to ${max} processors`;
      return `  machinetype ${type.name}: ${percent(type.targetShare)}, ${type.machineModel}, ${processors}`;
    }),
    ...vacuumPipes.map((pipe) => `  vacuum pipe ${pipe.prefix}: ${percent(pipe.targetShare)}, ${pipe.url}`),
  ];
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
