import { describe, expect, it } from 'vitest';
import { Meter, quantile } from '../../src/sim/measures.js';
import type { SpacePolicy } from '../../src/sim/policy.js';
import { stream } from '../../src/sim/random.js';
import { DEFAULT_RECIPE, scenarioOf } from '../../src/sim/recipe.js';
import { WorkQueue } from '../../src/sim/work.js';
import { news } from '../factory/builders.js';

const AGES: SpacePolicy = {
  name: 'polling',
  begin: () => {
    throw new Error('nobody begins');
  },
  sent: () => ({ datagrams: 0, bytes: 0 }),
  heardSecondsAgo: (viewer, peer) => viewer + 10 * peer,
  lastChange: () => null,
  knows: () => null,
  held: () => null,
};

const SCENARIO = scenarioOf({
  ...DEFAULT_RECIPE,
  factories: 4,
  slots: 100,
  types: 2,
  hours: 1,
  unsteady: 0,
  shareChanges: [{ atSeconds: 1800, shares: { type01: 1 } }],
});

function meter() {
  const queues = new Map(Object.entries(SCENARIO.types).map(([name, { work }]) => [name, new WorkQueue(work)]));
  return new Meter(SCENARIO, queues, stream(1, 'meter'));
}

/** What one factory of four tells when each holds so many of each type. */
const holds = (first: number, second: number) =>
  [first, second].map((machines, type) =>
    news(`type0${type + 1}`, { runningHs06: machines, runningMachines: machines, runningProcessors: machines }),
  );

function tellAll(of: Meter, first: number, second: number, nowSeconds: number): void {
  for (let factory = 0; factory < 4; factory += 1) of.onOwnNews(factory, holds(first, second), nowSeconds);
}

describe('share errors', () => {
  it('are parts of the space, and count from when it has come near to what is wanted', () => {
    const of = meter();
    tellAll(of, 50, 50, 0);
    of.sample(60, AGES);
    expect(of.samples.at(-1)).toMatchObject({ held: [0.5, 0.5], settled: false });
    expect(of.samples.at(-1)!.wanted.map((part) => part.toFixed(3))).toEqual(['0.667', '0.333']);
    tellAll(of, 67, 33, 100);
    of.sample(120, AGES);
    expect(of.samples.at(-1)!.settled).toBe(true);
    tellAll(of, 60, 40, 130);
    of.sample(180, AGES);
    const { shareErrorWorst } = of.result({ datagrams: 0, bytes: 0 }, 3600, 1);
    expect(shareErrorWorst).toBeCloseTo(0.0667, 3);
  });

  it('begin anew with a change of shares, and how long it takes to settle is told', () => {
    const of = meter();
    tellAll(of, 67, 33, 0);
    of.sample(60, AGES);
    of.onConfig({
      ...SCENARIO.config,
      machinetypes: SCENARIO.config.machinetypes.map((type) => ({ ...type, targetShare: 1 })),
    });
    of.sample(1860, AGES);
    expect(of.samples.at(-1)!.settled).toBe(false);
    tellAll(of, 50, 50, 2400);
    of.sample(2400, AGES);
    expect(of.result({ datagrams: 0, bytes: 0 }, 3600, 1)).toMatchObject({ settleSeconds: 600 });
    expect(of.result({ datagrams: 0, bytes: 0 }, 3600, 1).shareErrorWorst).toBeLessThan(0.005);
  });

  it('that never settle say so', () => {
    const of = meter();
    tellAll(of, 100, 0, 0);
    for (let at = 60; at <= 3600; at += 60) of.sample(at, AGES);
    expect(of.result({ datagrams: 0, bytes: 0 }, 3600, 1)).toMatchObject({
      settleSeconds: null,
      shareErrorWorst: null,
    });
  });
});

it('slots are idle while they are empty and there is work', () => {
  const of = meter();
  tellAll(of, 67, 33, 0);
  of.onOwnNews(0, holds(57, 33), 600);
  of.onOwnNews(0, holds(67, 33), 2400);
  expect(of.result({ datagrams: 0, bytes: 0 }, 3600, 1).idleSlotHours).toBeCloseTo(5, 6);
});

it('when factories last heard of each other is asked of pairs that are up', () => {
  const of = meter();
  for (const factory of [0, 1, 3]) of.onUp(factory, true);
  for (let at = 60; at <= 3000; at += 60) of.sample(at, AGES);
  expect(of.result({ datagrams: 0, bytes: 0 }, 3600, 1).heardAgeP99Seconds).toBe(31);
});

it('datagrams are counted by the minute', () => {
  expect(meter().result({ datagrams: 1200, bytes: 6000 }, 600, 1)).toMatchObject({
    datagramsPerMinute: 120,
    bytesPerMinute: 600,
  });
});

it('a quantile is the value that a part of all are not above', () => {
  expect(quantile([5, 1, 3, 2, 4], 0.5)).toBe(3);
  expect(quantile([1], 0.99)).toBe(1);
  expect(quantile([], 0.99)).toBeNull();
});
