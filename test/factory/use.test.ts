import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decayUse as counted, type KeptUse, meanPowers, pastUse, sumUses, UseTally } from '../../src/factory/use.js';
import { decayUse as gossiped } from '../../src/vacquery/entry.js';
import { actionsOf, config, machine, machinetype, plan, state, typeDecision } from './builders.js';

const HALF_LIFE = 72 * 3600;
const seconds = fc.double({ min: 0, max: 1e6, noNaN: true });
const hs06 = fc.double({ min: 0, max: 1e5, noNaN: true });
const use = fc.double({ min: 0, max: 1e12, noNaN: true });

function expectClose(value: number, expected: number): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-9 * Math.max(Math.abs(value), Math.abs(expected), 1));
}

const shares = (parts: Record<string, number>) =>
  Object.entries(parts).map(([name, targetShare]) => machinetype(name, { targetShare }));

describe('decayUse', () => {
  it('halves in a half-life, and comes to rest at what runs all the time', () => {
    expectClose(counted(100, 0, HALF_LIFE, HALF_LIFE), 50);
    const steady = counted(0, 8, HALF_LIFE * 60, HALF_LIFE);
    expectClose(meanPowers(new Map([['prod', steady]]), HALF_LIFE).get('prod')!, 8);
  });

  it('is the rule by which the gossip library predicts the use of others', () => {
    fc.assert(
      fc.property(use, hs06, seconds, (before, power, time) => {
        expectClose(counted(before, power, time, HALF_LIFE), gossiped(before, power, time, HALF_LIFE));
      }),
    );
  });

  it('gives the same however the time is divided', () => {
    fc.assert(
      fc.property(use, hs06, fc.array(seconds, { maxLength: 20 }), (before, power, steps) => {
        const whole = steps.reduce((sum, step) => sum + step, 0);
        const divided = steps.reduce((left, step) => counted(left, power, step, HALF_LIFE), before);
        expectClose(divided, counted(before, power, whole, HALF_LIFE));
      }),
    );
  });
});

describe('pastUse', () => {
  it('is what the tally would have counted at the time', () => {
    fc.assert(
      fc.property(hs06, seconds, seconds, (power, ran, since) => {
        const tally = new UseTally(HALF_LIFE);
        tally.advance(ran, new Map([['prod', power]]));
        tally.advance(since, new Map());
        // What is next to nothing is forgotten.
        expect(Math.abs((tally.uses.get('prod') ?? 0) - pastUse(power, ran + since, since, HALF_LIFE))).toBeLessThan(
          0.2,
        );
      }),
    );
  });

  it('is nothing where the end is before the beginning, as clocks may have it', () => {
    expect(pastUse(8, 10, 20, HALF_LIFE)).toBe(0);
  });
});

it('means are of no history while there is no half-life', () => {
  expect(meanPowers(new Map([['prod', 7]]), 0)).toEqual(new Map());
});

it('uses of two are added up by machinetype', () => {
  expect(sumUses(new Map([['a', 1]]), new Map(Object.entries({ a: 2, b: 3 })))).toEqual(
    new Map(Object.entries({ a: 3, b: 3 })),
  );
});

describe('UseTally', () => {
  it('goes on from what was kept as if it had never ended', () => {
    const steps = fc.array(fc.tuple(seconds, fc.dictionary(fc.constantFrom('a', 'b', 'c'), hs06)), { maxLength: 8 });
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const whole = new UseTally(HALF_LIFE);
        let divided = new UseTally(HALF_LIFE);
        whole.weighBy(shares({ a: 1, b: 2 }), 32);
        divided.weighBy(shares({ a: 1, b: 2 }), 32);
        for (const [time, power] of before) {
          whole.advance(time, new Map(Object.entries(power)));
          divided.advance(time, new Map(Object.entries(power)));
        }
        const kept = JSON.parse(JSON.stringify([...divided.kept])) as [string, KeptUse][];
        divided = new UseTally(HALF_LIFE, new Map(kept));
        for (const [time, power] of after) {
          whole.advance(time, new Map(Object.entries(power)));
          divided.advance(time, new Map(Object.entries(power)));
        }
        expect(divided.kept).toEqual(whole.kept);
      }),
    );
  });

  it('forgets a type without a share once hardly anything is left of its use', () => {
    const tally = new UseTally(HALF_LIFE);
    tally.advance(60, new Map([['gone', 8]]));
    expect(tally.uses.get('gone')).toBeGreaterThan(400);
    tally.advance(HALF_LIFE * 20, new Map());
    expect(tally.kept.size).toBe(0);
  });

  it('does not run backwards', () => {
    const tally = new UseTally(HALF_LIFE);
    tally.add('prod', 5);
    tally.advance(-100, new Map([['prod', 8]]));
    expect(tally.uses).toEqual(new Map([['prod', 5]]));
  });
});

