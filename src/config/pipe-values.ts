/**
 * What a vacuum pipe's document may say in the place of one value: its JSON becomes the text that a configuration file
 * would have, and what names a file or is to be executed against other data is held tighter than in a file of the site's
 * own (SPEC 2). The types of the option table are asked afterwards, as for any file.
 */
import type { Option } from './options.js';
import { fileName, httpUrl, regex, urlOrPath, type ValueType } from './values.js';

/** Characters of a value. The text of a substitution may be a document itself; nothing else is long. */
const MAX_SUBSTITUTION_CHARACTERS = 65_536;
const MAX_VALUE_CHARACTERS = 2_048;

/** Nothing on one line needs these, and a name that looks like another, or turns the writing direction, misleads. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
/** Of text on many lines: no NUL, nothing that steers terminals, no half of a surrogate pair. */
const UNPRINTABLE_IN_TEXT = /(?![\t\n\r])\p{Cc}|\p{Cs}/u;

/** How a value was given that is of another JSON type than it should be; completes "… is given as". */
export type Quirk =
  | 'text instead of a number'
  | 'text instead of true or false'
  | 'a number instead of text'
  | OtherQuirk;
type OtherQuirk = 'a number instead of true or false' | 'true or false instead of text' | 'null, which means not given';

export type TextOfJson =
  | { readonly kind: 'text'; readonly text: string; readonly quirk: Quirk | null }
  | { readonly kind: 'none'; readonly quirk: Quirk }
  /** Completes "NAME …". */
  | { readonly kind: 'refused'; readonly reason: string };

/** The value of an option as a file would have it, or why it cannot be one. Never throws. */
export function textOfJson(option: Pick<Option, 'type'>, value: unknown): TextOfJson {
  const wanted = wantedJson(option.type);
  switch (typeof value) {
    case 'string':
      return ofString(option.type, value, wanted);
    case 'number':
      if (!Number.isFinite(value)) return { kind: 'refused', reason: 'is a number beyond all bounds' };
      return {
        kind: 'text',
        // Adding 0 makes 0 of -0.
        text: String(value + 0),
        quirk:
          wanted === 'number'
            ? null
            : wanted === 'boolean'
              ? 'a number instead of true or false'
              : 'a number instead of text',
      };
    case 'boolean':
      return { kind: 'text', text: String(value), quirk: wanted === 'string' ? 'true or false instead of text' : null };
    default:
      if (value === null) return { kind: 'none', quirk: 'null, which means not given' };
      return {
        kind: 'refused',
        reason: `must be text, a number, true or false, not ${Array.isArray(value) ? 'a list' : 'an object'}`,
      };
  }
}

function ofString(type: ValueType<unknown>, value: string, wanted: 'string' | 'number' | 'boolean'): TextOfJson {
  const isText = type.kind === 'text';
  const limit = isText ? MAX_SUBSTITUTION_CHARACTERS : MAX_VALUE_CHARACTERS;
  if (value.length > limit) return { kind: 'refused', reason: `is longer than ${limit} characters` };
  // A file's values have no white space around them either.
  const text = isText ? value : value.trim();
  if ((isText ? UNPRINTABLE_IN_TEXT : UNPRINTABLE).test(text)) {
    return { kind: 'refused', reason: `has characters that do not print: ${printable(text)}` };
  }
  const quirk =
    wanted === 'number' ? 'text instead of a number' : wanted === 'boolean' ? 'text instead of true or false' : null;
  return { kind: 'text', text, quirk };
}

function wantedJson({ kind }: ValueType<unknown>): 'string' | 'number' | 'boolean' {
  if (kind === 'boolean') return 'boolean';
  return kind === 'integer' || kind === 'number' ? 'number' : 'string';
}

const SHOWN_CHARACTERS = 60;

/** Hostile text for a message: quoted, in printable ASCII, not long. */
export function printable(text: string, maxCharacters = SHOWN_CHARACTERS): string {
  const shortened = text.length <= maxCharacters ? text : `${text.slice(0, maxCharacters)}…`;
  const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return `"${shortened.replace(/[^ -~…]/g, escaped)}"`;
}

/** A pipe's URL without user and password, for messages. */
export function shownUrl(url: string): string {
  return url.replace(/^(https?:\/\/)[^/?#]*@/i, '$1');
}

/** Where a pipe may say where a file is: elsewhere by URL, or below `files/` by a name without any way out. */
const urlOrFileName: ValueType<string> = {
  kind: 'URL or file name',
  expected: "an http(s):// URL, or the name (without /) of a file under the pipe's files/",
  parse: (value) => (/^[A-Za-z][A-Za-z0-9+.-]*:/.test(value) ? httpUrl.parse(value) : fileName.parse(value)),
};

/** docker:// names no file of this host. */
const image: ValueType<string> = {
  ...urlOrFileName,
  parse: (value) => (value.startsWith('docker://') ? urlOrPath.parse(value) : urlOrFileName.parse(value)),
};

const MAX_REGEX_CHARACTERS = 256;
const MAX_QUANTIFIERS = 2;
const MAX_ALTERNATIVES = 5;

/**
 * JavaScript tries all ways in which a pattern may match, which can take for ever; a stranger may not choose how long vacd
 * hangs. DNs of signers need no more than this.
 */
const tameRegex: ValueType<string> = {
  kind: regex.kind,
  expected: `a regular expression of at most ${MAX_REGEX_CHARACTERS} characters, ${MAX_QUANTIFIERS} of * + ?, ${MAX_ALTERNATIVES} alternatives, and without { }, back references, look-around and repeated groups`,
  parse: (value) => {
    if (value.length > MAX_REGEX_CHARACTERS || /\\[1-9k]/.test(value)) return undefined;
    const skeleton = value
      .replace(/\\./g, 'x')
      .replace(/\[[^\]]*\]/g, 'x')
      .replaceAll('(?:', '(');
    const isTame =
      !/\(\?|[{}]|\)[*+?]/.test(skeleton) &&
      (skeleton.match(/[*+?]/g) ?? []).length <= MAX_QUANTIFIERS &&
      skeleton.split('|').length <= MAX_ALTERNATIVES;
    return isTame ? regex.parse(value) : undefined;
  },
};

/** As long as status messages can carry. */
const MAX_FQAN_CHARACTERS = 255;

/** By option of the table: what a value must be besides, where a pipe gives it. */
const PIPE_TYPES: Readonly<Record<string, ValueType<unknown>>> = {
  root_image: image,
  user_data: urlOrFileName,
  user_data_file_XXX: {
    kind: fileName.kind,
    expected: "the name (without /) of a file under the pipe's files/",
    parse: fileName.parse,
  },
  image_signing_dn: tameRegex,
  accounting_fqan: {
    kind: 'FQAN',
    expected: `no more than ${MAX_FQAN_CHARACTERS} characters`,
    parse: (value) => (value.length <= MAX_FQAN_CHARACTERS ? value : undefined),
  },
};

const NEVER_EMPTY = ['root_image', 'user_data_file_XXX'];

/**
 * Why a pipe may not give this value, as "expected …"; null when it may. The empty text takes an option back, as in files.
 *
 * @param pattern name in the table: of `user_data_file_x` it is `user_data_file_XXX`
 */
export function notForPipes(pattern: string, text: string): string | null {
  const type = Object.hasOwn(PIPE_TYPES, pattern) ? PIPE_TYPES[pattern]! : null;
  if (type === null || type.parse(text) !== undefined) return null;
  return text === '' && !NEVER_EMPTY.includes(pattern) ? null : type.expected;
}
