import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitString, der, elements, integer, objectIdentifier, sequence, TAG, time } from '../../src/host/x509-der.js';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const text = (bytes: Buffer) => elements(bytes)[0]!.content.toString('latin1');

describe('what is written', () => {
  it('is what X.690 says: examples of its own, and of certificates', () => {
    expect(hex(objectIdentifier('2.5.4.3'))).toBe('0603550403');
    expect(hex(objectIdentifier('1.2.840.113549.1.1.11'))).toBe('06092a864886f70d01010b');
    expect(hex(objectIdentifier('1.3.6.1.4.1.3536.1.1.1.9'))).toBe('060b2b060104019b5001010109');
    expect(hex(integer(Buffer.from([0, 0])))).toBe('020100');
    expect(hex(integer(Buffer.from([0, 0x7f])))).toBe('02017f');
    expect(hex(integer(Buffer.from([0x80])))).toBe('02020080');
    expect(hex(bitString(Buffer.from([0xa0]), 5))).toBe('030205a0');
    expect(hex(sequence())).toBe('3000');
  });

  it('has lengths of one byte up to 127, and of as many as are needed above', () => {
    const head = (length: number) => hex(der(TAG.octetString, Buffer.alloc(length)).subarray(0, 5));
    expect(head(127)).toBe('047f000000');
    expect(head(128)).toBe('0481800000');
    expect(head(256)).toBe('0482010000');
    expect(head(65_536)).toBe('0483010000');
  });

  it('has years of two digits until 2049, and of four from 2050 on', () => {
    const last = Date.UTC(2049, 11, 31, 23, 59, 59) / 1000;
    expect([time(last)[0], text(time(last))]).toEqual([TAG.utcTime, '491231235959Z']);
    expect([time(last + 1)[0], text(time(last + 1))]).toEqual([TAG.generalizedTime, '20500101000000Z']);
    expect(text(time(0))).toBe('700101000000Z');
  });
});

describe('what is read', () => {
  it('is what was written, whatever it is', () => {
    const value = fc.tuple(fc.constantFrom(...Object.values(TAG)), fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (values) => {
        const written = Buffer.concat(values.map(([tag, content]) => der(tag, content)));
        expect(elements(written).map(({ tag, content }) => [tag, hex(content)])).toEqual(
          values.map(([tag, content]) => [tag, hex(content)]),
        );
      }),
    );
  });

  it('is refused where a value is cut off, and never read beyond its end', () => {
    const whole = der(TAG.octetString, Buffer.alloc(200));
    for (let length = 1; length < whole.length; length += 1) {
      expect(() => elements(whole.subarray(0, length))).toThrow(RangeError);
    }
    expect(() => elements(Buffer.concat([Buffer.from([0x30, 0x80]), Buffer.alloc(200)]))).toThrow(RangeError);
    expect(() => elements(Buffer.from([0x30, 0xff, 1, 1]))).toThrow(RangeError);
  });

  it('ends on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          elements(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});
