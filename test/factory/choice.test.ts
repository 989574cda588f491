import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, chances, draw, freeInSpace } from '../../src/factory/choice.js';
import { type Score, scoreMachinetypes } from '../../src/factory/shares.js';
import { actionsOf, config, machine, machinetype, news, plan, seededRng, state } from './builders.js';

interface TypeOf {
  readonly name: string;
  readonly share: number;
  readonly power: number;
  readonly group?: string;
}

/** In line by share, as a pass of starts has them. */
function line(types: readonly TypeOf[], meanPower?: ReadonlyMap<string, number>): Candidate[] {
  const shares = types.map(({ name, share, group }) => ({ name, targetShare: share, machinegroup: group ?? name }));
  const told = types.map(({ name, power }) => news(name, { runningHs06: power, runningMachines: power }));
  return scoreMachinetypes(shares, told, () => 0.5, meanPower).map((score: Score) => {
    const type = shares.find(({ name }) => name === score.machinetype)!;
    const members = shares.filter(({ machinegroup }) => machinegroup === type.machinegroup);
    const groupShare = members.reduce((sum, { targetShare }) => sum + targetShare, 0);
    return { score, targetShare: type.targetShare, groupShare };
  });
}

const partsOf = (candidates: readonly Candidate[], freeHs06: number): Record<string, number> =>
  Object.fromEntries(
    chances(candidates, freeHs06).map(({ candidate, part }) => [candidate.score.machinetype, Number(part.toFixed(3))]),
  );

const anyTypes = fc
  .array(fc.record({ share: fc.integer({ min: 1, max: 10 }), power: fc.integer({ min: 0, max: 300 }) }), {
    minLength: 2,
    maxLength: 6,
  })
  .map((types) => types.map((type, at) => ({ name: `t${at}`, ...type })));

describe('the odds of the types that may start', () => {
  it('are those of the most starved one alone, where no other factory chooses', () => {
    const types = [
      { name: 'a', share: 1, power: 5 },
      { name: 'b', share: 1, power: 4 },
    ];
    expect(partsOf(line(types), 0)).toEqual({ b: 1 });
  });

  it('are the parts of what is free that bring all to one power per share', () => {
    const types = [
      { name: 'a', share: 1, power: 10 },
      { name: 'b', share: 1, power: 4 },
      { name: 'c', share: 2, power: 30 },
    ];
    // 4 to b until it has 8; of 6 more nothing goes to a.
    expect(partsOf(line(types), 6)).toEqual({ b: 1 });
    // b to 10, then a and b in halves to 12.
    expect(partsOf(line(types), 10)).toEqual({ b: 0.8, a: 0.2 });
    // All to 20 by share.
    expect(partsOf(line(types), 36)).toEqual({ b: 0.444, a: 0.278, c: 0.278 });
  });

  it('are the shares themselves where all are served alike', () => {
    const types = [
      { name: 'a', share: 3, power: 30 },
      { name: 'b', share: 1, power: 10 },
    ];
    expect(partsOf(line(types), 8)).toEqual({ a: 0.75, b: 0.25 });
  });

  it('come to one, and go to none that would be further above the others than they are', () => {
    fc.assert(
      fc.property(anyTypes, fc.double({ min: 0, max: 500, noNaN: true }), (types, free) => {
        const odds = chances(line(types), free);
        expect(odds.reduce((sum, { part }) => sum + part, 0)).toBeCloseTo(1, 9);
        const chosen = odds.map(({ candidate }) => candidate.score.score);
        const others = line(types)
          .filter((one) => !odds.some(({ candidate }) => candidate.score.machinetype === one.score.machinetype))
          .map(({ score }) => score.score);
        expect(Math.max(...chosen)).toBeLessThanOrEqual(Math.min(...others) + free / 100);
      }),
    );
  });

  it('choose the group first, by its power and shares as a whole, and then within it', () => {
    const types = [
      { name: 'a1', share: 1, power: 0, group: 'a' },
      { name: 'a2', share: 1, power: 20, group: 'a' },
      { name: 'b', share: 2, power: 20 },
    ];
    // Both groups have 10 each by share, and so get a half; in a it all goes to the starved one.
    expect(partsOf(line(types), 12)).toEqual({ a1: 0.5, b: 0.5 });
  });

  it('are weighed by the whole group although some of its types may not start', () => {
    const types = [
      { name: 'a1', share: 1, power: 10, group: 'a' },
      { name: 'a2', share: 3, power: 30, group: 'a' },
      { name: 'b', share: 4, power: 40 },
    ];
    const able = line(types).filter(({ score }) => score.machinetype !== 'a2');
    expect(partsOf(able, 8)).toEqual({ a1: 0.5, b: 0.5 });
  });

  it('with history count what runs now for a tenth, and those far below their share alone', () => {
    const past = new Map([
      ['a', 10],
      ['b', 10],
    ]);
    const even = [
      { name: 'a', share: 1, power: 8 },
      { name: 'b', share: 1, power: 12 },
    ];
    expect(partsOf(line(even, past), 8)).toEqual({ a: 0.75, b: 0.25 });
    const starved = [
      { name: 'a', share: 1, power: 0 },
      { name: 'b', share: 1, power: 40 },
    ];
    const more = new Map([
      ['a', 500],
      ['b', 10],
    ]);
    expect(partsOf(line(starved, more), 8)).toEqual({ a: 1 });
  });
});

