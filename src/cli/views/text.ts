/**
 * Words, numbers and bars as the views of `vac` show them. What machines and other factories say is hostile text: it
 * goes through `harmless` before it reaches a terminal, so that it can neither steer it nor take room that was not
 * counted.
 */

import { styleText } from 'node:util';

/** What every view needs to know of where and when it is shown. */
export interface ViewOptions {
  /** No line is wider. Infinity: nothing is cut, as where the output is no terminal. */
  readonly columns: number;
  /** Our clock, Unix seconds. */
  readonly nowSeconds: number;
  readonly colour: boolean;
}

/** A view of answers to a poll, whose statuses tell their arrival on the poll's own clock. */
export interface PollViewOptions extends ViewOptions {
  /** The clock of the poll (`Poller.clock`) at `nowSeconds`. */
  readonly nowMs: number;
  /** Why factories could not be asked, by their names, in words that follow them; absent: nothing is known of that. */
  readonly unaskable?: ReadonlyMap<string, string>;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** Shown for what is not known. */
export const UNKNOWN = '-';

/** Characters that steer a terminal, join the one before, or have no width of their own. */
const HARMFUL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}\p{Mn}\p{Me}]/gu;
/** Characters that take two columns; a few that take one are among them, which makes a line shorter, never longer. */
const WIDE =
  /[\u1100-\u11ff\u2329\u232a\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe10-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{1f000}-\u{1faff}\u{20000}-\u{3ffff}\p{Emoji_Presentation}]/u;
const PLAIN = /^[ -~]*$/;

/** One line of printable characters; what is not printable becomes `?`. */
export function harmless(text: string): string {
  return PLAIN.test(text) ? text : text.normalize('NFC').replace(HARMFUL, '?');
}

/** Columns that a harmless text takes on a terminal. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += columnsOf(character);
  return width;
}

function columnsOf(character: string): 1 | 2 {
  return character >= '\u1100' && WIDE.test(character) ? 2 : 1;
}

/** A harmless text in so many columns at most; `…` tells that something was cut off. */
export function cut(text: string, columns: number): string {
  if (text.length * 2 <= columns || widthOf(text) <= columns) return text;
  if (columns < 1) return '';
  let kept = '';
  let room = columns - 1;
  for (const character of text) {
    room -= columnsOf(character);
    if (room < 0) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

/** Whether colours are wanted is known by the caller, who knows the stream: the environment is not asked again. */
export function paint(text: string, style: Style | null, colour: boolean): string {
  return colour && style !== null && text !== '' ? styleText(style, text, { validateStream: false }) : text;
}

/** A heading or a sentence: made harmless, cut to the width, then painted. */
export function line(text: string, view: ViewOptions, style: Style | null = null): string {
  return paint(cut(harmless(text).trimEnd(), view.columns), style, view.colour);
}

/** `45s`, `12m`, `3h05`, `2d4h`: two figures at most, so that it can be compared down a column. */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return UNKNOWN;
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m`;
  if (whole < 86_400)
    return `${Math.floor(whole / 3_600)}h${String(Math.floor((whole % 3_600) / 60)).padStart(2, '0')}`;
  const days = Math.floor(whole / 86_400);
  return days < 100 ? `${days}d${Math.floor((whole % 86_400) / 3_600)}h` : `${days}d`;
}

/** Seconds from `since` to `until`, both on one clock; null where either is not known, never below 0. */
export function secondsBetween(since: number | null, until: number | null): number | null {
  return since === null || until === null ? null : Math.max(0, until - since);
}

const SIZE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];

/** Decimal units, as disks are sold and as the configuration has them: `950 MB`, `12.6 GB`. */
export function size(bytes: number | null): string {
  if (bytes === null || !Number.isFinite(bytes)) return UNKNOWN;
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < SIZE_UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value < 99.95 && unit > 0 ? decimal(value) : Math.round(value)} ${SIZE_UNITS[unit]}`;
}

/** Of a part, 0 to 1. */
export function percent(part: number | null): string {
  return part === null || !Number.isFinite(part) ? UNKNOWN : `${decimal(Math.round(part * 100))} %`;
}

/** No space runs so much of anything: written in full, one factory's lie would push columns off the screen. */
const IMPLAUSIBLE = 1e9;

/** At most one decimal, none where it would be 0; sums of decimal numbers lose their noise. */
export function decimal(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return UNKNOWN;
  if (Math.abs(value) >= IMPLAUSIBLE) return value.toExponential(0);
  return String(Math.round(value * 10) / 10 + 0);
}

/** With its sign, for differences: `+3`, `-1.5`, `0`. */
export function signed(value: number, unit = ''): string {
  const text = decimal(value);
  return `${value > 0 && text !== '0' ? '+' : ''}${text}${unit}`;
}

/** `1 machine`, `2 machines`. */
export function counted(count: number, noun: string, plural = `${noun}s`): string {
  return `${decimal(count)} ${count === 1 ? noun : plural}`;
}

/** What is, as `#` of so many cells, with a `|` at the end of what is wanted; null: nothing is known to be wanted. */
export function bar(now: number, wanted: number | null, cells: number): string {
  const filled = Math.min(cells, Math.round(now * cells));
  const plain = '#'.repeat(filled) + '.'.repeat(cells - filled);
  if (wanted === null || cells < 1) return plain;
  const mark = Math.min(cells - 1, Math.max(0, Math.round(wanted * cells) - 1));
  return `${plain.slice(0, mark)}|${plain.slice(mark + 1)}`;
}

const NATURAL = new Intl.Collator('en', { numeric: true });

/** `wn2` before `wn10`. */
export function naturally(a: string, b: string): number {
  return NATURAL.compare(a, b);
}

/** How to show host names: without their domain where all have the same, in full else. */
export function shortener(hostnames: Iterable<string>): (hostname: string) => string {
  const domains = new Set<string>();
  for (const hostname of hostnames) domains.add(domainOf(hostname));
  if (domains.size !== 1) return (hostname) => hostname;
  const [domain] = domains as unknown as [string];
  return (hostname) => (domain !== '' && hostname.endsWith(domain) ? hostname.slice(0, -domain.length) : hostname);
}

/** With its dot; empty when there is none. */
function domainOf(hostname: string): string {
  const dot = hostname.indexOf('.');
  return dot < 1 ? '' : hostname.slice(dot);
}

/** `wn01, wn02, wn03 and 7 more`. */
export function listed(names: readonly string[], most = 10): string {
  if (names.length <= most) return names.join(', ');
  return `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}

/** A long sentence over several lines, the second and further ones indented. */
export function wrapped(text: string, view: ViewOptions, indent = 2): string[] {
  const words = harmless(text).split(' ');
  const lines: string[] = [];
  let current = '';
  for (const word of words) {
    const next = current === '' ? word : `${current} ${word}`;
    if (current.trim() === '' || widthOf(next) <= view.columns) {
      current = current.trim() === '' ? `${current}${word}` : next;
      continue;
    }
    lines.push(current);
    current = `${' '.repeat(indent)}${word}`;
  }
  lines.push(current);
  return lines.map((each) => cut(each.trimEnd(), view.columns));
}
