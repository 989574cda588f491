/**
 * From a vacuum pipe's section and its document to machinetypes. Pure.
 *
 * Of each option the nearest says what holds: a local `[machinetype PREFIX-suffix]`, then `[vacuum_pipe PREFIX]`, then the
 * document's entry. The result is read by `readMachinetype`, by the same rules as a section of a file. Shares: the pipe's is
 * split over its machinetypes in proportion to their own in the document; a machinetype whose local section gives one has
 * that instead, and no part of the pipe's.
 */
import { readMachinetype } from './machinetype.js';
import { checkLocalOptions } from './pipe.js';
import { PIPE_LIMITS, type PipeDocument, type PipeEntry, type RefusedEntry } from './pipe-document.js';
import { notForPipes, printable, shownUrl } from './pipe-values.js';
import { formatProblem, type Problem, problemAt } from './problem.js';
import type { RawOption, RawSection } from './sections.js';
import { knownName } from './spelling.js';
import {
  type Config,
  deepFreeze,
  type MachinetypeConfig,
  type Origin,
  originKey,
  type VacuumPipeConfig,
} from './types.js';

/** Where an option of a pipe's machinetype was set: in a file of this host, or in the pipe's document. */
export type OptionOrigin =
  | { readonly from: 'file'; readonly file: string; readonly line: number | null }
  | { readonly from: 'pipe'; readonly url: string; readonly suffix: string };

export interface PipeExpansion {
  readonly machinetypes: readonly MachinetypeConfig[];
  /** By the document's own rules, and those of machinetypes. */
  readonly refused: readonly RefusedEntry[];
  readonly warnings: readonly Problem[];
  /** By machinetype, then by option: where those that are given come from, and their text. */
  readonly origins: ReadonlyMap<string, ReadonlyMap<string, { readonly text: string; readonly origin: OptionOrigin }>>;
}

/** The configuration with the machinetypes of its pipes, as far as there are documents (by prefix). */
export function withPipes(
  config: Config,
  documents: ReadonlyMap<string, PipeDocument>,
): { readonly config: Config; readonly expansions: ReadonlyMap<string, PipeExpansion> } {
  const expansions = new Map<string, PipeExpansion>();
  for (const pipe of config.vacuumPipes) {
    const document = documents.get(pipe.prefix);
    if (document !== undefined) expansions.set(pipe.prefix, expandPipe(pipe, document, config));
  }
  const made = [...expansions.values()].flatMap(({ machinetypes }) => machinetypes);
  if (made.length === 0) return { config, expansions };
  const names = new Set(made.map(({ name }) => name));
  const machinetypes = [...config.machinetypes.filter(({ name }) => !names.has(name)), ...made];
  return { config: deepFreeze({ ...config, machinetypes }), expansions };
}

/** @param config whose machinetypes and pipes have names of their own, and whose settings machinetypes inherit */
export function expandPipe(pipe: VacuumPipeConfig, document: PipeDocument, config: Config): PipeExpansion {
  const refused: RefusedEntry[] = [...document.refused];
  const warnings: Problem[] = [];
  const made: Made[] = [];
  const place = { file: shownUrl(pipe.url), line: null, section: `vacuum_pipe ${pipe.prefix}` };
  for (const entry of document.entries) {
    const name = `${pipe.prefix}-${entry.suffix}`;
    const reason = nameProblem(name, pipe, config);
    const machinetype = reason === null ? makeMachinetype(pipe, entry, config) : reason;
    if (typeof machinetype === 'string') refused.push({ entry: entry.suffix, reason: machinetype });
    else made.push(machinetype);
  }
  for (const { entry, reason } of refused) warnings.push(problemAt(place, `${entry} is refused: ${reason}`));
  for (const warning of document.warnings) warnings.push(problemAt(place, warning));
  for (const { problems } of made) warnings.push(...problems);
  const machinetypes = withShares(pipe, made);
  if (pipe.targetShare > 0 && made.length > 0 && !machinetypes.some(({ targetShare }) => targetShare > 0)) {
    warnings.push(problemAt(place, 'starts no machines: none of its machinetypes has a target_share above 0'));
  }
  for (const name of sectionsWithoutEntry(pipe, made, config)) {
    const message = `there is a [machinetype ${name}] here, but the pipe has no usable machinetype of that name`;
    warnings.push(problemAt(place, message));
  }
  const origins = new Map(made.map(({ machinetype, section, entry }) => [machinetype.name, originsOf(section, entry)]));
  return { machinetypes, refused, warnings, origins };
}

interface Made {
  readonly machinetype: MachinetypeConfig;
  readonly entry: PipeEntry;
  readonly section: RawSection;
  readonly hasLocalShare: boolean;
  readonly problems: readonly Problem[];
}

