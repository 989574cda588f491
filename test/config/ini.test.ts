import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseIni } from '../../src/config/ini.js';

/** Sections as plain data: `{section: {option: [value, line]}}`. */
function read(text: string | Uint8Array) {
  const { sections, errors } = parseIni(text);
  const plain = Object.fromEntries(
    [...sections].map(([name, { options }]) => [
      name,
      Object.fromEntries([...options].map(([option, { value, line }]) => [option, [value, line]])),
    ]),
  );
  return { plain, errors };
}

const good: [name: string, text: string, expected: Record<string, Record<string, [string, number]>>][] = [
  [
    '= and : as delimiters, whichever comes first',
    '[s]\na = 1:2\nb: 3=4\nc:d',
    { s: { a: ['1:2', 2], b: ['3=4', 3], c: ['d', 4] } },
  ],
  ['continuation lines', '[s]\na = 1\n  2\n\t3\nb = 4', { s: { a: ['1\n2\n3', 2], b: ['4', 5] } }],
  [
    'a continuation that looks like an option or a section',
    '[s]\na =\n  b = c\n  [d]',
    { s: { a: ['\nb = c\n[d]', 2] } },
  ],
  [
    'a blank line inside a value, and none at its end',
    '[s]\na = 1\n\n  2\n\n\nb = 3',
    { s: { a: ['1\n\n2', 2], b: ['3', 7] } },
  ],
  [
    'comments at the start of a line, also of an indented one',
    '# x\n[s]\n; y\na = 1\n  # z\n  2',
    { s: { a: ['1\n2', 4] } },
  ],
  [
    '# and ; inside values',
    '[s]\nu = https://x/y#frag\np = http://a:3128|http://b:3128;DIRECT',
    { s: { u: ['https://x/y#frag', 2], p: ['http://a:3128|http://b:3128;DIRECT', 3] } },
  ],
  [
    '# and ; after white space inside values',
    '[s]\na = 1 # one\nb = 2 ; two',
    { s: { a: ['1 # one', 2], b: ['2 ; two', 3] } },
  ],
  [
    'quotes, brackets, backslashes and % as they are',
    '[s]\na = "x"\nb = [y]\nc = \'\nd = \\;\\n\ne = %(a)s',
    { s: { a: ['"x"', 2], b: ['[y]', 3], c: ["'", 4], d: ['\\;\\n', 5], e: ['%(a)s', 6] } },
  ],
  [
    'words that look like other types',
    '[s]\na = true\nb = null\nc[] = 1\nd = 007',
    { s: { a: ['true', 2], b: ['null', 3], 'c[]': ['1', 4], d: ['007', 5] } },
  ],
  ['empty values and empty sections', '[s]\na =\nb:\n[t]', { s: { a: ['', 2], b: ['', 3] }, t: {} }],
  ['dots and dashes in section names', '[a.b.c]\nx = 1\n[a]\nx = 2', { 'a.b.c': { x: ['1', 2] }, a: { x: ['2', 4] } }],
  [
    'case: option names fold, section names do not',
    '[S]\nABC = 1\n[s]\nAbc = 2',
    { S: { abc: ['1', 2] }, s: { abc: ['2', 4] } },
  ],
  [
    'sections of one name merge, later values win',
    '[s]\na = 1\nb = 2\n[t]\n[s]\na = 3\nA = 4',
    { s: { a: ['4', 7], b: ['2', 3] }, t: {} },
  ],
  [
    'names that JavaScript objects have',
    '[__proto__]\n__proto__ = 1\nconstructor = 2',
    JSON.parse('{"__proto__": {"__proto__": ["1", 2], "constructor": ["2", 3]}}'),
  ],
  ['CRLF and CR line ends', '[s]\r\na = 1\r\n  2\rb = 3', { s: { a: ['1\n2', 2], b: ['3', 4] } }],
  ['a byte order mark', '\ufeff[s]\na = 1', { s: { a: ['1', 2] } }],
  ['white space around all', '[s]\t\n a b\t=\t1 \u00a0', { s: { 'a b': ['1', 2] } }],
  ['an indented option right after a header', '[s]\n  a = 1\n  b = 2', { s: { a: ['1', 2], b: ['2', 3] } }],
  ['non-ASCII text', '[s]\nd = Čerenkov 光 \u2028 😀', { s: { d: ['Čerenkov 光 \u2028 😀', 2] } }],
];

