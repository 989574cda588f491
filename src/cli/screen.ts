/** A terminal that shows one picture at a time, and gives the screen back as it was. */

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const HOME = '\u001b[H';
const CLEAR_LINE = '\u001b[K';
const CLEAR_BELOW = '\u001b[J';

export class Screen {
  private shown = false;

  constructor(private readonly out: NodeJS.WriteStream) {}

  size(): { columns: number; rows: number } {
    return { columns: this.out.columns || 80, rows: this.out.rows || 24 };
  }

  draw(lines: readonly string[]): void {
    if (!this.shown) this.out.write(ENTER);
    this.shown = true;
    const picture = lines.slice(0, this.size().rows).join(`${CLEAR_LINE}\n`);
    this.out.write(`${HOME}${picture}${CLEAR_LINE}${CLEAR_BELOW}`);
  }

  close(): void {
    if (this.shown) this.out.write(LEAVE);
    this.shown = false;
  }
}
