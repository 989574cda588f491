import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bar,
  counted,
  cut,
  decimal,
  duration,
  harmless,
  line,
  listed,
  naturally,
  padEnd,
  padStart,
  paint,
  percent,
  secondsBetween,
  shortener,
  signed,
  size,
  widthOf,
  wrapped,
} from '../../../src/cli/views/text.js';
import { hostileText, VIEW } from './space.js';

describe('harmless text', () => {
  test.each([
    ['plain ASCII ~ stays', 'plain ASCII ~ stays'],
    ['tab\tand\nline', 'tab?and?line'],
    ['\u001b[31mred', '?[31mred'],
    ['\u009b31m', '?31m'],
    ['é and ü and €', 'é and ü and €'],
    // Written as two characters, it is one.
    ['e\u0301', 'é'],
    ['a\u0336\u0337', 'a??'],
    ['\u202eabc\u200b', '?abc?'],
    ['全角', '全角'],
    ['\ud800', '?'],
    ['\ue000', '?'],
  ])('of %j is %j', (text, expected) => {
    expect(harmless(text)).toBe(expected);
  });

  test('has nothing that steers a terminal, and stays as it is the second time', () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const made = harmless(text);
        expect(made).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Mn}]/u);
        expect(stripVTControlCharacters(made)).toBe(made);
        expect(harmless(made)).toBe(made);
      }),
    );
  });
});

describe('the width of a text', () => {
  test.each([
    ['', 0],
    ['abc', 3],
    ['é€—', 3],
    ['全角', 4],
    ['한글', 4],
    ['ｆｕｌｌ', 8],
    ['🚀', 2],
    ['⌚', 2],
    ['𠮷', 2],
  ])('of %j is %i', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test('is kept by cutting and padding', () => {
    fc.assert(
      fc.property(hostileText.map(harmless), fc.integer({ min: 0, max: 120 }), (text, columns) => {
        expect(widthOf(cut(text, columns))).toBeLessThanOrEqual(columns);
        const padded = cut(text, columns);
        expect(widthOf(padStart(padded, columns))).toBe(columns);
        expect(widthOf(padEnd(padded, columns))).toBe(columns);
      }),
    );
  });

  test.each([
    ['short', 5, 'short'],
    ['too long', 5, 'too…'],
    ['toolong', 5, 'tool…'],
    ['全角文字', 5, '全角…'],
    ['全角文字', 4, '全…'],
    ['x', 0, ''],
    ['xy', 1, '…'],
    ['anything', Number.POSITIVE_INFINITY, 'anything'],
  ])('%j in %d columns is %j', (text, columns, expected) => {
    expect(cut(text, columns)).toBe(expected);
  });
});

describe('a long sentence', () => {
  test('goes on in further lines, indented', () => {
    expect(wrapped('one two three four five six', { ...VIEW, columns: 12 })).toEqual([
      'one two',
      '  three four',
      '  five six',
    ]);
  });

  test('never takes more columns than there are, and loses no word that fits', () => {
    fc.assert(
      fc.property(hostileText, fc.integer({ min: 6, max: 100 }), (text, columns) => {
        const lines = wrapped(text, { ...VIEW, columns });
        for (const each of lines) expect(widthOf(each)).toBeLessThanOrEqual(columns);
        const fitting = harmless(text)
          .split(' ')
          .filter((word) => widthOf(word) <= columns - 2);
        // White space of other kinds than ours may end a line, and is not seen there.
        for (const word of fitting) expect(lines.join(' ')).toContain(word.trim());
      }),
    );
  });
});

test.each([
  [null, '-'],
  [-5, '0s'],
  [0, '0s'],
  [59.9, '59s'],
  [60, '1m'],
  [3_599, '59m'],
  [3_600, '1h00'],
  [11_100, '3h05'],
  [86_399, '23h59'],
  [86_400, '1d0h'],
  [187_200, '2d4h'],
  [100 * 86_400, '100d'],
  [Number.NaN, '-'],
])('%d seconds are %s', (seconds, expected) => {
  expect(duration(seconds)).toBe(expected);
});

test.each([
  [null, '-'],
  [0, '0 B'],
  [999, '999 B'],
  [999.6, '1 kB'],
  [512_000_000, '512 MB'],
  [12_638_118_912, '12.6 GB'],
  [999_960_000_000, '1 TB'],
  [5e21, '5000 EB'],
])('%d bytes are %s', (bytes, expected) => {
  expect(size(bytes)).toBe(expected);
});

test('numbers are short, and without noise or minus nought', () => {
  expect([decimal(0.1 + 0.2), decimal(84), decimal(-0.01), decimal(null)]).toEqual(['0.3', '84', '0', '-']);
  expect([decimal(123_456_789), decimal(1e12), decimal(-1e12)]).toEqual(['123456789', '1e+12', '-1e+12']);
  expect([signed(3), signed(-1.55), signed(0.01), signed(-0.01), signed(2, ' %')]).toEqual([
    '+3',
    '-1.5',
    '0',
    '0',
    '+2 %',
  ]);
  expect([percent(0.666), percent(-0.001), percent(null)]).toEqual(['67 %', '0 %', '-']);
  expect(percent(1e12)).toBe('1e+14 %');
  expect([counted(1, 'slot'), counted(2, 'slot'), counted(0, 'factory', 'factories')]).toEqual([
    '1 slot',
    '2 slots',
    '0 factories',
  ]);
});

test('seconds between two times are known when both are, and never negative', () => {
  expect([secondsBetween(10, 15), secondsBetween(15, 10), secondsBetween(null, 1), secondsBetween(1, null)]).toEqual([
    5,
    0,
    null,
    null,
  ]);
});

describe('a bar', () => {
  test.each([
    [0, null, '..........'],
    [0.5, null, '#####.....'],
    [1, null, '##########'],
    [0, 0, '|.........'],
    [0.5, 0.3, '##|##.....'],
    [0.5, 0.5, '####|.....'],
    [0.2, 1, '##.......|'],
    [7, 0.5, '####|#####'],
  ])('of %d with %d wanted', (now, wanted, expected) => {
    expect(bar(now, wanted, 10)).toBe(expected);
  });

  test('has always its cells', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (now, wanted) => {
          expect(bar(now, wanted, 16)).toMatch(/^[#.|]{16}$/);
        },
      ),
    );
  });
});

