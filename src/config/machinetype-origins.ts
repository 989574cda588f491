/** For each machinetype, what each of its options is and who said so: for `vac machinetypes --origin`. Pure. */
import { MACHINETYPE_OPTIONS } from './machinetype-options.js';
import type { Option, OptionTable } from './options.js';
import type { OptionOrigin, PipeExpansion } from './pipe-expand.js';
import { mergeSections, type RawOption } from './sections.js';
import { patternPrefix } from './spelling.js';
import type { Config, ConfigFile } from './types.js';

export interface MachinetypeOrigins {
  readonly machinetype: string;
  /** Prefix of the vacuum pipe that makes it; null: it is a section of a file. */
  readonly pipe: string | null;
  /** In the order of the table; of patterns only those that are given. */
  readonly options: readonly OptionWithOrigin[];
}

export interface OptionWithOrigin {
  readonly option: string;
  /** As text; of an option that nobody gives, its default, or in words what holds then. */
  readonly value: string;
  readonly origin: OptionOrigin | { readonly from: 'default' };
}

type Given = ReadonlyMap<string, { readonly text: string; readonly origin: OptionOrigin }>;

/**
 * @param files that `config` was loaded from
 * @param config with the machinetypes of its pipes, of which `expansions` tells
 */
export function machinetypeOrigins(
  files: readonly ConfigFile[],
  config: Config,
  expansions: ReadonlyMap<string, PipeExpansion>,
): MachinetypeOrigins[] {
  const { sections } = mergeSections(files);
  const inherited = givenIn(sections.get('settings')?.options ?? new Map());
  return config.machinetypes.map(({ name, targetShare }) => {
    const [pipe, expansion] = [...expansions].find(([, { origins }]) => origins.has(name)) ?? [null, null];
    const given = expansion?.origins.get(name) ?? givenIn(sections.get(`machinetype ${name}`)?.options ?? new Map());
    const options = Object.entries(MACHINETYPE_OPTIONS as OptionTable).flatMap(([option, definition]) => {
      const prefix = patternPrefix(option);
      return prefix === null ? [single(option, definition, given)] : ofPattern(prefix, given, inherited);
    });
    // Of a pipe's machinetype it is a part of the pipe's share, whatever number the document has.
    const shared = options.map((each) =>
      each.option === 'target_share' ? { ...each, value: String(targetShare) } : each,
    );
    return { machinetype: name, pipe, options: shared };
  });
}

function givenIn(options: ReadonlyMap<string, RawOption>): Given {
  return new Map(
    [...options].map(([name, { value, file, line }]) => [name, { text: value, origin: { from: 'file', file, line } }]),
  );
}

function single(option: string, { default: preset, whenUnset }: Option, given: Given): OptionWithOrigin {
  const own = given.get(option);
  // An empty value takes such an option back.
  if (own !== undefined && !(own.text === '' && whenUnset !== undefined)) {
    return { option, value: own.text, origin: own.origin };
  }
  return { option, value: preset ?? whenUnset ?? '', origin: { from: 'default' } };
}

/** Substitutions: its own, and those of the settings whose name it gives neither as an option nor as a file. */
function ofPattern(prefix: string, given: Given, inherited: Given): OptionWithOrigin[] {
  const substitution = (name: string): string => name.replace(/^user_data_(option|file)_/, '');
  const own = new Set([...given.keys()].filter((name) => /^user_data_(option|file)_/.test(name)).map(substitution));
  const fromSettings = [...inherited].filter(([name]) => !own.has(substitution(name)));
  return [...given, ...fromSettings]
    .filter(([name]) => name.startsWith(prefix))
    .map(([option, { text, origin }]) => ({ option, value: text, origin }));
}
