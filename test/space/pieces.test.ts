import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MAX_BYTES } from '../../src/guard/frames.js';
import { pages } from '../../src/space/pages.js';
import { PieceReader, sendInPieces } from '../../src/space/pieces.js';

it('a message of any size comes whole, in pieces that the channel takes', () => {
  const reader = new PieceReader();
  for (const names of [0, 3, 20_000]) {
    const config = {
      generation: 1,
      factory: 'wn1.example.com',
      space: 'vac01.example.com',
      peers: Array.from({ length: names }, (_, index) => `wän${index}.example.com`),
      udpTimeoutSeconds: 5,
      shareHalfLifeHours: 0,
      queryNetworks: [],
    };
    const sent: [string, Uint8Array][] = [];
    const link = {
      send: (type: string, _body: unknown, bytes: Uint8Array = new Uint8Array()) => sent.push([type, bytes]) > 0,
      drained: async () => {},
    };
    sendInPieces(link, { type: 'configure', config });
    expect(Math.max(...sent.map(([, { length }]) => length))).toBeLessThanOrEqual(MAX_BYTES);
    const came = sent.map(([type, bytes]) => reader.take(type, bytes));
    expect(came.slice(0, -1).every((message) => message === null)).toBe(true);
    expect(came.at(-1)).toEqual({ type: 'configure', config });
  }
});

it('pages have all items in order, and none is much larger than it may be', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ maxLength: 40 })), fc.integer({ min: 1, max: 200 }), (items, maxBytes) => {
      const all = [...pages(items, maxBytes)];
      expect(all.flat()).toEqual(items);
      expect(all.length).toBeGreaterThan(0);
      for (const page of all) expect(page.length < 2 || bytesOf(page) <= maxBytes + 2).toBe(true);
    }),
  );
});

function bytesOf(page: readonly string[]): number {
  return Buffer.byteLength(JSON.stringify(page));
}
