/**
 * How messages stand in the channel's stream of bytes: two lengths, JSON, bytes. Our own and not Node's IPC, which
 * reads lines of any length, takes file descriptors from the other side, and dies of what is no JSON.
 */

import { BadMessage } from './part.js';

export interface Message {
  readonly part: string;
  readonly type: string;
  readonly body: unknown;
  readonly bytes: Uint8Array;
}

export interface ReceivedMessage extends Message {
  /** How long its JSON was, which is what it cost to read. */
  readonly jsonBytes: number;
}

export const MAX_BODY_BYTES = 256 * 1024;
export const MAX_BYTES = 256 * 1024;

const HEAD_BYTES = 8;
const NO_BYTES = new Uint8Array(0);

export function encodeFrame(part: string, type: string, body: unknown = null, bytes: Uint8Array = NO_BYTES): Buffer {
  const json = JSON.stringify([part, type, body]);
  const jsonBytes = Buffer.byteLength(json);
  if (jsonBytes > MAX_BODY_BYTES || bytes.length > MAX_BYTES) {
    throw new BadMessage(`${part} ${type}: ${jsonBytes} + ${bytes.length} bytes are too many for one message`);
  }
  const frame = Buffer.allocUnsafe(HEAD_BYTES + jsonBytes + bytes.length);
  frame.writeUInt32BE(jsonBytes, 0);
  frame.writeUInt32BE(bytes.length, 4);
  frame.write(json, HEAD_BYTES);
  frame.set(bytes, HEAD_BYTES + jsonBytes);
  return frame;
}

/** Takes the stream as it comes, and keeps no more of it than one message may have. */
export class FrameReader {
  /** What has come of a message that is not whole; joined only when it is, however small the pieces are. */
  private pieces: Buffer[] = [];
  private length = 0;
  private neededBytes = HEAD_BYTES;

  /** @throws BadMessage the stream is no sequence of frames; nothing after it can be read */
  *push(chunk: Buffer): Generator<ReceivedMessage> {
    this.pieces.push(chunk);
    this.length += chunk.length;
    while (this.length >= this.neededBytes) {
      const content = this.pieces.length === 1 ? this.pieces[0]! : Buffer.concat(this.pieces);
      const jsonBytes = content.readUInt32BE(0);
      const bytesLength = content.readUInt32BE(4);
      if (jsonBytes > MAX_BODY_BYTES || bytesLength > MAX_BYTES) throw new BadMessage('a frame is too long');
      const end = HEAD_BYTES + jsonBytes + bytesLength;
      const whole = content.length >= end;
      this.pieces = [whole ? content.subarray(end) : content];
      this.length = this.pieces[0]!.length;
      this.neededBytes = whole ? HEAD_BYTES : end;
      if (whole) yield decode(content.subarray(HEAD_BYTES, end), jsonBytes);
    }
  }
}

function decode(content: Buffer, jsonBytes: number): ReceivedMessage {
  let head: unknown;
  try {
    head = JSON.parse(content.toString('utf8', 0, jsonBytes));
  } catch {
    throw new BadMessage('a frame holds no JSON');
  }
  if (!Array.isArray(head) || head.length !== 3 || typeof head[0] !== 'string' || typeof head[1] !== 'string') {
    throw new BadMessage('a frame holds no message');
  }
  // A copy: what is kept of a message must not keep the whole chunk that it came in.
  const bytes = Buffer.from(content.subarray(jsonBytes));
  return { part: head[0], type: head[1], body: head[2] as unknown, bytes, jsonBytes };
}
