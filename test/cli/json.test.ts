import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonText } from '../../src/cli/json.js';

it('is one line without anything that steers a terminal, and means what was given', () => {
  const hostile = fc.string({ unit: 'binary' }).map((text) => `${text}\u009b31m\u202e\u2028\u{e0001}\u001b`);
  fc.assert(
    fc.property(
      fc.dictionary(hostile, fc.oneof(hostile, fc.double({ noNaN: true, noDefaultInfinity: true }))),
      (value) => {
        const text = jsonText(value);
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      },
    ),
  );
});
