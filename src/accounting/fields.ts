/** Lines of accounting messages: a format of `Key: value` lines without quoting, in ASCII (SPEC 10). */

import assert from 'node:assert/strict';

/** One line, never an empty one, whatever the configuration says. */
export function line(key: string, value: string): string {
  const text = value
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[^ -~]/g, '?');
  assert(text !== '', `${key} of an accounting record is empty`);
  return `${key}: ${text}`;
}

export function wholeNumber(value: number): string {
  assert(Number.isSafeInteger(value) && value >= 0, `${value} is no whole number for an accounting record`);
  return String(value);
}

/** A message of one record: its header, its lines, and the mark that ends a record. */
export function message(header: string, lines: readonly string[]): string {
  return [header, ...lines, '%%', ''].join('\n');
}

/** The values of a record's lines, by key. */
export function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const each of text.split('\n')) {
    const colon = each.indexOf(': ');
    if (colon > 0) fields.set(each.slice(0, colon), each.slice(colon + 2));
  }
  return fields;
}

/** A space as a DN, as deployed factories write it: `vac01.example.com` is `/DC=com/DC=example/DC=vac01`. */
export function globalUserName(space: string): string {
  return space
    .split('.')
    .reverse()
    .map((label) => `/DC=${label}`)
    .join('');
}

/** As VacQuery calls a site without a registered name (SPEC 3): the space without its first label. */
export function unregisteredSite(space: string): string {
  return space.split('.').slice(1).join('.') || space;
}
