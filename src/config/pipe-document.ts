/**
 * A vacuum pipe's document, as its server sends it, as data: remote and hostile input (SPEC 2). Pure, and never throws.
 *
 * A document that is no such thing at all (no JSON, no list of machinetypes, more than any experiment has) is refused as a
 * whole, and the last good copy stays in force. In a document, an entry that is wrong is refused by itself and named;
 * what experiments are known to get wrong without harm is put up with, and told once for the document.
 */
import { MACHINETYPE_OPTIONS } from './machinetype-options.js';
import type { Option, OptionTable } from './options.js';
import { printable, textOfJson } from './pipe-values.js';
import { knownName } from './spelling.js';

/** More than any experiment needs. Status messages can tell of 256 machinetypes of a factory, its own and its pipes'. */
export const PIPE_LIMITS = {
  documentBytes: 262_144,
  machinetypes: 64,
  /** Of one machinetype. */
  options: 128,
  suffixCharacters: 64,
  /** What the wire carries. */
  nameCharacters: 128,
} as const;

/** How long a document is good for when it does not say, and the least and the most that it can say. */
export const CACHE_SECONDS = { default: 3_600, min: 60, max: 86_400 } as const;

export interface PipeDocument {
  readonly cacheSeconds: number;
  /** In the document's order; each suffix once. */
  readonly entries: readonly PipeEntry[];
  readonly refused: readonly RefusedEntry[];
  /** What is doubtful but was taken as meant, a sentence each. */
  readonly warnings: readonly string[];
}

export interface PipeEntry {
  readonly suffix: string;
  /** Option names of today to texts, as a file would have them; not yet checked by the types of the table. */
  readonly options: ReadonlyMap<string, string>;
}

export interface RefusedEntry {
  /** Its suffix, or which of the document's entries it is. */
  readonly entry: string;
  readonly reason: string;
}

export type PipeParse =
  | { readonly ok: true; readonly document: PipeDocument }
  /** Completes "the document …". */
  | { readonly ok: false; readonly problem: string };

export function parsePipeDocument(bytes: Uint8Array): PipeParse {
  if (bytes.length > PIPE_LIMITS.documentBytes) {
    return { ok: false, problem: `is larger than ${PIPE_LIMITS.documentBytes} bytes` };
  }
  const json = jsonOf(bytes);
  if ('problem' in json) return { ok: false, problem: json.problem };
  const { value } = json;
  if (!isObject(value)) return { ok: false, problem: 'is no JSON object' };
  const list = Object.hasOwn(value, 'machinetypes') ? value.machinetypes : undefined;
  if (!Array.isArray(list)) return { ok: false, problem: 'has no list "machinetypes"' };
  if (list.length > PIPE_LIMITS.machinetypes) {
    return { ok: false, problem: `has ${list.length} machinetypes, a pipe may have ${PIPE_LIMITS.machinetypes}` };
  }

  const notes = new Notes();
  for (const key of Object.keys(value)) {
    if (key !== 'machinetypes' && key !== 'cache_seconds') notes.add(`${printable(key)} is ignored`, null);
  }
  const cacheSeconds = cacheSecondsOf(Object.hasOwn(value, 'cache_seconds') ? value.cache_seconds : undefined, notes);
  const entries: PipeEntry[] = [];
  const refused: RefusedEntry[] = [];
  list.forEach((item: unknown, index) => {
    const read = readEntry(item, index, entries, notes);
    if ('reason' in read) refused.push(read);
    else entries.push(read);
  });
  return { ok: true, document: { cacheSeconds, entries, refused, warnings: notes.sentences() } };
}

/** Of the JSON parser, which quotes from the document. */
const MAX_REASON_CHARACTERS = 160;

