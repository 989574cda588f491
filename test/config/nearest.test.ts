import fc from 'fast-check';
import { expect, it } from 'vitest';
import { editDistance, nearest } from '../../src/config/nearest.js';

it('counts insertions, deletions, replacements and swaps', () => {
  const cases: [string, string, number][] = [
    ['', '', 0],
    ['abc', 'abc', 0],
    ['abc', 'abxc', 1],
    ['abc', 'ac', 1],
    ['abc', 'axc', 1],
    ['abc', 'acb', 1],
    ['kitten', 'sitting', 3],
  ];
  for (const [a, b, distance] of cases) expect(editDistance(a, b), `${a} ${b}`).toBe(distance);
});

it('is the same both ways, and at most the longer length', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 10 }), fc.string({ maxLength: 10 }), (a, b) => {
      expect(editDistance(a, b)).toBe(editDistance(b, a));
      expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      expect(editDistance(a, b) === 0).toBe(a === b);
    }),
  );
});

it('finds what was meant, and nothing for what is far from all', () => {
  expect(nearest('root_imgae', ['user_data', 'root_image'])).toBe('root_image');
  expect(nearest('frobnicate', ['user_data', 'root_image'])).toBeNull();
  expect(nearest('x'.repeat(1_000_000), ['x'])).toBeNull();
});
