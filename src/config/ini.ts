/**
 * The INI dialect of Python's `configparser.RawConfigParser(strict=False)`, with line numbers.
 *
 * npm's `ini` assembles the sections (merging those of one name, later options winning), but by itself it misreads
 * this dialect: continuation lines become keys, dots in section names nest, `#` and `;` cut values, `key: value` is
 * lost, `true` changes type, `__proto__` vanishes. So the text is first read line by line as Python does, then written
 * again in a form with none of these traps (`toPlainIni`), in which each value carries the line that it came from.
 */
import { decode } from 'ini';

/** One option: its value as text (lines of a continued value joined by `\n`), and the line it stands on, from 1. */
export interface IniOption {
  readonly value: string;
  readonly line: number;
}

/** One section: the line of its last header, and its options by lower-case name. */
export interface IniSection {
  readonly line: number;
  readonly options: ReadonlyMap<string, IniOption>;
}

/** A line that could not be read. `text` is the line itself. */
export interface IniError {
  readonly line: number;
  readonly text: string;
  readonly message: string;
}

/** What a text holds: sections by name (case-sensitive, as written) and all lines that could not be read. */
export interface IniDocument {
  readonly sections: ReadonlyMap<string, IniSection>;
  readonly errors: readonly IniError[];
}

/** Python's `str.isspace` characters: what `strip()` removes and what indents a line. JavaScript's `\s` differs. */
const SPACE = '\\t\\n\\v\\f\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const LEADING_SPACE = new RegExp(`^[${SPACE}]+`);
const IS_SPACE = new RegExp(`^[${SPACE}]$`);
const LINE_END = /\r\n|\r|\n/;

const stripLeft = (text: string): string => text.replace(LEADING_SPACE, '');
/** Not by a pattern: one anchored at the end takes the square of the time for long runs of spaces inside. */
function stripRight(text: string): string {
  let end = text.length;
  while (end > 0 && IS_SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** A header or an option as it stands in the text, in the order of the text. */
type Entry =
  | { readonly kind: 'header'; readonly section: string; readonly line: number }
  | { readonly kind: 'option'; readonly name: string; readonly valueLines: string[]; readonly line: number };

/**
 * Reads one file's content. Never throws: what cannot be read is in `errors`, the rest in `sections`.
 * Bytes are decoded as UTF-8; a byte order mark is skipped.
 */
export function parseIni(input: string | Uint8Array): IniDocument {
  const decoded = typeof input === 'string' ? { text: input } : decodeUtf8(input);
  if ('error' in decoded) return { sections: new Map(), errors: [decoded.error] };
  const { entries, errors } = readLines(decoded.text.replace(/^\ufeff/, '').split(LINE_END));
  return { sections: fromPlainIni(toPlainIni(entries)), errors };
}

function decodeUtf8(bytes: Uint8Array): { text: string } | { error: IniError } {
  const isUtf8 = (part: Uint8Array): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(part);
      return true;
    } catch {
      return false;
    }
  };
  if (isUtf8(bytes)) return { text: new TextDecoder().decode(bytes) };
  // Line ends are never inside a UTF-8 sequence, so the first line that does not decode alone is the culprit.
  const lines = Buffer.from(bytes).toString('latin1').split(LINE_END);
  const index = lines.findIndex((line) => !isUtf8(Buffer.from(line, 'latin1')));
  const message = 'is not UTF-8 text; save the file in the UTF-8 encoding';
  return { error: { line: index + 1, text: lines[index] ?? '', message } };
}

/** The line rules of Python's configparser: comments, indentation, headers, options. */
function readLines(lines: readonly string[]): { entries: Entry[]; errors: IniError[] } {
  const entries: Entry[] = [];
  const errors: IniError[] = [];
  let inSection = false;
  /** Where continuation lines go: null right after a header, so a section cannot begin with a continuation. */
  let currentValue: string[] | null = null;
  let currentIndent = 0;

  const refuse = (line: number, text: string, message: string): void => {
    errors.push({ line, text, message });
    currentValue = []; // lines that continue a refused line are dropped with it, not reported again
  };

  lines.forEach((raw, index) => {
    const line = index + 1;
    const unindented = stripLeft(raw);
    const text = stripRight(unindented);
    if (text.startsWith('#') || text.startsWith(';')) return;
    if (text === '') {
      currentValue?.push('');
      return;
    }
    const indent = raw.length - unindented.length;
    if (text.includes('\0')) {
      refuse(line, text, 'contains a NUL byte; is this a text file?');
      return;
    }
    if (currentValue !== null && indent > currentIndent) {
      currentValue.push(text);
      return;
    }
    currentIndent = indent;
    // As Python: the header ends at the last bracket of the line, and what follows that is ignored.
    const bracket = text.lastIndexOf(']');
    if (text.startsWith('[') && bracket > 1) {
      entries.push({ kind: 'header', section: text.slice(1, bracket), line });
      inSection = true;
      currentValue = null;
      return;
    }
    const delimiter = text.search(/[=:]/);
    if (!inSection) {
      refuse(line, text, 'stands before any section; put a line such as [settings] above it');
    } else if (delimiter < 1) {
      refuse(
        line,
        text,
        'is neither a [section] nor "option = value", nor does it continue the line above by an indent',
      );
    } else {
      const name = stripRight(text.slice(0, delimiter)).toLowerCase();
      currentValue = [stripLeft(text.slice(delimiter + 1))];
      entries.push({ kind: 'option', name, valueLines: currentValue, line });
    }
  });
  return { entries, errors };
}

/** Names with everything but ASCII letters and digits escaped as `_hex_`, so that `ini` sees no syntax in them. */
const escapeName = (name: string): string =>
  name.replace(/[^A-Za-z0-9]/gu, (char) => `_${char.codePointAt(0)?.toString(16)}_`);
const unescapeName = (name: string): string =>
  name.replace(/_([0-9a-f]+)_/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));

/** `ini` unquotes JSON strings; pure ASCII, because its line pattern stops at U+2028 and U+2029. */
const quote = (text: string): string =>
  JSON.stringify(text).replace(/[\x7f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

function toPlainIni(entries: readonly Entry[]): string {
  return entries
    .map((entry) =>
      entry.kind === 'header'
        ? `[${escapeName(entry.section)}]\nline=${entry.line}\n`
        : `o_${escapeName(entry.name)}=${quote(`${entry.line} ${stripRight(entry.valueLines.join('\n'))}`)}\n`,
    )
    .join('');
}

function fromPlainIni(plain: string): Map<string, IniSection> {
  const sections = new Map<string, IniSection>();
  for (const [section, content] of Object.entries(decode(plain) as Record<string, Record<string, string>>)) {
    const options = new Map<string, IniOption>();
    for (const [key, numbered] of Object.entries(content)) {
      if (key === 'line') continue;
      const space = numbered.indexOf(' ');
      options.set(unescapeName(key.slice('o_'.length)), {
        line: Number(numbered.slice(0, space)),
        value: numbered.slice(space + 1),
      });
    }
    sections.set(unescapeName(section), { line: Number(content.line), options });
  }
  return sections;
}
