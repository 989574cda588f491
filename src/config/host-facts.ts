/** What can only be checked against the host. */
import { type Problem, problemAt } from './problem.js';
import { type Config, originKey } from './types.js';

export interface HostFacts {
  /** Processors of the host. */
  readonly processors: number;
}

/** Errors: more processors than the host has. */
export function checkHostFacts(config: Config, facts: HostFacts): Problem[] {
  const { totalProcessors } = config.settings;
  if (totalProcessors === null || totalProcessors <= facts.processors) return [];
  const option = 'total_processors';
  const { file, line } = config.origins[originKey('settings', option)] ?? { file: '', line: null };
  return [
    problemAt(
      { file, line, section: 'settings', option, given: String(totalProcessors) },
      `this host has only ${facts.processors} processors; lower the number, or leave the option out to use them all`,
    ),
  ];
}
