/**
 * Tables that fit: one line a row, whatever the width. Where room is short, columns that may be cut give way first, then
 * those that matter least are left out; nothing is wrapped. The work grows with the number of cells alone.
 */

import { cut, harmless, line, paint, type Style, type ViewOptions, widthOf } from './text.js';

export interface Column<Row> {
  readonly title: string;
  /** May be hostile text: it is made harmless here. */
  readonly text: (row: Row) => string;
  /** Numbers are aligned to the right. Left when absent. */
  readonly align?: 'left' | 'right';
  readonly style?: (row: Row) => Style | null;
  /** Left out where room is short, highest first; absent: never. */
  readonly drop?: number;
  /** Cut down to this width before any column is left out; absent: never cut. */
  readonly min?: number;
  /** Never wider than this. */
  readonly max?: number;
  /** In the last line, under all rows. */
  readonly total?: string;
}

interface Laid<Row> {
  readonly column: Column<Row>;
  readonly cells: readonly string[];
  /** Of the widest cell. */
  readonly natural: number;
  width: number;
}

const GAP = 2;

/** A heading, the rows, and a line of totals if any column has one. A column without any text is left out. */
export function table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], view: ViewOptions): string[] {
  const laid = fitted(columns.map((column) => lay(rows, column)).filter(hasText), view.columns);
  const lines = [
    line(
      row(laid, ({ column }) => column.title),
      view,
      'dim',
    ),
  ];
  for (let index = 0; index < rows.length; index += 1) {
    lines.push(painted(laid, index, rows[index]!, view));
  }
  if (laid.some(({ column }) => column.total !== undefined)) {
    lines.push(
      line(
        row(laid, ({ column }) => column.total ?? ''),
        view,
        'bold',
      ),
    );
  }
  return lines;
}

function lay<Row>(rows: readonly Row[], column: Column<Row>): Laid<Row> {
  const most = column.max ?? Number.POSITIVE_INFINITY;
  let natural = Math.max(widthOf(column.title), widthOf(column.total ?? ''));
  const cells = rows.map((each) => {
    const text = harmless(column.text(each)).trimEnd();
    natural = Math.max(natural, widthOf(text));
    return text;
  });
  natural = Math.min(natural, Math.max(most, widthOf(column.title)));
  return { column, cells, natural, width: Math.min(natural, Math.max(column.min ?? natural, widthOf(column.title))) };
}

function hasText<Row>({ column, cells }: Laid<Row>): boolean {
  return cells.length === 0 || (column.total ?? '') !== '' || cells.some((cell) => cell !== '');
}

/** Leaves columns out until the rest fits with all that can be cut at its least, then gives the room left back. */
function fitted<Row>(all: readonly Laid<Row>[], columns: number): Laid<Row>[] {
  let kept = [...all];
  const room = () => columns - kept.reduce((sum, { width }) => sum + width + GAP, -GAP);
  while (room() < 0) {
    const order = Math.max(...kept.map(({ column }) => column.drop ?? 0));
    if (order <= 0) break;
    kept = kept.filter(({ column }) => (column.drop ?? 0) !== order);
  }
  for (const laid of kept) laid.width += Math.max(0, Math.min(laid.natural - laid.width, room()));
  return kept;
}

function row<Row>(laid: readonly Laid<Row>[], text: (of: Laid<Row>) => string): string {
  return laid
    .map((of) => {
      const cell = cut(text(of), of.width);
      const blank = ' '.repeat(Math.max(0, of.width - widthOf(cell)));
      return of.column.align === 'right' ? blank + cell : cell + blank;
    })
    .join(' '.repeat(GAP));
}

/** As `row`, with each cell in its own colour, and no more than the width of the view. */
function painted<Row>(laid: readonly Laid<Row>[], index: number, of: Row, view: ViewOptions): string {
  let text = '';
  let used = 0;
  // Blanks are written only before something: no line ends with any.
  let blanks = 0;
  for (const { column, cells, width } of laid) {
    const room = Math.min(width, view.columns - used - blanks);
    const cell = cut(cells[index]!, room);
    if (cell === '') {
      blanks += width + GAP;
      continue;
    }
    const missing = room - widthOf(cell);
    const before = blanks + (column.align === 'right' ? missing : 0);
    text += ' '.repeat(before) + paint(cell, column.style?.(of) ?? null, view.colour);
    used += before + widthOf(cell);
    blanks = GAP + (column.align === 'right' ? 0 : missing);
  }
  return text;
}