function jsonOf(bytes: Uint8Array): { value: unknown } | { problem: string } {
  let text: string;
  try {
    // A byte order mark is skipped.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return { problem: 'is not UTF-8 text' };
  }
  if (text.trim() === '') return { problem: 'is empty' };
  if (text.trimStart().startsWith('<')) return { problem: 'is HTML or XML, and no JSON' };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { problem: `is no JSON: ${printable((error as Error).message, MAX_REASON_CHARACTERS).slice(1, -1)}` };
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function cacheSecondsOf(given: unknown, notes: Notes): number {
  if (given === undefined || given === null) return CACHE_SECONDS.default;
  const seconds = typeof given === 'string' && /^\s*\d+\s*$/.test(given) ? Number(given) : given;
  if (typeof seconds !== 'number' || Number.isNaN(seconds)) {
    notes.add(`cache_seconds is no number; ${CACHE_SECONDS.default} is taken`, null);
    return CACHE_SECONDS.default;
  }
  const { min, max } = CACHE_SECONDS;
  const taken = Math.min(max, Math.max(min, Math.round(seconds)));
  if (taken !== seconds) notes.add(`cache_seconds is ${seconds}; ${taken} is taken (${min} to ${max})`, null);
  else if (typeof given === 'string') notes.add('cache_seconds is given as text instead of a number', null);
  return taken;
}

function readEntry(item: unknown, index: number, before: readonly PipeEntry[], notes: Notes): PipeEntry | RefusedEntry {
  const place = `number ${index + 1}`;
  if (!isObject(item)) return { entry: place, reason: 'is no JSON object' };
  const suffix = Object.hasOwn(item, 'suffix') ? item.suffix : undefined;
  if (typeof suffix !== 'string' || !/^[a-z0-9-]+$/.test(suffix)) {
    const given = suffix === undefined ? 'has no suffix' : `has the suffix ${shown(suffix)}`;
    return { entry: place, reason: `${given}; it must be text of letters a-z, digits and "-"` };
  }
  if (suffix.length > PIPE_LIMITS.suffixCharacters) {
    return { entry: place, reason: `has a suffix longer than ${PIPE_LIMITS.suffixCharacters} characters` };
  }
  if (before.some((entry) => entry.suffix === suffix)) {
    return { entry: suffix, reason: `${place} has the suffix of one before it, which holds` };
  }
  const keys = Object.keys(item).filter((key) => key !== 'suffix');
  if (keys.length > PIPE_LIMITS.options) {
    return { entry: suffix, reason: `has ${keys.length} options, it may have ${PIPE_LIMITS.options}` };
  }
  const options = new EntryOptions(suffix, notes);
  for (const key of keys) {
    const reason = options.take(key, item[key]);
    if (reason !== null) return { entry: suffix, reason };
  }
  return { suffix, options: options.values };
}

function shown(value: unknown): string {
  if (typeof value === 'string') return printable(value);
  return typeof value === 'object' ? 'of another kind' : String(value);
}

/** The options of one entry under the names of today. */
class EntryOptions {
  readonly values = new Map<string, string>();
  private readonly modern = new Set<string>();

  constructor(
    private readonly suffix: string,
    private readonly notes: Notes,
  ) {}

  /** Why the entry cannot be used with this option; null: it can. */
  take(key: string, value: unknown): string | null {
    const spelling = knownName('machinetype', key);
    const note = (sentence: string) => this.notes.add(sentence, this.suffix);
    switch (spelling?.kind) {
      case undefined:
        note(`${printable(key)} is no option of a machinetype, and is ignored`);
        return null;
      case 'badPattern':
        return `${printable(key)}: what follows ${spelling.prefix} must be of letters a-z, digits and "_", and not empty`;
      case 'retired':
        note(`${key} ${spelling.advice}`);
        return null;
      case 'known': {
        if (spelling.option.pipe !== true) {
          note(`${key} is not for a pipe to say, and is ignored; a site may set it in its [vacuum_pipe] section`);
          return null;
        }
        this.modern.add(key);
        return this.set(key, [key], spelling.option, value);
      }
      case 'old': {
        const table: OptionTable = MACHINETYPE_OPTIONS;
        const names = spelling.names.filter((name) => table[name]?.pipe === true);
        if (names.length === 0) {
          note(`${key} is not for a pipe to say, and is ignored`);
          return null;
        }
        note(`${key} is deprecated; write ${names.join(' and ')}`);
        return this.set(key, names, table[names[0]!]!, value);
      }
    }
  }

  /** Of an old and a new spelling the new one holds: the members of a JSON object have no order. */
  private set(key: string, names: readonly string[], option: Option, value: unknown): string | null {
    const read = textOfJson(option, value);
    if (read.kind === 'refused') return `${key} ${read.reason}`;
    if (read.quirk !== null) this.notes.add(`${key} is given as ${read.quirk}`, this.suffix);
    if (read.kind === 'none') return null;
    for (const name of names) {
      if (name === key || !this.modern.has(name)) this.values.set(name, read.text);
    }
    return null;
  }
}

const MAX_NOTES = 12;
const MAX_NAMED = 4;

/** Sentences about a document, each once, with the entries that they are about. */
class Notes {
  private readonly about = new Map<string, string[]>();
  private left = 0;

  add(sentence: string, suffix: string | null): void {
    const known = this.about.get(sentence);
    if (known === undefined && this.about.size >= MAX_NOTES) {
      this.left += 1;
      return;
    }
    const entries = known ?? [];
    if (suffix !== null && !entries.includes(suffix)) entries.push(suffix);
    this.about.set(sentence, entries);
  }

  sentences(): string[] {
    const told = [...this.about].map(([sentence, entries]) => {
      if (entries.length === 0) return sentence;
      const more = entries.length > MAX_NAMED ? ` and ${entries.length - MAX_NAMED} more` : '';
      return `${sentence} (in ${entries.slice(0, MAX_NAMED).join(', ')}${more})`;
    });
    return this.left === 0 ? told : [...told, 'there is more of this kind'];
  }
}
