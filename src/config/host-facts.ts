/** What can only be checked against the host. */
import { type Place, type Problem, problemAt } from './problem.js';
import { type Config, originKey } from './types.js';

export interface HostFacts {
  /** Processors of the host. */
  readonly processors: number;
  /** Names of its LVM volume groups; null when they could not be listed, and then nothing is said about them. */
  readonly volumeGroups: readonly string[] | null;
}

/** Errors: more processors than the host has, a volume group that is named but not there. */
export function checkHostFacts(config: Config, facts: HostFacts): Problem[] {
  const { totalProcessors, volumeGroup } = config.settings;
  const problems: Problem[] = [];
  if (totalProcessors !== null && totalProcessors > facts.processors) {
    const message = `this host has only ${facts.processors} processors; lower the number, or leave the option out to use them all`;
    problems.push(problemAt(settingsPlace(config, 'total_processors', totalProcessors), message));
  }
  if (volumeGroup !== null && facts.volumeGroups !== null && !facts.volumeGroups.includes(volumeGroup)) {
    const there = facts.volumeGroups.length === 0 ? 'it has none' : `it has ${facts.volumeGroups.join(', ')}`;
    const message = `this host has no such volume group (${there}); create it, or leave the option out to use files`;
    problems.push(problemAt(settingsPlace(config, 'volume_group', volumeGroup), message));
  }
  return problems;
}

function settingsPlace(config: Config, option: string, given: string | number): Place {
  const origin = config.origins[originKey('settings', option)];
  return { file: origin?.file ?? '', line: origin?.line ?? null, section: 'settings', option, given: String(given) };
}
