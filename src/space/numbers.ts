/**
 * The number of this start (VacQuery 02's incarnation), which only the daemon can keep on disk: asked for, and raised,
 * by message. What waits for one waits without holding anything up.
 */

import type { FromMember } from './messages.js';

export class Numbers {
  private wanted: ((incarnation: number) => void)[] = [];
  private raised: { readonly incarnation: number; readonly kept: () => void }[] = [];

  constructor(private readonly tell: (message: FromMember) => void) {}

  /** A new one, later than all before; it is on disk when this resolves, unless the disk does not take it. */
  next(): Promise<number> {
    return new Promise((resolve) => {
      this.wanted.push(resolve);
      this.tell({ type: 'number-wanted' });
    });
  }

  /** One that others made necessary; resolves when it is on disk, or cannot be. */
  keep(incarnation: number): Promise<void> {
    return new Promise((kept) => {
      this.raised.push({ incarnation, kept });
      this.tell({ type: 'number-raised', incarnation });
    });
  }

  /** Answers come in the order of the questions. */
  given(incarnation: number): void {
    this.wanted.shift()?.(incarnation);
  }

  kept(incarnation: number): void {
    const done = this.raised.filter((each) => each.incarnation <= incarnation);
    this.raised = this.raised.filter((each) => each.incarnation > incarnation);
    for (const { kept } of done) kept();
  }
}
