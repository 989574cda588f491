/**
 * `space-catalogue.json` in the state directory: what an administrator says of factories that cannot be asked (SPEC 9).
 * {"factory.example.com": {"max_processors": 64, "max_machines": 64, "max_hs06": 640.0}}
 */

import { fqdn } from '../config/values.js';
import { readTextIfThere } from '../host/files.js';

export interface CatalogueEntry {
  readonly max_processors?: number;
  readonly max_machines?: number;
  readonly max_hs06?: number;
}

export type CatalogueResult =
  | { readonly ok: true; readonly entries: ReadonlyMap<string, CatalogueEntry> }
  /** A line that names the file, the place in it and what was expected. */
  | { readonly ok: false; readonly problem: string };

const KEYS = {
  max_processors: { isValid: isCount, expected: 'a whole number, 0 or more' },
  max_machines: { isValid: isCount, expected: 'a whole number, 0 or more' },
  max_hs06: { isValid: isAmount, expected: 'a number, 0 or more' },
} as const satisfies Record<keyof CatalogueEntry, { isValid: (value: unknown) => boolean; expected: string }>;

const KEY_NAMES = Object.keys(KEYS).join(', ');

/** No entries where there is no such file. Factories' names come out in lower case. */
export async function readCatalogue(path: string): Promise<CatalogueResult> {
  try {
    return parseCatalogue(path, await readTextIfThere(path));
  } catch (error) {
    return { ok: false, problem: `${path}: cannot be read: ${(error as Error).message}` };
  }
}

/** Strict, and all or nothing: half a catalogue would be taken for the whole. */
export function parseCatalogue(path: string, text: string | null): CatalogueResult {
  if (text === null) return { ok: true, entries: new Map() };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    return { ok: false, problem: `${path}: is no JSON: ${(error as Error).message}` };
  }
  if (!isObject(parsed)) {
    return { ok: false, problem: `${path}: expected an object {"factory": {${KEY_NAMES}}}` };
  }
  const entries = new Map<string, CatalogueEntry>();
  for (const [name, entry] of Object.entries(parsed)) {
    const problem = problemOf(name, entry);
    if (problem !== null) return { ok: false, problem: `${path}: ${JSON.stringify(name)}: ${problem}` };
    if (entries.has(name.toLowerCase())) {
      return { ok: false, problem: `${path}: ${JSON.stringify(name)}: is there twice; remove one` };
    }
    entries.set(name.toLowerCase(), entry as CatalogueEntry);
  }
  return { ok: true, entries };
}

function problemOf(name: string, entry: unknown): string | null {
  if (fqdn.parse(name) === undefined) return `expected ${fqdn.expected} as the name of a factory`;
  if (!isObject(entry) || Object.keys(entry).length === 0) return `expected an object with ${KEY_NAMES}`;
  for (const [key, value] of Object.entries(entry)) {
    if (!Object.hasOwn(KEYS, key)) return `unknown key ${JSON.stringify(key)}; the keys are ${KEY_NAMES}`;
    const { isValid, expected } = KEYS[key as keyof typeof KEYS];
    if (!isValid(value)) return `${key} = ${JSON.stringify(value)}: expected ${expected}`;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