it('a draw falls on each as often as its odds say', () => {
  const odds = chances(
    line([
      { name: 'a', share: 3, power: 3 },
      { name: 'b', share: 1, power: 1 },
    ]),
    100,
  );
  const rng = seededRng(5);
  const drawn = Array.from({ length: 4000 }, () => draw(odds, rng).score.machinetype);
  expect(drawn.filter((name) => name === 'a').length / 4000).toBeCloseTo(0.75, 1);
});

it('nothing is drawn where there is no choice', () => {
  const odds = chances(line([{ name: 'a', share: 1, power: 0 }]), 100);
  const rng = () => {
    throw new Error('asked');
  };
  expect(draw(odds, rng).score.machinetype).toBe('a');
});

describe('a thousand factories that get a slot each in one second', () => {
  const types = [machinetype('large', { targetShare: 3 }), machinetype('small', { targetShare: 1 })];
  const factories = Array.from({ length: 1000 }, (_, at) => `wn${at}.example.com`);

  /** What they start that all see the same: machines of large and small. */
  function starts(large: number, small: number): { large: number; small: number; reason: string } {
    const peers = [news('large', { runningHs06: large }), news('small', { runningHs06: small })];
    const machines = Array.from({ length: 7 }, (_, slot) => machine({}, { slot, machinetype: 'other' }));
    const rng = seededRng(3);
    const started = factories.flatMap((factory) =>
      actionsOf(plan(state({ factory, peers, machines }), config(types, { factories }), rng), 'createMachine'),
    );
    const count = (name: string) => started.filter(({ machinetype: type }) => type === name).length;
    return { large: count('large'), small: count('small'), reason: started[0]!.reason };
  }

  it('start by share, and not all the type that is one machine short', () => {
    const { large, small } = starts(2999, 1000);
    expect(large + small).toBe(1000);
    expect(Math.abs(large - 750)).toBeLessThan(50);
  });

  it('start more of what is short by some, and only that which is short by far', () => {
    // Of 213 that may be free, 20 to the one that lacks them, and the rest by share.
    const { small } = starts(3000, 980);
    expect(Math.abs(small - 320)).toBeLessThan(50);
    expect(starts(9000, 600).small).toBe(1000);
  });

  it('say that they drew and by which odds, or that there was nothing to draw', () => {
    expect(starts(3000, 980).reason).toMatch(
      /^drawn by lot, as others choose too \((small 32\.0 %, large 68\.0 %)\), from power per share: small 980\.00, large 1000\.00; /,
    );
    expect(starts(9000, 600).reason).toMatch(/^least power per share: small 600/);
  });
});

it.each([
  [1, 100, 0, 1],
  [0, 100, 50, 0],
  // Little is free here: few of the others are taken to be as free. All is: so are all of them.
  [1, 100, 1000, 1 * (1 + 1000 * 0.109)],
  [100, 100, 1000, 100 * 1001],
])('of %d free processors of %d, with %d others, %d may be free in all', (free, total, others, all) => {
  expect(freeInSpace(free, total, others)).toBeCloseTo(all, 6);
});