describe('weighing by shares', () => {
  const level = (32 * HALF_LIFE) / Math.LN2;

  it('begins as if every type had always been served by its share', () => {
    const tally = new UseTally(HALF_LIFE);
    tally.weighBy(shares({ a: 3, b: 1, off: 0 }), 32);
    expect(tally.uses).toEqual(new Map(Object.entries({ a: level * 0.75, b: level * 0.25 })));
  });

  it('changes nothing where the shares stay in proportion', () => {
    const tally = new UseTally(HALF_LIFE);
    tally.weighBy(shares({ a: 3, b: 1 }), 32);
    tally.advance(7200, new Map(Object.entries({ a: 1, b: 31 })));
    const before = tally.uses;
    tally.weighBy(shares({ a: 6, b: 2 }), 32);
    expect(tally.uses).toEqual(before);
  });

  it('keeps how well each type was served when its share changes', () => {
    const tally = new UseTally(
      HALF_LIFE,
      new Map(Object.entries({ a: { use: 600, part: 0.5 }, b: { use: 400, part: 0.5 } })),
    );
    tally.weighBy(shares({ a: 1, b: 4 }), 32);
    // a had 6/5 of its half and has 6/5 of a fifth now.
    expectClose(tally.uses.get('a')!, 240);
    expectClose(tally.uses.get('b')!, 640);
  });

  it('lets a new type begin without a debt or a claim', () => {
    const tally = new UseTally(
      HALF_LIFE,
      new Map(Object.entries({ a: { use: 600, part: 0.5 }, b: { use: 400, part: 0.5 } })),
    );
    tally.weighBy(shares({ a: 1, b: 1, fresh: 2 }), 32);
    expect(tally.uses).toEqual(new Map(Object.entries({ a: 300, b: 200, fresh: 500 })));
  });

  it('treats a type that had no share for a while as new, but for what it used meanwhile', () => {
    const tally = new UseTally(
      HALF_LIFE,
      new Map(Object.entries({ a: { use: 600, part: 0.5 }, b: { use: 400, part: 0.5 } })),
    );
    tally.weighBy(shares({ a: 1, b: 0 }), 32);
    expect(tally.kept.get('b')).toEqual({ use: 400, part: 0 });
    tally.advance(HALF_LIFE * 3, new Map());
    tally.weighBy(shares({ a: 1, b: 1 }), 32);
    expectClose(tally.uses.get('b')!, tally.uses.get('a')!);
  });

  it('never makes a use negative, infinite or unknown', () => {
    const anyShares = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom(0, 0.001, 1, 50));
    fc.assert(
      fc.property(fc.array(fc.tuple(anyShares, seconds, hs06), { maxLength: 10 }), (changes) => {
        const tally = new UseTally(HALF_LIFE);
        for (const [parts, time, power] of changes) {
          tally.weighBy(shares(parts), 32);
          tally.advance(time, new Map([['a', power]]));
          for (const each of tally.uses.values()) expect(Number.isFinite(each) && each >= 0).toBe(true);
        }
      }),
    );
  });
});

describe('the decision', () => {
  const types = [machinetype('fed'), machinetype('starved')];
  const facts = state({
    slots: 4,
    totalProcessors: 4,
    machines: [machine({}, { machinetype: 'starved', hs06: 1, processors: 1 })],
    uses: new Map(Object.entries({ fed: (3 * HALF_LIFE) / Math.LN2, starved: (1 * HALF_LIFE) / Math.LN2 })),
  });

  it('starts what was starved in the long term, and says so', () => {
    const made = plan(facts, config(types, { shareHalfLifeHours: 72, maxStartingMachines: 1 }));
    const [start] = actionsOf(made, 'createMachine');
    expect(start).toMatchObject({ machinetype: 'starved' });
    expect(start!.reason).toMatch(
      /^least power per share, nine tenths of which is the mean of the past: starved 1\.00, fed 2\.70; /,
    );
    expect(typeDecision(made, 'fed')?.reason).toContain('number 2 of 2 in line by share');
  });

  it('goes by what runs now where no history is kept, whatever others tell', () => {
    const made = plan(facts, config(types, { shareHalfLifeHours: 0, maxStartingMachines: 1 }));
    const [start] = actionsOf(made, 'createMachine');
    expect(start).toMatchObject({ machinetype: 'fed' });
    expect(start!.reason).toMatch(/^least power per share: fed 0\.00, starved 1\.00; /);
  });
});
