import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MachinetypeNews } from '../../src/factory/types.js';
import { delayAt, quantilesOf } from '../../src/sim/spread-delays.js';
import { SpreadLedger } from '../../src/sim/spread-ledger.js';
import { NOW, news } from '../factory/builders.js';

const NAMES = ['a', 'b'];
const FACTORIES = 5;
const anyNews = (name: string): fc.Arbitrary<MachinetypeNews> =>
  fc
    .record({
      machines: fc.nat({ max: 9 }),
      beforeFizzle: fc.nat({ max: 2 }),
      ago: fc.option(fc.nat({ max: 99 }), { nil: null }),
    })
    .map(({ machines, beforeFizzle, ago }) =>
      news(name, {
        runningHs06: machines * 10,
        runningMachines: machines,
        runningProcessors: machines,
        beforeFizzle,
        lastEnd: ago === null ? null : { timeSeconds: NOW - ago, message: '300 No more work', hostname: `h${ago}` },
      }),
    );
const steps = fc.array(
  fc.record({
    factory: fc.nat({ max: FACTORIES - 1 }),
    news: fc.tuple(anyNews('a'), anyNews('b')),
    afterMs: fc.nat({ max: 4_000 }),
  }),
  { maxLength: 40 },
);

function sums(told: ReadonlyMap<number, readonly MachinetypeNews[]>, viewer: number) {
  return NAMES.map((_, type) => {
    const others = [...told].filter(([factory]) => factory !== viewer).map(([, items]) => items[type]!);
    const total = (of: (item: MachinetypeNews) => number) => others.reduce((sum, item) => sum + of(item), 0);
    const aborts = others.flatMap(({ lastEnd }) => (lastEnd === null ? [] : [lastEnd.timeSeconds]));
    return {
      runningHs06: total(({ runningHs06 }) => runningHs06),
      runningMachines: total(({ runningMachines }) => runningMachines),
      runningProcessors: total(({ runningProcessors }) => runningProcessors),
      beforeFizzle: total(({ beforeFizzle }) => beforeFizzle),
      abort: aborts.length === 0 ? null : Math.max(...aborts),
    };
  });
}

const shown = (items: readonly MachinetypeNews[]) =>
  items.map(({ runningHs06, runningMachines, runningProcessors, beforeFizzle, lastEnd }) => ({
    runningHs06,
    runningMachines,
    runningProcessors,
    beforeFizzle,
    abort: lastEnd?.timeSeconds ?? null,
  }));

describe('what a factory knows of the others', () => {
  it('is all of it, once the longest delay has passed since the last change', () => {
    fc.assert(
      fc.property(steps, fc.nat({ max: FACTORIES - 1 }), (changes, viewer) => {
        const { ledger, told, nowMs } = play(changes, [0.5, 2, 3]);
        const own = told.get(viewer) ?? NAMES.map((name) => news(name));
        expect(shown(ledger.view(viewer, own, nowMs + 3_000, 0))).toEqual(sums(told, viewer));
      }),
    );
  });

  it('is all of it at any time, where news needs no time', () => {
    fc.assert(
      fc.property(steps, (changes) => {
        const { ledger, told, nowMs } = play(changes, [0]);
        const own = told.get(0) ?? NAMES.map((name) => news(name));
        expect(shown(ledger.view(0, own, nowMs, 0))).toEqual(sums(told, 0));
      }),
    );
  });

  it('never goes back: what was known of a factory stays known or becomes newer', () => {
    const delays = Array.from({ length: 100 }, (_, at) => at / 10);
    const ledger = new SpreadLedger(['a'], delays);
    let before: readonly MachinetypeNews[] | null = null;
    const own = [news('a')];
    let last = 0;
    for (let count = 1; count <= 100; count += 1) {
      const after = [news('a', { runningMachines: count })];
      ledger.change(1, before, after, count * 500, 0);
      before = after;
      const known = ledger.view(0, own, count * 500, 0)[0]!.runningMachines;
      expect(known).toBeGreaterThanOrEqual(last);
      last = known;
    }
    expect(last).toBeGreaterThan(50);
  });

  it('arrives after the delays that were measured', () => {
    const delays = quantilesOf(Array.from({ length: 1_000 }, (_, at) => at / 100));
    const ledger = new SpreadLedger(['a'], delays);
    ledger.change(0, null, [news('a', { runningMachines: 1 })], 0, 0);
    const knowing = (nowMs: number) =>
      Array.from(
        { length: 2_000 },
        (_, viewer) => ledger.view(viewer + 1, [news('a')], nowMs, 0)[0]!.runningMachines,
      ).filter((machines) => machines === 1).length / 2_000;
    expect(knowing(2_500)).toBeCloseTo(0.25, 1);
    expect(knowing(5_000)).toBeCloseTo(0.5, 1);
    expect(knowing(9_000)).toBeCloseTo(0.9, 1);
  });

  it('arrives together where it changed together: a machine that has ended, and how', () => {
    const delays = Array.from({ length: 100 }, (_, at) => at / 10);
    const before = [news('a', { beforeFizzle: 1, runningMachines: 1 })];
    const after = [news('a', { lastEnd: { timeSeconds: NOW, message: '300 No more work', hostname: 'h' } })];
    for (let factory = 0; factory < 50; factory += 1) {
      const ledger = new SpreadLedger(['a'], delays);
      ledger.seed(factory, before, 0);
      ledger.change(factory, before, after, 0, 0);
      for (let nowMs = 0; nowMs < 10_000; nowMs += 500) {
        const [known] = ledger.view(99, [news('a')], nowMs, 0);
        expect(known!.beforeFizzle === 0).toBe(known!.lastEnd !== null);
      }
    }
  });

  it('tells times by the clock of who looks', () => {
    const ledger = new SpreadLedger(['a'], [0]);
    const end = { timeSeconds: NOW + 5, message: '300 No more work', hostname: 'h' };
    ledger.change(0, null, [news('a', { lastEnd: end })], 0, 5);
    expect(ledger.view(1, [news('a')], 0, -2)[0]!.lastEnd!.timeSeconds).toBe(NOW - 2);
  });
});

it('quantiles of delays end with the longest', () => {
  const quantiles = quantilesOf([3, 1, 2, 10]);
  expect([delayAt(quantiles, 0), delayAt(quantiles, 0.4), delayAt(quantiles, 0.9999)]).toEqual([1, 2, 10]);
  expect(quantilesOf([])).toEqual([]);
});

function play(
  changes: readonly { factory: number; news: readonly MachinetypeNews[]; afterMs: number }[],
  delays: readonly number[],
) {
  const ledger = new SpreadLedger(NAMES, delays);
  const told = new Map<number, readonly MachinetypeNews[]>();
  let nowMs = 0;
  for (const { factory, news: after, afterMs } of changes) {
    nowMs += afterMs;
    ledger.change(factory, told.get(factory) ?? null, after, nowMs, 0);
    told.set(factory, after);
    // Looking changes nothing.
    ledger.view(1, told.get(1) ?? NAMES.map((name) => news(name)), nowMs, 0);
  }
  return { ledger, told, nowMs };
}
