import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { wanted } from '../../src/sim/wanted.js';

const endless = Number.POSITIVE_INFINITY;

describe('what is wanted', () => {
  it('is in proportion to the shares where all have work', () => {
    expect(wanted([claim(1), claim(2), claim(5)], 80)).toEqual([10, 20, 50]);
  });

  it('of a type that cannot use its part goes to the others', () => {
    expect(wanted([claim(1), claim(1, 0, 10), claim(2)], 100)).toEqual([30, 10, 60]);
  });

  it('of a type without work is what it still holds, and the rest is divided', () => {
    expect(wanted([claim(1), claim(1, 40, 0)], 100)).toEqual([60, 40]);
  });

  it('of a type with share 0 is what it holds', () => {
    expect(wanted([claim(0, 7), claim(3)], 100)).toEqual([7, 93]);
  });

  it('is never more than there is or than there is work for, and leaves nothing over where anybody could use it', () => {
    const anyClaim = fc.record({
      share: fc.constantFrom(0, 0.5, 1, 3, 10),
      held: fc.nat({ max: 20 }),
      work: fc.oneof(fc.constant(endless), fc.nat({ max: 100 })),
    });
    fc.assert(
      fc.property(
        fc.array(anyClaim, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 200, max: 500 }),
        (claims, capacity) => {
          const due = wanted(claims, capacity);
          const sum = due.reduce((total, part) => total + part, 0);
          expect(sum).toBeLessThanOrEqual(capacity + 1e-9);
          for (const [index, { work, held }] of claims.entries()) {
            expect(due[index]).toBeLessThanOrEqual(Math.max(work, held) + 1e-9);
          }
          const isSated = claims.every(
            ({ share, work, held }, index) => share === 0 || work <= held || due[index]! >= work - 1e-9,
          );
          if (!isSated) expect(sum).toBeCloseTo(capacity, 6);
          // Whoever could use more has no less by share than anybody else who competes.
          const levels = claims.flatMap(({ share, work, held }, index) =>
            share > 0 && work > held ? [{ level: due[index]! / share, isOpen: due[index]! < work - 1e-9 }] : [],
          );
          const highest = Math.max(...levels.map(({ level }) => level));
          for (const { level, isOpen } of levels) if (isOpen) expect(level).toBeCloseTo(highest, 6);
        },
      ),
    );
  });
});

function claim(share: number, held = 0, work = endless) {
  return { share, held, work };
}