/** Why this pipe may not make a machinetype of this name: it would be another's. Null: it may. */
function nameProblem(name: string, pipe: VacuumPipeConfig, { vacuumPipes }: Config): string | null {
  if (name.length > PIPE_LIMITS.nameCharacters) {
    return `the name ${name.slice(0, 40)}… has more than ${PIPE_LIMITS.nameCharacters} characters`;
  }
  const others = vacuumPipes.map(({ prefix }) => prefix).filter((prefix) => prefix.length > pipe.prefix.length);
  const owner = others.find((prefix) => name === prefix || name.startsWith(`${prefix}-`));
  return owner === undefined ? null : `the name ${name} is kept for [vacuum_pipe ${owner}]`;
}

function makeMachinetype(pipe: VacuumPipeConfig, entry: PipeEntry, config: Config): Made | string {
  const name = `${pipe.prefix}-${entry.suffix}`;
  const local = ownOr(pipe.localOptions, name, {});
  const here = { file: shownUrl(pipe.url), line: null };
  const section: RawSection = {
    kind: 'machinetype',
    name,
    title: `machinetype ${name}`,
    ...here,
    options: new Map([
      ...[...entry.options].map(([option, value]): [string, RawOption] => [option, { value, ...here }]),
      ...fromFiles(pipe.options, `vacuum_pipe ${pipe.prefix}`, config),
      ...fromFiles(local, `machinetype ${name}`, config),
    ]),
  };
  for (const [option, { value, file }] of section.options) {
    const expected = file === here.file ? forbidden(option, value) : null;
    if (expected !== null) return `${option} = ${printable(value)}: from a pipe it must be ${expected}`;
  }
  const { machinetype, errors, warnings } = readMachinetype(section, config.settings, pipe.prefix);
  if (errors.length > 0) {
    const more = errors.length === 1 ? '' : ` (and ${errors.length - 1} more)`;
    return `${reasonOf(errors[0]!, here.file)}${more}`;
  }
  // What is wrong with the lines of files by themselves was told when those were read.
  const inFiles = new Map([...section.options].filter(([, { file }]) => file !== here.file));
  const told = checkLocalOptions({ ...section, options: inFiles }).warnings;
  const problems = warnings.filter((warning) => !told.some((known) => isSame(known, warning)));
  return { machinetype, entry, section, hasLocalShare: Object.hasOwn(local, 'target_share'), problems };
}

function forbidden(option: string, value: string): string | null {
  const spelling = knownName('machinetype', option);
  return spelling?.kind === 'known' ? notForPipes(spelling.name, value) : null;
}

function fromFiles(options: Readonly<Record<string, string>>, title: string, config: Config): [string, RawOption][] {
  return Object.entries(options).map(([option, value]) => {
    const unknown = { file: 'the configuration', line: null };
    const { file, line } = ownOr<Origin | typeof unknown>(config.origins, originKey(title, option), unknown);
    return [option, { value, file, line }];
  });
}

/** The machinetypes with their parts of the pipe's share. */
function withShares(pipe: VacuumPipeConfig, made: readonly Made[]): MachinetypeConfig[] {
  const sum = made.reduce(
    (total, { machinetype, hasLocalShare }) => total + (hasLocalShare ? 0 : machinetype.targetShare),
    0,
  );
  return made.map(({ machinetype, hasLocalShare }) => {
    if (hasLocalShare) return machinetype;
    return { ...machinetype, targetShare: sum > 0 ? (pipe.targetShare * machinetype.targetShare) / sum : 0 };
  });
}

/** Local sections that were meant for this pipe's machinetypes, are none by themselves, and have no counterpart in it. */
function sectionsWithoutEntry(pipe: VacuumPipeConfig, made: readonly Made[], config: Config): string[] {
  const names = new Set([
    ...made.map(({ machinetype }) => machinetype.name),
    ...config.machinetypes.map(({ name }) => name),
  ]);
  return Object.keys(pipe.localOptions).filter((name) => !names.has(name) && nameProblem(name, pipe, config) === null);
}

function originsOf(section: RawSection, { suffix }: PipeEntry) {
  return new Map(
    [...section.options].map(([option, { value, file, line }]) => {
      const origin: OptionOrigin =
        file === section.file ? { from: 'pipe', url: section.file, suffix } : { from: 'file', file, line };
      return [option, { text: value, origin }] as const;
    }),
  );
}

/** A problem in the words of a refusal, which tells pipe and entry before it. */
function reasonOf(problem: Problem, url: string): string {
  if (problem.file !== url) return formatProblem({ ...problem, section: null });
  const { option, given, message } = problem;
  const value = given === null ? '' : ` = ${printable(given)}`;
  return option === null ? message : `${option}${value}: ${message}`;
}

function isSame(a: Problem, b: Problem): boolean {
  return a.file === b.file && a.line === b.line && a.option === b.option && a.message === b.message;
}

/** A record's own value: names may be those that every object has. */
function ownOr<V>(record: Readonly<Record<string, V>>, key: string, otherwise: V): V {
  return Object.hasOwn(record, key) ? record[key]! : otherwise;
}
