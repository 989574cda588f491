/** Large runs live on news that spreads as it was measured to: that must give what simulating each datagram gives. */

import { describe, expect, it } from 'vitest';
import { measureSpread, type RunProgress, runJob } from '../../src/sim/engine.js';
import { DEFAULT_RECIPE, type Recipe, scenarioOf } from '../../src/sim/recipe.js';
import { figuresOf, simulate } from '../../src/sim/run.js';
import { Simulation } from '../../src/sim/simulation.js';

const SPACE: Recipe = {
  ...DEFAULT_RECIPE,
  factories: 12,
  slots: 8,
  types: 4,
  hours: 3,
  loss: 0.3,
  unsteady: 0.5,
  workPeriodHours: 2,
  lifeSeconds: 900,
  maxWallclockSeconds: 7200,
  backoffSeconds: 120,
  fizzleSeconds: 300,
};

describe('news as measured', () => {
  const scenario = scenarioOf(SPACE);
  const measured = measureSpread(scenario, () => {});

  it('spreads within seconds, and never before it was made', () => {
    const { news, joining, datagramsPerMinute, bytesPerMinute } = measured.delays;
    expect(news).toHaveLength(1_000);
    expect(news[0]).toBeGreaterThanOrEqual(0);
    expect(news.every((delay, at) => at === 0 || delay >= news[at - 1]!)).toBe(true);
    expect(news[500]).toBeLessThan(10);
    expect(joining.length).toBeGreaterThan(0);
    expect(datagramsPerMinute).toBeGreaterThan(12);
    expect(bytesPerMinute / datagramsPerMinute).toBeLessThan(1_500);
  });

  it('gives the figures of a run of each datagram', () => {
    const run = (delays?: typeof measured.delays) => {
      const simulation = new Simulation(scenario, 'gossip', delays === undefined ? {} : { delays });
      while (simulation.step());
      return simulation.measures(0);
    };
    const [exact, model] = [run(), run(measured.delays)];
    const ratio = (of: (measures: typeof exact) => number) => of(model) / of(exact);
    expect(ratio(({ starts }) => starts)).toBeCloseTo(1, 1);
    expect(ratio(({ datagramsPerMinute }) => datagramsPerMinute)).toBeCloseTo(1, 0);
    expect(ratio(({ futileStarts }) => futileStarts)).toBeGreaterThan(0.6);
    expect(ratio(({ futileStarts }) => futileStarts)).toBeLessThan(1.6);
    expect(Math.abs(model.shareErrorWorst! - exact.shareErrorWorst!)).toBeLessThan(0.03);
    expect(ratio(({ idleSlotHours }) => idleSlotHours)).toBeGreaterThan(0.5);
    expect(ratio(({ idleSlotHours }) => idleSlotHours)).toBeLessThan(2);
  });

  it('is forgotten across a cut that lasts, and heard again after it', () => {
    const cut = { fromSeconds: 1800, toSeconds: 3600, part: 0.5, ways: 'both' } as const;
    const simulation = new Simulation({ ...scenario, cuts: [cut] }, 'gossip', { delays: measured.delays });
    const known = (viewer: number) => {
      const news = simulation.daemons[viewer]!.agent!.peers();
      return news.reduce((sum, { runningMachines }) => sum + runningMachines, 0);
    };
    const until = (seconds: number) => {
      while (simulation.nowSeconds < seconds) simulation.step();
    };
    until(1700);
    expect(known(0)).toBeGreaterThan(80);
    until(1900);
    expect(known(0)).toBeGreaterThan(70);
    until(2400);
    expect(known(0)).toBeLessThan(50);
    until(3700);
    expect(known(0)).toBeGreaterThan(80);
  });
});

describe('a run', () => {
  const scenario = scenarioOf({ ...SPACE, hours: 0.5, factories: 4 });

  it('tells how far it is, up to its end', () => {
    const told: RunProgress[] = [];
    const result = runJob({ scenario, policy: 'gossip', exact: true }, (progress) => told.push(progress));
    expect(told.at(-1)).toEqual({ policy: 'gossip', stage: 'running', part: 1 });
    expect(told.map(({ part }) => part)).toEqual(told.map(({ part }) => part).sort((a, b) => a - b));
    expect(result).toMatchObject({ gossip: { measured: null }, problems: [] });
  });

  it('of ours and of the predecessor have the same figures beside each other', async () => {
    const report = await simulate({ scenario, policy: 'gossip', reference: true, exact: false, onProgress: () => {} });
    const { reference, ...ours } = figuresOf(report!);
    for (const key of [
      'datagramsPerMinute',
      'newsAgeP99Seconds',
      'shareErrorRms',
      'shareErrorWorst',
      'settleSeconds',
      'futileStarts',
      'idleSlotHours',
      'wallSeconds',
    ]) {
      expect(ours).toHaveProperty(key);
      expect(reference).toHaveProperty(key);
    }
    expect(JSON.parse(JSON.stringify(ours))).toEqual(ours);
    const alone = await simulate({ scenario, policy: 'gossip', reference: false, exact: false, onProgress: () => {} });
    expect(figuresOf(alone!)).toMatchObject({ reference: null, digest: ours.digest });
  });

  it('that is ended before its time has no report, and leaves no thread', async () => {
    const endless = scenarioOf({ ...SPACE, hours: 1e5, factories: 4 });
    const interruption = new AbortController();
    const onProgress = () => interruption.abort();
    const { signal } = interruption;
    const running = simulate({ scenario: endless, policy: 'gossip', reference: true, exact: true, onProgress, signal });
    expect(await running).toBeNull();
  });
});
