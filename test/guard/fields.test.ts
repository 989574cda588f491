import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { choiceField, fieldOf, integerField, ipField, textField } from '../../src/guard/fields.js';
import { BadMessage } from '../../src/guard/part.js';

describe('a field of a message', () => {
  it('is what it must be, or the message is bad, whatever came', () => {
    const readers = [
      (body: unknown) => typeof textField(body, 'x', 10) === 'string' && textField(body, 'x', 10).length <= 10,
      (body: unknown) =>
        Number.isInteger(integerField(body, 'x', -5, 5)) && Math.abs(integerField(body, 'x', -5, 5)) <= 5,
      (body: unknown) => /^[0-9a-f.:]+$/i.test(ipField(body, 'x')),
      (body: unknown) => ['a', 'b'].includes(choiceField(body, 'x', ['a', 'b'])),
    ];
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('a', '::1', '127.0.0.1', 3));
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.record({ x: value })), fc.constantFrom(...readers), (body, reads) => {
        try {
          expect(reads(body)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(BadMessage);
        }
      }),
    );
  });

  it('is its own, never one that every object has', () => {
    expect(fieldOf({}, 'constructor')).toBeUndefined();
    expect(fieldOf(JSON.parse('{"__proto__": {"x": 1}}'), 'x')).toBeUndefined();
    expect(() => fieldOf(null, 'x')).toThrow(BadMessage);
  });

  it('is read', () => {
    expect(textField({ x: 'abc' }, 'x', 3)).toBe('abc');
    expect(() => textField({ x: 'abcd' }, 'x', 3)).toThrow('x is no text of at most 3 characters');
    expect(integerField({ x: 7 }, 'x', 0, 7)).toBe(7);
    for (const x of [8, -1, 1.5, '7', Number.NaN]) expect(() => integerField({ x }, 'x', 0, 7)).toThrow(BadMessage);
    expect(ipField({ x: '169.254.169.1' }, 'x')).toBe('169.254.169.1');
    expect(() => ipField({ x: '169.254.169.1/8' }, 'x')).toThrow(BadMessage);
    expect(choiceField({ x: 'b' }, 'x', ['a', 'b'])).toBe('b');
    expect(() => choiceField({ x: 'c' }, 'x', ['a', 'b'])).toThrow('x is none of a, b');
  });
});
