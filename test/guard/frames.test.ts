import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, MAX_BODY_BYTES, MAX_BYTES, type Message } from '../../src/guard/frames.js';
import { BadMessage } from '../../src/guard/part.js';

/** Takes a stream in pieces that end where they may. */
function read(stream: Buffer, ends: readonly number[]): Message[] {
  const reader = new FrameReader();
  const cuts = [...new Set(ends.map((end) => end % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...cuts].flatMap((from, index) => [...reader.push(stream.subarray(from, cuts[index] ?? stream.length))]);
}

const message = fc.record({
  part: fc.string(),
  type: fc.string(),
  body: fc.jsonValue(),
  bytes: fc.uint8Array({ maxLength: 300 }),
});

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 5 }), fc.array(fc.nat()), (messages, ends) => {
        const stream = Buffer.concat(messages.map((m) => encodeFrame(m.part, m.type, m.body, m.bytes)));
        const expected = messages.map(({ part, type, body, bytes }) => ({
          part,
          type,
          body: JSON.parse(JSON.stringify(body)) as unknown,
          bytes: Buffer.from(bytes),
          jsonBytes: Buffer.byteLength(JSON.stringify([part, type, body])),
        }));
        expect(read(stream, ends)).toEqual(expected);
      }),
    );
  });

  it('of anything else are a bad message, or wait for more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.array(fc.nat()), (bytes, ends) => {
        try {
          for (const { part, type } of read(Buffer.from(bytes), ends))
            expect([typeof part, typeof type]).toEqual(['string', 'string']);
        } catch (error) {
          expect(error).toBeInstanceOf(BadMessage);
        }
      }),
    );
  });

  it.each([
    ['no JSON', Buffer.from('{')],
    ['no message', Buffer.from('{"part":"http"}')],
    ['a part that is no name', Buffer.from('[1,"beat",null]')],
    ['something more', Buffer.from('["a","b",null,1]')],
  ])('that hold %s are refused', (_what, json) => {
    const head = Buffer.alloc(8);
    head.writeUInt32BE(json.length, 0);
    expect(() => [...new FrameReader().push(Buffer.concat([head, json]))]).toThrow(BadMessage);
  });

  it('that are too long are refused by their first bytes, on either side', () => {
    for (const [jsonBytes, bytesLength] of [
      [MAX_BODY_BYTES + 1, 0],
      [2, MAX_BYTES + 1],
      [0xffffffff, 0xffffffff],
    ] as const) {
      const head = Buffer.alloc(8);
      head.writeUInt32BE(jsonBytes, 0);
      head.writeUInt32BE(bytesLength, 4);
      expect(() => [...new FrameReader().push(head)]).toThrow(BadMessage);
    }
    expect(() => encodeFrame('a', 'b', 'x'.repeat(MAX_BODY_BYTES))).toThrow(BadMessage);
    expect(() => encodeFrame('a', 'b', null, new Uint8Array(MAX_BYTES + 1))).toThrow(BadMessage);
  });

  it('that come byte by byte cost no more than their length', () => {
    const stream = encodeFrame('a', 'b', 'x'.repeat(MAX_BODY_BYTES - 100), new Uint8Array(MAX_BYTES));
    const reader = new FrameReader();
    const began = process.cpuUsage();
    let count = 0;
    for (let at = 0; at < stream.length; at += 1)
      for (const _message of reader.push(stream.subarray(at, at + 1))) count += 1;
    expect(count).toBe(1);
    expect(process.cpuUsage(began).user / 1e6).toBeLessThan(10);
  });
});