it.each(good)('reads %s', (_name, text, expected) => {
  const { plain, errors } = read(text);
  expect(errors).toEqual([]);
  expect(plain).toEqual(expected);
});

const bad: [name: string, text: string | Uint8Array, line: number, message: RegExp][] = [
  ['an option before any section', '\n# c\na = 1\n  2\n[s]', 3, /stands before any section/],
  ['a line that is neither', '[s]\na = 1\nnonsense\nb = 2', 3, /is neither a \[section\] nor "option = value"/],
  ['an option without a name', '[s]\n= 1', 2, /is neither/],
  ['an unfinished header', '[s]\n[t', 2, /is neither/],
  ['an empty header', '[s]\n[]', 2, /is neither/],
  ['a NUL byte', '[s]\na = 1\0', 2, /NUL/],
  ['bytes that are no UTF-8', Buffer.from('[s]\r\na = \xe9t\xe9\n', 'latin1'), 2, /not UTF-8/],
];

it.each(bad)('refuses %s, naming the line', (_name, text, line, message) => {
  const { errors } = parseIni(text);
  expect(errors).toEqual([{ line, text: expect.any(String), message: expect.stringMatching(message) }]);
});

it('goes on after a bad line', () => {
  const { plain, errors } = read('x = 0\n[s]\nfirst\n  continued\na = 1\nsecond\n');
  expect(errors.map((error) => error.line)).toEqual([1, 3, 6]);
  expect(plain).toEqual({ s: { a: ['1', 5] } });
});

it('decodes bytes as UTF-8', () => {
  expect(read(Buffer.from('\ufeff[s]\nd = Čerenkov'))).toEqual({ plain: { s: { d: ['Čerenkov', 2] } }, errors: [] });
});

it('reads back whatever is written in the plain form', () => {
  const name = fc.stringMatching(/^[a-z_][a-z0-9_. -]{0,8}[a-z0-9_]$/);
  const valueLine = fc.stringMatching(/^[!-~]([ -~]{0,12}[!-~])?$/).filter((text) => !/^[#;]/.test(text));
  const value = fc.array(valueLine, { maxLength: 3 }).map((lines) => lines.join('\n'));
  const document = fc.dictionary(name, fc.dictionary(name, value), { noNullPrototype: true });
  fc.assert(
    fc.property(
      document,
      fc.constantFrom('=', ':', ' = ', ' : '),
      fc.constantFrom('\n', '\r\n'),
      (sections, delimiter, end) => {
        const text = Object.entries(sections)
          .map(([section, options]) => {
            const lines = Object.entries(options).map(
              ([option, v]) => `${option}${delimiter}${v.replaceAll('\n', '\n   ')}`,
            );
            return `[${section}]\n${lines.map((line) => `${line}\n`).join('')}`;
          })
          .join('# a comment\n\n');
        const { sections: parsed, errors } = parseIni(text.replaceAll('\n', end));
        expect(errors).toEqual([]);
        const values = [...parsed].map(([section, { options }]) => [
          section,
          [...options].map(([key, o]) => [key, o.value]),
        ]);
        expect(new Map(values as never)).toEqual(
          new Map(Object.entries(sections).map(([section, options]) => [section, Object.entries(options)])),
        );
      },
    ),
  );
});

it('gives the line on which each option stands', () => {
  const piece = fc.constantFrom('# c', '', 'a = 1', 'b: 2', '  continued', '[s]', '[t]');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const lines = ['[s]', ...pieces];
      for (const { options } of parseIni(lines.join('\n')).sections.values()) {
        for (const [name, { line }] of options)
          expect(lines[line - 1]?.trimStart()).toMatch(new RegExp(`^${name}\\s*[=:]`));
      }
    }),
  );
});

it('takes time in proportion to the text, also for long runs of spaces', () => {
  const spaces = ' '.repeat(1_000_000);
  const { plain } = read(`[s]\na${spaces}= b${spaces}c${spaces}\n`);
  expect(plain).toEqual({ s: { a: [`b${spaces}c`, 2] } });
});

it('never throws, whatever the text or the bytes', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => Array.isArray(parseIni(text).errors)));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => Array.isArray(parseIni(bytes).errors)));
});
