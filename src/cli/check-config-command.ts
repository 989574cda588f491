/** `vac check-config [FILE...]`: everything that is wrong with a configuration, before a daemon reads it. */

import { availableParallelism } from 'node:os';
import {
  type CheckedConfig,
  type CheckedPipes,
  checkConfig,
  checkedConfigLines,
  type Problem,
} from '../config/index.js';
import { problemAt } from '../config/problem.js';
import type { Config } from '../config/types.js';
import { originKey } from '../config/types.js';
import { volumeGroupProblems } from '../daemon/configuration.js';
import { hostFqdn } from '../daemon/entry.js';
import { readSpaceKeyFile } from '../daemon/space-key-file.js';
import { holidaysOf } from './holidays.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import { overnightWeekLines } from './overnight-week.js';
import type { CommandLine } from './parse.js';
import { pipesHere } from './pipes-here.js';
import { duration } from './views/text.js';

export async function checkConfigCommand(line: CommandLine, io: Io): Promise<number> {
  const paths = line.positionals.length > 0 ? line.positionals : (line.texts('config') ?? []);
  const read = await checkConfig(paths, { hostFqdn: hostFqdn(), processors: availableParallelism() });
  const checked = await withHostProblems(read);
  const pipes = checked.config === null ? null : await pipesOf(checked.config, line.text('state-dir')!, io);
  const code = checked.config === null ? 1 : 0;
  const week = await overnightWeek(checked.config, io);
  io.print(
    line.has('json')
      ? [jsonText({ code, ...forPrograms(checked, pipes) })]
      : [...checkedConfigLines(checked, pipes), ...week],
  );
  return code;
}

/** Without the holidays where their file cannot be read, which vacd takes the same way. */
async function overnightWeek(config: Config | null, io: Io): Promise<string[]> {
  if (config === null) return [];
  const { nowSeconds } = io.view();
  try {
    return overnightWeekLines(config, await holidaysOf(config), nowSeconds);
  } catch (error) {
    return [`warning: ${(error as Error).message}`, ...overnightWeekLines(config, new Set(), nowSeconds)];
  }
}

/** What the pipes give by the copies of their documents in the state directory. */
async function pipesOf(config: Config, stateDir: string, io: Io): Promise<CheckedPipes> {
  const { config: withPipes, expansions, checkedTimesSeconds, missing } = await pipesHere(config, stateDir);
  const { nowSeconds } = io.view();
  const notes = [...checkedTimesSeconds].map(([prefix, time]): [string, string] => [
    prefix,
    `by its copy of ${duration(nowSeconds - time)} ago`,
  ]);
  return { config: withPipes, expansions, notes: new Map([...notes, ...missing]) };
}

/** With all that vacd would refuse for what this host has, or has not. */
async function withHostProblems(checked: CheckedConfig): Promise<CheckedConfig> {
  const { config } = checked;
  if (config === null) return checked;
  const keys = await keyFileProblems(config);
  // lvm2 tells root alone what there is, so anybody else cannot tell.
  const groups = process.getuid?.() === 0 ? await volumeGroupProblems(config) : [];
  const errors = [...checked.errors, ...keys.errors, ...groups];
  const warnings = [...checked.warnings, ...keys.warnings];
  return { ...checked, errors, warnings, config: errors.length === 0 ? config : null };
}

/** What is wrong with the key file, where the option that names it stands. Who may not read it cannot tell: a warning. */
async function keyFileProblems(config: Config): Promise<{ errors: Problem[]; warnings: Problem[] }> {
  const path = config.settings.spaceKeyFile;
  const read = path === null ? null : await readSpaceKeyFile(path);
  if (path === null || read === null || read.ok) return { errors: [], warnings: [] };
  const option = 'space_key_file';
  const place = { ...config.origins[originKey('settings', option)]!, section: 'settings', option, given: path };
  const problems = read.problems.map((message) => problemAt(place, message));
  return read.isForbidden ? { errors: [], warnings: problems } : { errors: problems, warnings: [] };
}

/** Problems as they are; of a good configuration what names others, and no secrets. */
function forPrograms({ files, errors, warnings, config }: CheckedConfig, pipes: CheckedPipes | null) {
  if (config === null || pipes === null) return { files, errors, warnings };
  const { settings, machinetypes, vacuumPipes } = config;
  return {
    files,
    errors,
    warnings,
    space: settings.vacSpace,
    factories: settings.factories,
    machinetypes: machinetypes.map(({ name, targetShare }) => ({ name, targetShare })),
    vacuumPipes: vacuumPipes.map(({ prefix, targetShare }) => {
      const { machinetypes: made = [], refused = [], warnings: told = [] } = pipes.expansions.get(prefix) ?? {};
      return {
        prefix,
        targetShare,
        note: pipes.notes.get(prefix) ?? null,
        machinetypes: made.map((type) => ({ name: type.name, targetShare: type.targetShare })),
        refused,
        warnings: told,
      };
    }),
  };
}
