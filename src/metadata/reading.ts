/** A file that goes to the child piece by piece, each when it is asked for. */

import type { Readable } from 'node:stream';
import { BadMessage } from '../guard/part.js';
import { CHUNK_BYTES } from './messages.js';

const NOTHING = new Uint8Array(0);

export class Reading {
  private readonly pieces: AsyncGenerator<Uint8Array>;
  /** A piece that is asked for is not there yet. */
  private busy = false;
  private closed = false;
  private found = false;
  private next: IteratorResult<Uint8Array, void> | null = null;

  /**
   * @param open called for the first piece
   * @param send called for each piece that was asked for; never after `close`
   * @param failed called at most once, instead of the piece that cannot be read
   */
  constructor(
    private readonly open: () => Promise<Buffer | Readable | null>,
    private readonly send: (found: boolean, last: boolean, piece: Uint8Array) => void,
    private readonly failed: (error: Error) => void,
  ) {
    this.pieces = this.cut();
  }

  /** @throws BadMessage while the piece before has not been sent */
  more(): void {
    if (this.busy) throw new BadMessage('it asked for a piece before it had the one before');
    this.busy = true;
    this.step().catch((error: Error) => {
      if (!this.closed) this.failed(error);
    });
  }

  /** The file is closed, at once or when what is being read of it is there. */
  close(): void {
    this.closed = true;
    this.pieces.return(undefined).catch(() => {});
  }

  private async step(): Promise<void> {
    const piece = this.next ?? (await this.pieces.next());
    // Small files are over with their first piece: no second question for them.
    this.next = piece.done ? piece : await this.pieces.next();
    if (this.closed) return;
    this.busy = false;
    this.send(this.found, this.next.done === true, piece.done ? NOTHING : piece.value);
  }

  private async *cut(): AsyncGenerator<Uint8Array> {
    const content = await this.open();
    if (content === null) return;
    this.found = true;
    for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
      const bytes = chunk as Buffer;
      for (let from = 0; from < bytes.length; from += CHUNK_BYTES) yield bytes.subarray(from, from + CHUNK_BYTES);
    }
  }
}
