/** The body of a PUT as it comes from the child: one piece at a time, the next when the one before is written. */

import { BadMessage } from '../guard/part.js';
import { CHUNK_BYTES } from './messages.js';

export class Upload implements AsyncIterable<Uint8Array> {
  aborted = false;
  private piece: Uint8Array | null = null;
  private ended = false;
  /** A piece was asked for and has not come. */
  private wanted = false;
  private wake: () => void = () => {};

  /** @param ask called when there is room for the next piece, or the end */
  constructor(private readonly ask: () => void) {}

  /** @throws BadMessage it is too long, or was not asked for */
  push(piece: Uint8Array): void {
    if (piece.length > CHUNK_BYTES) throw new BadMessage('a piece of an upload is too long');
    this.come();
    this.piece = piece;
    this.wake();
  }

  /** @throws BadMessage it was not asked for */
  end(): void {
    this.come();
    this.ended = true;
    this.wake();
  }

  /** The client is gone: what is written of it is thrown away. */
  abort(): void {
    this.aborted = true;
    this.wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      this.wanted = true;
      this.ask();
      while (this.piece === null && !this.ended && !this.aborted) {
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
      if (this.aborted) throw new Error('the upload was broken off');
      if (this.piece === null) return;
      const { piece } = this;
      this.piece = null;
      yield piece;
    }
  }

  private come(): void {
    if (!this.wanted) throw new BadMessage('a piece of an upload came without being asked for');
    this.wanted = false;
  }
}
