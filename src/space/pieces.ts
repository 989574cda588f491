/**
 * How messages for the member go through the channel: as JSON in pieces, since a picture of a large factory, or the
 * names of a large space, are more than one message of the channel may have. Only vacd sends them, which is trusted.
 */

import type { Link } from '../guard/part.js';
import type { ToMember } from './messages.js';

const PIECE_BYTES = 128 * 1024;
/** More follows. */
const MORE = 'more';
const LAST = 'last';

export function sendInPieces(link: Link, message: ToMember): void {
  const bytes = Buffer.from(JSON.stringify(message));
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const end = at + PIECE_BYTES;
    link.send(end < bytes.length ? MORE : LAST, null, bytes.subarray(at, end));
  }
}

/** Puts them together again. */
export class PieceReader {
  private pieces: Uint8Array[] = [];

  /** The message, once its last piece is here. */
  take(type: string, bytes: Uint8Array): ToMember | null {
    this.pieces.push(bytes);
    if (type === MORE) return null;
    const whole = Buffer.concat(this.pieces);
    this.pieces = [];
    return JSON.parse(whole.toString('utf8')) as ToMember;
  }
}
