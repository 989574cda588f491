/** From names as found in files, or in vacuum pipes, to options of the table: patterns, old spellings, typing errors. */
import { nearest } from './nearest.js';
import { OPTION_TABLES, type Option, type OptionTable, type SectionKind } from './options.js';

const PATTERN_ENDING = '_XXX';

/** The fixed part of a pattern's name, e.g. `user_data_option_`; null for the name of a single option. */
export function patternPrefix(name: string): string | null {
  return name.endsWith(PATTERN_ENDING) ? name.slice(0, -'XXX'.length) : null;
}

/** What a name in a section of some kind stands for. */
export type Spelling =
  /** `name` is that of the table: a pattern's for those that it stands for. */
  | { readonly kind: 'known'; readonly name: string; readonly option: Option }
  /** A deprecated spelling of one or more options. */
  | { readonly kind: 'old'; readonly names: readonly string[] }
  /** An option of a predecessor that has no use any more; `advice` says what to do. */
  | { readonly kind: 'retired'; readonly advice: string }
  | { readonly kind: 'badPattern'; readonly prefix: string }
  | { readonly kind: 'unknown'; readonly suggestion: string | null };

const REMOVE = 'is no longer used; remove it';
const IN_SETTINGS = 'is no longer an option of a machinetype; use root_public_key in [settings]';
const PROXY_FILES =
  "is no longer used; set user_data_proxy and put x509cert.pem and x509key.pem in the machinetype's directory";

const RETIRED_IN_MACHINETYPE = {
  log_machineoutputs: 'is no longer used; use machines_dir_days',
  root_public_key: IN_SETTINGS,
  rootpublickey: IN_SETTINGS,
  user_data_proxy_cert: PROXY_FILES,
  user_data_proxy_key: PROXY_FILES,
};

/** Options that sites' files may still have from earlier versions. Refusing them would keep a working site from upgrading. */
const RETIRED: Readonly<Record<SectionKind, Readonly<Record<string, string>>>> = {
  settings: {
    cycle_seconds: REMOVE,
    delete_old_files: REMOVE,
    domain_type: REMOVE,
    gocdb_cert_file: REMOVE,
    gocdb_key_file: REMOVE,
    singularity_user: REMOVE,
    total_machines: 'is no longer used; use total_processors',
    version_logger: 'is no longer used, as no version is reported to anyone; remove it',
  },
  machinetype: RETIRED_IN_MACHINETYPE,
  vacuum_pipe: RETIRED_IN_MACHINETYPE,
  overnight: {},
};

interface Spellings {
  /** The fixed part of each pattern, and its name. */
  readonly patterns: readonly (readonly [prefix: string, pattern: string])[];
  /** The options that each deprecated spelling stands for. */
  readonly old: ReadonlyMap<string, readonly string[]>;
}

/** Looked up, not searched for: a stranger's document may have thousands of names. */
const SPELLINGS: Readonly<Record<SectionKind, Spellings>> = {
  settings: spellingsOf(OPTION_TABLES.settings),
  machinetype: spellingsOf(OPTION_TABLES.machinetype),
  vacuum_pipe: spellingsOf(OPTION_TABLES.vacuum_pipe),
  overnight: spellingsOf(OPTION_TABLES.overnight),
};

function spellingsOf(table: OptionTable): Spellings {
  const old = new Map<string, string[]>();
  for (const [name, option] of Object.entries(table)) {
    for (const spelling of option.old ?? []) old.set(spelling, [...(old.get(spelling) ?? []), name]);
  }
  const patterns = Object.keys(table).flatMap((name) => {
    const prefix = patternPrefix(name);
    return prefix === null ? [] : [[prefix, name] as const];
  });
  return { patterns, old };
}

/** What the (lower-case) option name means in a section of this kind. */
export function resolveName(section: SectionKind, name: string): Spelling {
  const known = knownName(section, name);
  return known ?? { kind: 'unknown', suggestion: nearest(name, Object.keys(OPTION_TABLES[section])) };
}

/** The same without a guess at what an unknown name was meant to be (then null), which takes long for many of them. */
export function knownName(section: SectionKind, name: string): Exclude<Spelling, { kind: 'unknown' }> | null {
  const table = OPTION_TABLES[section];
  const own = Object.hasOwn(table, name) && patternPrefix(name) === null ? table[name] : undefined;
  if (own !== undefined) return { kind: 'known', name, option: own };

  const { patterns, old } = SPELLINGS[section];
  for (const [prefix, pattern] of patterns) {
    if (!name.startsWith(prefix)) continue;
    const known = /^[a-z0-9_]+$/.test(name.slice(prefix.length));
    return known ? { kind: 'known', name: pattern, option: table[pattern]! } : { kind: 'badPattern', prefix };
  }

  const names = old.get(name);
  if (names !== undefined) return { kind: 'old', names };

  const retired = RETIRED[section];
  return Object.hasOwn(retired, name) ? { kind: 'retired', advice: retired[name] as string } : null;
}

/** Names of the options that a vacuum pipe's document may set, patterns as `user_data_option_XXX`. */
export function pipeOptionNames(): string[] {
  const table = OPTION_TABLES.machinetype;
  return Object.keys(table).filter((name) => table[name]?.pipe === true);
}
