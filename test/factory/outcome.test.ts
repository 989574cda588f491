import { describe, expect, it } from 'vitest';
import { endMessage, isAbort, outcomeCode } from '../../src/factory/outcome.js';

describe('outcomeCode', () => {
  it.each([
    ['200 Success', 200],
    ['300', 300],
    ['700: heartbeat', 700],
    ['000 nothing', 0],
    ['20 too short', null],
    ['2000 too long', null],
    ['Success 200', null],
    ['٣٠٠ other digits', null],
    ['', null],
    [null, null],
  ])('of %j is %j', (message, code) => expect(outcomeCode(message)).toBe(code));
});

describe('isAbort', () => {
  it.each([
    ['299 x', false],
    ['300 x', true],
    ['no code', false],
    [null, false],
  ])('of %j is %j', (message, abort) => expect(isAbort(message)).toBe(abort));
});

describe('endMessage', () => {
  const polite = { message: '100 Past shutdowntime', overrides: false };
  const verdict = { message: '700 Heartbeat file not updated', overrides: true };
  it.each([
    ['its own words', '200 Success', null, 5000, '200 Success'],
    ['its own words, however short it ran', '300 No work', null, 3, '300 No work'],
    ['its own words before what it was asked', '200 Success', polite, 5000, '200 Success'],
    ["the factory's verdict before its own words", '200 Success', verdict, 5000, '700 Heartbeat file not updated'],
    ["the factory's verdict", null, verdict, 5000, '700 Heartbeat file not updated'],
    ['what it was asked, if it says nothing', null, polite, 5000, '100 Past shutdowntime'],
    ['what it was asked, also within fizzle_seconds: no fizzle', null, polite, 3, '100 Past shutdowntime'],
    ['a fizzle', null, null, 599, '300 Vac detects fizzle after 599 seconds'],
    ['a fizzle at once', null, null, 0, '300 Vac detects fizzle after 0 seconds'],
    ['nothing, from fizzle_seconds on', null, null, 600, null],
  ])('%s', (_, own, asked, ranSeconds, expected) => {
    expect(endMessage({ own, asked, ranSeconds, fizzleSeconds: 600 })).toBe(expected);
  });
});
