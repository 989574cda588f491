/**
 * Calendar months in UTC, which accounting counts in (SPEC 10). Pure: a moment is given, never asked for.
 */

/** A month as receivers and file names write it: `YYYYMM`. */
export type MonthName = string;

/** The first second of the month that a moment is in, Unix seconds. */
export function monthStart(timeSeconds: number): number {
  const date = new Date(timeSeconds * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth()) / 1000;
}

/** The first second of the month after, Unix seconds: where the month's use ends. */
export function monthEnd(timeSeconds: number): number {
  const date = new Date(timeSeconds * 1000);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1) / 1000;
}

/** The ends of months strictly between two moments, earliest first: where a life is divided. */
export function monthEndsBetween(fromSeconds: number, untilSeconds: number): number[] {
  const ends: number[] = [];
  for (let end = monthEnd(fromSeconds); end < untilSeconds; end = monthEnd(end)) {
    if (end > fromSeconds) ends.push(end);
  }
  return ends;
}

export function monthName(timeSeconds: number): MonthName {
  return new Date(timeSeconds * 1000).toISOString().slice(0, 7).replace('-', '');
}

/** The first second of `YYYYMM`; null: there is no such month. */
export function parseMonth(text: string): number | null {
  const match = /^(\d{4})(0[1-9]|1[0-2])$/.exec(text);
  return match === null ? null : Date.UTC(Number(match[1]), Number(match[2]) - 1) / 1000;
}
