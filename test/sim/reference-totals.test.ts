import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MachinetypeNews } from '../../src/factory/types.js';
import { stream } from '../../src/sim/random.js';
import { SideTotals } from '../../src/sim/reference-totals.js';
import { NOW, news } from '../factory/builders.js';

const NAMES = ['a', 'b'];
const FACTORIES = 6;

const anyNews = (name: string): fc.Arbitrary<MachinetypeNews> =>
  fc
    .record({
      runningHs06: fc.nat({ max: 30 }),
      beforeFizzle: fc.constantFrom(0, 0, 1, 2),
      end: fc.option(
        fc.record({ ago: fc.nat({ max: 50 }), message: fc.constantFrom('200 Success', '300 No more work') }),
        {
          nil: null,
        },
      ),
    })
    .map(({ end, ...sums }) =>
      news(name, {
        ...sums,
        lastEnd: end === null ? null : { timeSeconds: NOW - end.ago, message: end.message, hostname: `h${end.ago}` },
      }),
    );
const change = fc.tuple(fc.nat({ max: FACTORIES - 1 }), fc.tuple(anyNews('a'), anyNews('b')));

describe('the totals of a side', () => {
  it('are what adding up the others gives, whatever changed in between', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), fc.nat({ max: FACTORIES - 1 }), (changes, viewer) => {
        const totals = new SideTotals(NAMES);
        const told = new Map<number, readonly MachinetypeNews[]>();
        for (const [factory, after] of changes) {
          const before = told.get(factory);
          if (before !== undefined) totals.add(factory, before, -1);
          totals.add(factory, after, 1);
          told.set(factory, after);
        }
        const own = told.get(viewer) ?? NAMES.map((name) => news(name));
        if (!told.has(viewer)) totals.add(viewer, own, 1);
        const heard = totals.heardBy(viewer, own, 0, stream(1, 'x'));
        NAMES.forEach((_, type) => {
          const others = [...told].filter(([factory]) => factory !== viewer).map(([, items]) => items[type]!);
          expect(heard[type]!.runningHs06).toBe(others.reduce((sum, item) => sum + item.runningHs06, 0));
          expect(heard[type]!.beforeFizzle).toBe(others.reduce((sum, item) => sum + item.beforeFizzle, 0));
          const aborts = others.flatMap(({ lastEnd }) =>
            lastEnd?.message?.startsWith('300') ? [lastEnd.timeSeconds] : [],
          );
          expect(heard[type]!.lastEnd?.timeSeconds ?? null).toBe(aborts.length === 0 ? null : Math.max(...aborts));
        });
      }),
    );
  });

  it('with answers missing are less by that part on average, and never more than all', () => {
    const totals = new SideTotals(['a']);
    const one = [news('a', { runningHs06: 10, beforeFizzle: 0 })];
    for (let factory = 0; factory < 200; factory += 1) totals.add(factory, one, 1);
    const rng = stream(3, 'missing');
    const powers = Array.from({ length: 4_000 }, () => totals.heardBy(0, one, 0.2, rng)[0]!.runningHs06);
    expect(powers.reduce((sum, power) => sum + power, 0) / powers.length / 1990).toBeCloseTo(0.8, 2);
    expect(Math.max(...powers)).toBeLessThanOrEqual(1990);
  });
});