describe('names', () => {
  test('are in natural order', () => {
    expect(['wn10', 'wn2', 'wn1', 'a3'].sort(naturally)).toEqual(['a3', 'wn1', 'wn2', 'wn10']);
  });

  test('lose the domain that all have', () => {
    const short = shortener(['wn1.example.com', 'wn2.example.com']);
    expect([short('wn1.example.com'), short('wn3.example.org')]).toEqual(['wn1', 'wn3.example.org']);
  });

  test('keep it where it tells them apart, or there is none', () => {
    const long = shortener(['wn1.example.com', 'wn1.example.org']);
    expect(long('wn1.example.com')).toBe('wn1.example.com');
    expect(shortener(['demo'])('demo')).toBe('demo');
    expect(shortener([])('wn1.example.com')).toBe('wn1.example.com');
  });

  test('are listed up to a number', () => {
    expect(listed(['a', 'b'], 2)).toBe('a, b');
    expect(listed(['a', 'b', 'c', 'd'], 2)).toBe('a, b and 2 more');
  });
});

test('colour is added where it is wanted, whatever the environment says, and never to nothing', () => {
  expect(paint('x', 'red', true)).toBe('\u001b[31mx\u001b[39m');
  expect([paint('x', 'red', false), paint('x', null, true), paint('', 'red', true)]).toEqual(['x', 'x', '']);
  const painted = line('\u001b[5mblinks for ever', { ...VIEW, columns: 8, colour: true }, 'bold');
  expect(painted).toBe('\u001b[1m?[5mbli…\u001b[22m');
});
