/** `vac machinetypes --origin`, `vac machinetype NAME --origin`: of this host's configuration and copies of pipes alone. */

import { formatProblem, loadConfig, readConfigFiles } from '../config/index.js';
import { type MachinetypeOrigins, machinetypeOrigins } from '../config/machinetype-origins.js';
import { hostFqdn } from '../daemon/entry.js';
import { VacError } from '../errors.js';
import type { Io } from './io.js';
import { jsonText } from './json.js';
import type { CommandLine } from './parse.js';
import { type PipesHere, pipesHere } from './pipes-here.js';
import { originsView } from './views/origins.js';
import { duration } from './views/text.js';

/**
 * @param name the only machinetype that is asked for; undefined: all
 * @param factories named on the command line, which makes no sense here
 */
export async function machinetypeOriginsCommand(
  line: CommandLine,
  io: Io,
  name: string | undefined,
  factories: readonly string[],
): Promise<number> {
  if (factories.length > 0) {
    throw new VacError(
      'usage',
      `--origin is about the configuration of this host alone; leave out ${factories.join(' ')}`,
    );
  }
  const { files, here } = await configured(line);
  const all = machinetypeOrigins(files, here.config, here.expansions);
  const types = name === undefined ? all : all.filter(({ machinetype }) => machinetype === name);
  if (name !== undefined && types.length === 0) {
    const known = all.map(({ machinetype }) => machinetype).join(', ') || 'none';
    throw new VacError(
      'no-such-thing',
      `this host has no machinetype ${name}; there are: ${known}${unknownPipes(here)}`,
    );
  }
  const view = io.view();
  if (line.has('json')) io.print([jsonText(forPrograms(types, here, view.nowSeconds))]);
  else io.print(originsView(types, name !== undefined, view));
  for (const text of remarks(here, view.nowSeconds)) io.complain(text);
  return here.missing.size === 0 ? 0 : 1;
}

async function configured(line: CommandLine) {
  const paths = line.texts('config');
  const { files, errors } = await (paths === undefined ? readConfigFiles() : readConfigFiles(paths, 'error'));
  const result = errors.length > 0 ? null : loadConfig(files, { hostFqdn: hostFqdn() });
  if (!result?.ok) {
    const [first, ...more] = [...errors, ...(result?.errors ?? [])];
    const others = more.length === 0 ? '' : ` (and ${more.length} more; vac check-config says all that is wrong)`;
    throw new VacError('config-bad', `${formatProblem(first!)}${others}`);
  }
  return { files, here: await pipesHere(result.config, line.text('state-dir')!) };
}

function unknownPipes({ missing }: PipesHere): string {
  return missing.size === 0
    ? ''
    : `, and those of the pipes ${[...missing.keys()].join(', ')}, which are not known here`;
}

/** What an administrator should know of the pipes, a line each. */
function remarks({ expansions, missing, checkedTimesSeconds }: PipesHere, nowSeconds: number): string[] {
  return [
    ...[...checkedTimesSeconds].map(
      ([prefix, time]) => `vacuum pipe ${prefix}: by its copy of ${duration(nowSeconds - time)} ago`,
    ),
    ...[...missing].map(([prefix, reason]) => `vacuum pipe ${prefix}: ${reason}`),
    ...[...expansions].flatMap(([prefix, { refused }]) =>
      refused.map(({ entry, reason }) => `vacuum pipe ${prefix}: ${entry} is refused: ${reason}`),
    ),
  ];
}

function forPrograms(types: readonly MachinetypeOrigins[], here: PipesHere, nowSeconds: number) {
  const { config, expansions, missing, checkedTimesSeconds } = here;
  return {
    machinetypes: types.map(({ machinetype, pipe, options }) => ({
      machinetype,
      pipe,
      options: options.map(({ option, value, origin }) => ({ option, value, ...origin })),
    })),
    pipes: config.vacuumPipes.map(({ prefix }) => ({
      pipe: prefix,
      copyAgeSeconds: checkedTimesSeconds.has(prefix)
        ? Math.max(0, nowSeconds - checkedTimesSeconds.get(prefix)!)
        : null,
      problem: missing.get(prefix) ?? null,
      refused: expansions.get(prefix)?.refused ?? [],
      warnings: expansions.get(prefix)?.warnings ?? [],
    })),
  };
}
