import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Column, table } from '../../../src/cli/views/table.js';
import { harmless, widthOf } from '../../../src/cli/views/text.js';
import { hostileText, VIEW } from './space.js';

interface Row {
  readonly name: string;
  readonly count: number;
  readonly words: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', text: ({ name }) => name, total: 'total' },
  { title: 'COUNT', text: ({ count }) => String(count), align: 'right', drop: 1, total: '12' },
  { title: 'NEVER', text: () => '' },
  { title: 'WORDS', text: ({ words }) => words, min: 8, style: ({ count }) => (count > 5 ? 'red' : null) },
];
const ROWS: readonly Row[] = [
  { name: 'one', count: 2, words: 'few' },
  { name: 'another', count: 10, words: 'rather more words than fit' },
];

const shown = (columns: number, colour = false) => table(ROWS, COLUMNS, { ...VIEW, columns, colour }).join('\n');

describe('a table', () => {
  test('is as wide as it must be, and leaves out what has no text', () => {
    expect(shown(Number.POSITIVE_INFINITY)).toMatchInlineSnapshot(`
      "NAME     COUNT  WORDS
      one          2  few
      another     10  rather more words than fit
      total       12"
    `);
  });

  test('cuts what may be cut first', () => {
    expect(shown(24)).toMatchInlineSnapshot(`
      "NAME     COUNT  WORDS
      one          2  few
      another     10  rather…
      total       12"
    `);
  });

  test('then leaves out what matters least, and has room again', () => {
    expect(shown(23)).toMatchInlineSnapshot(`
      "NAME     WORDS
      one      few
      another  rather more w…
      total"
    `);
  });

  test('gives a column no more than its most, however much room there is', () => {
    const columns: Column<Row>[] = [{ title: 'WORDS', text: ({ words }) => words, max: 10 }];
    expect(table(ROWS, columns, VIEW)).toEqual(['WORDS', 'few', 'rather mo…']);
  });

  test('is cut off where nothing else helps', () => {
    expect(shown(10)).toMatchInlineSnapshot(`
      "NAME…
      one      …
      another  …
      total"
    `);
  });

  test('has colours for the heading, the totals and what a column colours', () => {
    const coloured = shown(40, true);
    expect(stripVTControlCharacters(coloured)).toBe(shown(40));
    expect(coloured.split('\n')).toEqual([
      '\u001b[2mNAME     COUNT  WORDS\u001b[22m',
      'one          2  few',
      'another     10  \u001b[31mrather more words than…\u001b[39m',
      '\u001b[1mtotal       12\u001b[22m',
    ]);
  });

  test('without rows has its heading', () => {
    expect(
      table(
        [],
        COLUMNS.slice(0, 1).map(({ title, text }) => ({ title, text })),
        VIEW,
      ),
    ).toEqual(['NAME']);
  });

  test('is never wider than it may be, nor ends a line with a blank, whatever its texts are', () => {
    const text = hostileText;
    const column = fc.record<Column<readonly string[]>>(
      {
        title: fc.constantFrom('A', 'LONGER'),
        text: fc.nat({ max: 4 }).map((index) => (row: readonly string[]) => row[index]!),
        align: fc.constantFrom('left', 'right'),
        style: fc.constantFrom(
          () => null,
          () => 'red' as const,
        ),
        drop: fc.integer({ min: 1, max: 3 }),
        min: fc.integer({ min: 1, max: 12 }),
        max: fc.integer({ min: 1, max: 60 }),
        total: fc.constantFrom('', '1234'),
      },
      { requiredKeys: ['title', 'text'], noNullPrototype: true },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(text, text, text, text, text), { maxLength: 3 }),
        fc.array(column, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 140 }),
        fc.boolean(),
        (rows, columns, width, colour) => {
          const lines = table(rows, columns, { ...VIEW, columns: width, colour }).map(stripVTControlCharacters);
          const hasTotals = columns.some(({ total }) => total !== undefined);
          expect(lines.length).toBeLessThanOrEqual(1 + rows.length + (hasTotals ? 1 : 0));
          for (const line of lines) {
            expect(widthOf(line)).toBeLessThanOrEqual(width);
            expect(line).toBe(harmless(line));
          }
          for (const line of lines) expect(line).not.toMatch(/ $/);
        },
      ),
    );
  });
});
