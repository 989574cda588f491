/** From one section's texts to typed values by its table. */
import { isDeepStrictEqual } from 'node:util';
import type { Option, OptionTable } from './options.js';
import { type Place, type Problem, problemAt } from './problem.js';
import type { RawOption, RawSection } from './sections.js';
import { patternPrefix } from './spelling.js';
import type { ValueType } from './values.js';

type ValueOf<O> = O extends { readonly type: ValueType<infer T> } ? T : never;

/** The values of a table: patterns as records by XXX, options with `whenUnset` null when not given. */
export type Values<T extends OptionTable> = {
  readonly [K in keyof T]: K extends `${string}_XXX`
    ? Readonly<Record<string, ValueOf<T[K]>>>
    : T[K] extends { readonly whenUnset: string }
      ? ValueOf<T[K]> | null
      : ValueOf<T[K]>;
};

/** A section's values, and its problems so far. Options in `bad` hold a stand-in: their own default, or the empty text. */
export interface SectionValues<T extends OptionTable> {
  readonly values: Values<T>;
  readonly errors: Problem[];
  readonly warnings: Problem[];
  /** Adds an error unless one of the options concerned is bad itself; the first one given is pointed at. */
  readonly demand: (holds: boolean, concerned: readonly (keyof T & string)[], message: string) => void;
  /** The same for what is allowed but will hardly be wanted. */
  readonly advise: (holds: boolean, concerned: readonly (keyof T & string)[], message: string) => void;
}

export function readValues<T extends OptionTable>(section: RawSection, table: T): SectionValues<T> {
  const errors: Problem[] = [];
  const warnings: Problem[] = [];
  const bad = new Set<string>();
  const values: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(table)) {
    const prefix = patternPrefix(name);
    if (prefix === null) {
      values[name] = readOne(name, option, section, errors, bad);
      if (!bad.has(name)) warnings.push(...notYetWarnings(name, option, values[name], section));
    } else {
      const given = [...section.options].filter(([key]) => key.startsWith(prefix));
      values[name] = Object.fromEntries(
        given.map(([key, raw]) => [key.slice(prefix.length), parseOne(key, raw, option, section, errors)]),
      );
    }
  }
  const report = (list: Problem[]) => (holds: boolean, concerned: readonly string[], message: string) => {
    if (holds || concerned.some((name) => bad.has(name))) return;
    const pointedAt = concerned.find((name) => section.options.has(name)) ?? null;
    list.push(problemAt(placeOf(section, pointedAt), message));
  };
  return { values: values as Values<T>, errors, warnings, demand: report(errors), advise: report(warnings) };
}

/** Where an option of the section stands; the section's header when it is not given. */
export function placeOf(section: RawSection, option: string | null): Place {
  const raw = option === null ? undefined : section.options.get(option);
  const { file, line } = raw ?? section;
  return { file, line, section: section.title, option, given: raw?.value ?? null };
}

/** The warning of an option that this version does not act on, where the section asks for more than that. */
function notYetWarnings(name: string, option: Option, value: unknown, section: RawSection): Problem[] {
  const { notYet } = option;
  if (notYet === undefined) return [];
  const given = isGiven(option, section.options.get(name));
  const text = given ? section.options.get(name)?.value : option.default;
  const concerned =
    notYet.values === undefined
      ? given && !isDeepStrictEqual(value, standInFor(option))
      : text !== undefined && notYet.values.pattern.test(text);
  if (!concerned) return [];
  const place = given ? placeOf(section, name) : { ...placeOf(section, null), option: name };
  const unsaid = given ? '' : `is not given, which means ${text}: `;
  return [problemAt(place, `${unsaid}not yet supported: ${notYet.instead}`)];
}

function isGiven(option: Option, raw: RawOption | undefined): raw is RawOption {
  return raw !== undefined && !(raw.value === '' && option.whenUnset !== undefined);
}

/** The value of an option that is not given; undefined for one that must be. */
function standInFor(option: Option): unknown {
  return option.whenUnset === undefined ? option.type.parse(option.default ?? '') : null;
}

function readOne(name: string, option: Option, section: RawSection, errors: Problem[], bad: Set<string>): unknown {
  const raw = section.options.get(name);
  const standIn = standInFor(option);
  if (!isGiven(option, raw)) {
    if (option.required) {
      errors.push(problemAt({ ...placeOf(section, null), option: name }, `is required; give ${option.type.expected}`));
      bad.add(name);
    }
    return standIn ?? (option.required ? '' : null);
  }
  const value = parseOne(name, raw, option, section, errors);
  if (value !== undefined) return value;
  bad.add(name);
  return standIn ?? (option.required ? '' : null);
}

/** The value, or undefined and an error. */
function parseOne(name: string, raw: RawOption, option: Option, section: RawSection, errors: Problem[]): unknown {
  const value = option.type.parse(raw.value);
  if (value === undefined) {
    const { expected } = option.type;
    const fault = option.type.fault?.(raw.value) ?? null;
    const message = fault ?? `expected ${expected}${hintFor(raw.value, option.type)}`;
    errors.push(problemAt(placeOf(section, name), message, expected));
  }
  return value;
}

/** The two habits from other formats that this one does not share. */
function hintFor(value: string, type: ValueType<unknown>): string {
  const quoted = /^(["'])(.*)\1$/s.exec(value)?.[2];
  if (quoted !== undefined && type.parse(quoted) !== undefined) return ' (without quotes)';
  const comment = value.search(/\s[#;]/);
  if (comment !== -1 && type.parse(value.slice(0, comment).trimEnd()) !== undefined) {
    return ' (a comment needs a line of its own)';
  }
  return '';
}
