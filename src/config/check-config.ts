/** `vac check-config [FILE…]`: says everything that is wrong with a configuration, before a daemon reads it. */
import { checkHostFacts, type HostFacts } from './host-facts.js';
import { loadConfig } from './load.js';
import type { PipeExpansion } from './pipe-expand.js';
import { shownUrl } from './pipe-values.js';
import { formatProblem, type Problem } from './problem.js';
import { readConfigFiles } from './read.js';
import type { Config, MachinetypeConfig } from './types.js';

/** Names and numbers of the host that the check needs. */
export interface CheckFacts extends HostFacts {
  readonly hostFqdn: string;
}

export interface CheckedConfig {
  /** Paths of the files that were read, in their order. */
  readonly files: readonly string[];
  readonly errors: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Null when there are errors. */
  readonly config: Config | null;
}

/** Reads the files of these paths, which must exist, or those of the site when none is named. */
export async function checkConfig(paths: readonly string[], facts: CheckFacts): Promise<CheckedConfig> {
  const { files, errors: unreadable } =
    paths.length > 0 ? await readConfigFiles(paths, 'error') : await readConfigFiles();
  const result = files.length > 0 ? loadConfig(files, facts) : null;
  const errors: Problem[] = [...unreadable];
  if (result?.ok === false) errors.push(...result.errors);
  if (result?.ok) errors.push(...checkHostFacts(result.config, facts));
  return {
    files: files.map(({ path }) => path),
    errors,
    warnings: result?.warnings ?? [],
    config: errors.length === 0 && result?.ok ? result.config : null,
  };
}

/** What the vacuum pipes of a good configuration give, as far as their documents are known. */
export interface CheckedPipes {
  /** With their machinetypes. */
  readonly config: Config;
  /** Of the pipes whose documents are known. */
  readonly expansions: ReadonlyMap<string, PipeExpansion>;
  /** By prefix: how old the document is, or why it is not known. */
  readonly notes: ReadonlyMap<string, string>;
}

/** What was found, for people: a problem a line, then a summary. */
export function checkedConfigLines(
  { errors, warnings, config }: CheckedConfig,
  pipes: CheckedPipes | null = null,
): string[] {
  const ofPipes = [...(pipes?.expansions.values() ?? [])].flatMap((expansion) => expansion.warnings);
  return [
    ...errors.map((problem) => `error: ${formatProblem(problem)}`),
    ...[...warnings, ...ofPipes].map((problem) => `warning: ${formatProblem(problem)}`),
    ...(config === null
      ? [`configuration is bad: ${count(errors.length, 'error')}, ${count(warnings.length, 'warning')}`]
      : summary(config, pipes)),
  ];
}

function summary(config: Config, pipes: CheckedPipes | null): string[] {
  const { settings, machinetypes, vacuumPipes, files } = config;
  const all = pipes?.config.machinetypes ?? machinetypes;
  const made = new Set(
    [...(pipes?.expansions.values() ?? [])].flatMap((each) => each.machinetypes.map(({ name }) => name)),
  );
  const unknown = vacuumPipes.filter(({ prefix }) => !pipes?.expansions.has(prefix));
  const totalShare = [...all, ...unknown].reduce((sum, { targetShare }) => sum + targetShare, 0);
  const percent = (share: number): string =>
    totalShare === 0 || share === 0 ? 'never started' : `${((100 * share) / totalShare).toFixed(1)} % of the space`;
  const ofType = (type: MachinetypeConfig): string => {
    const { minProcessors: min, maxProcessors: max } = type;
    const processors = min === max ? count(min, 'processor') : `${min} to ${max} processors`;
    return `  machinetype ${type.name}: ${percent(type.targetShare)}, ${type.machineModel}, ${processors}`;
  };
  return [
    `configuration is good: ${count(machinetypes.length, 'machinetype')}, ${count(vacuumPipes.length, 'vacuum pipe')}, ` +
      `${count(settings.factories.length, 'factory', 'factories')} in space ${settings.vacSpace}, from ${files.join(' ')}`,
    ...machinetypes.filter(({ name }) => !made.has(name)).map(ofType),
    ...vacuumPipes.flatMap(({ prefix, targetShare, url }) => {
      const expansion = pipes?.expansions.get(prefix);
      // Its machinetypes tell of their parts.
      const share = expansion === undefined ? `${percent(targetShare)}, ` : '';
      const note = pipes?.notes.get(prefix);
      return [
        `  vacuum pipe ${prefix}: ${share}${shownUrl(url)}${note === undefined ? '' : ` (${note})`}`,
        ...(expansion?.machinetypes ?? []).map((type) => `  ${ofType(type)}`),
      ];
    }),
  ];
}

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}
