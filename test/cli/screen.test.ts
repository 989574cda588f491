import { beforeEach, describe, expect, test } from 'vitest';
import { Screen } from '../../src/cli/screen.js';

let written: string;
let out: NodeJS.WriteStream;

beforeEach(() => {
  written = '';
  const write = (text: string) => {
    written += text;
    return true;
  };
  out = { columns: 100, rows: 3, write } as unknown as NodeJS.WriteStream;
});

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';

describe('a screen', () => {
  test('is as large as the terminal says, or of the usual size where it does not say', () => {
    expect(new Screen(out).size()).toEqual({ columns: 100, rows: 3 });
    const pipe = { write: () => true } as unknown as NodeJS.WriteStream;
    expect(new Screen(pipe).size()).toEqual({ columns: 80, rows: 24 });
  });

  test('is taken with the first picture, once, and given back at the end, once', () => {
    const screen = new Screen(out);
    screen.draw(['one']);
    screen.draw(['two']);
    screen.close();
    screen.close();
    expect(written.split(ENTER)).toHaveLength(2);
    expect(written.startsWith(ENTER)).toBe(true);
    expect(written.split(LEAVE)).toHaveLength(2);
    expect(written.endsWith(LEAVE)).toBe(true);
  });

  test('that was never drawn on is left as it was', () => {
    new Screen(out).close();
    expect(written).toBe('');
  });

  test('shows what fits, and clears what was there of the last picture', () => {
    const screen = new Screen(out);
    screen.draw(['a', 'b', 'c', 'd', 'e']);
    expect(written).toBe(`${ENTER}\u001b[Ha\u001b[K\nb\u001b[K\nc\u001b[K\u001b[J`);
  });
});
