/** The same texts through Python's own configparser, which defines the dialect. */
import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseIni } from '../../src/config/ini.js';

const PYTHON = `
import configparser, io, json, sys
def read(text):
    parser = configparser.RawConfigParser(strict=False, default_section='no section is the default here')
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error:
        return None
    return [[name, parser.items(name)] for name in parser.sections()]
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`;

const hasPython = spawnSync('python3', ['-c', 'import configparser']).status === 0;

/** Lines that matter to the dialect, and what they are made of in wild order. */
const piece = fc.oneof(
  fc.constantFrom('[s]', '[S]', '[a.b]', '[s] x', ' [t]', '[a]b]', '[__proto__]', '[', '[]', '[]=1'),
  fc.constantFrom(
    'a = 1',
    'A: 2',
    'b=c:d',
    'b:c=d',
    ' c = 3',
    '\ta = 4',
    'a',
    '= 5',
    'a b = 6',
    '__proto__ = 7',
    'k[] = 8',
  ),
  fc.constantFrom(
    '',
    '  ',
    '# c',
    '; c',
    '  # c',
    '\t; c',
    '  continued',
    '      deeper',
    '\x1cx = 1',
    '\u00a0y',
    '\u2028z',
  ),
  fc.constantFrom(
    'v = true',
    'v = "q"',
    "v = 'q'",
    'v = a ; b',
    'v = a # b',
    'v = \\',
    'v = é光😀',
    'v =',
    'v = \x85 x \u3000',
  ),
  fc
    .array(fc.constantFrom(' ', '\t', '[', ']', '=', ':', '#', ';', 'a', '"', '\\', '\u00a0'), { maxLength: 8 })
    .map((chars) => chars.join('')),
);
const text = fc
  .tuple(fc.array(piece, { maxLength: 12 }), fc.constantFrom('\n', '\r\n', '\r'))
  .map(([lines, end]) => `[s]${end}${lines.join(end)}`);

it.skipIf(!hasPython)(
  `agrees with python3${hasPython ? '' : ' (NOT compared: there is no python3 with configparser on this host)'}`,
  () => {
    const texts = fc.sample(text, { numRuns: 3000, seed: 20160204 });
    const python = spawnSync('python3', ['-c', PYTHON], { input: JSON.stringify(texts), maxBuffer: 1 << 26 });
    expect(python.status, python.stderr.toString()).toBe(0);
    const answers = JSON.parse(python.stdout.toString()) as ([string, [string, string][]][] | null)[];
    let accepted = 0;
    texts.forEach((sample, index) => {
      const { sections, errors } = parseIni(sample);
      const ours = [...sections].map(([name, { options }]) => [
        name,
        [...options].map(([key, { value }]) => [key, value]),
      ]);
      const expected = answers[index] ?? null;
      expect(errors.length > 0 ? null : ours, JSON.stringify(sample)).toEqual(expected);
      if (expected !== null) accepted++;
    });
    // Both answers must have been compared, not one of them three thousand times.
    expect(accepted).toBeGreaterThan(300);
    expect(accepted).toBeLessThan(2700);
  },
);
