/** `vac check-config [FILE...]`: everything that is wrong with a configuration, before a daemon reads it. */

import { availableParallelism } from 'node:os';
import { type CheckedConfig, checkConfig, checkedConfigLines } from '../config/index.js';
import { hostFqdn } from '../daemon/entry.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';

export async function checkConfigCommand(line: CommandLine, io: Io): Promise<number> {
  const paths = line.positionals.length > 0 ? line.positionals : (line.texts('config') ?? []);
  const checked = await checkConfig(paths, { hostFqdn: hostFqdn(), processors: availableParallelism() });
  const code = checked.config === null ? 1 : 0;
  io.print(line.has('json') ? [jsonText({ code, ...forPrograms(checked) })] : checkedConfigLines(checked));
  return code;
}

/** Problems as they are; of a good configuration what names others, and no secrets. */
function forPrograms({ files, errors, warnings, config }: CheckedConfig) {
  if (config === null) return { files, errors, warnings };
  const { settings, machinetypes, vacuumPipes } = config;
  return {
    files,
    errors,
    warnings,
    space: settings.vacSpace,
    factories: settings.factories,
    machinetypes: machinetypes.map(({ name, targetShare }) => ({ name, targetShare })),
    vacuumPipes: vacuumPipes.map(({ prefix, targetShare }) => ({ prefix, targetShare })),
  };
}
