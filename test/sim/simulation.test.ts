/** The same scenario gives the same run; and what is left out to save time changes nothing. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PolicyName } from '../../src/sim/policy.js';
import { DEFAULT_RECIPE, type Recipe, scenarioOf } from '../../src/sim/recipe.js';
import type { Scenario } from '../../src/sim/scenario.js';
import { Simulation } from '../../src/sim/simulation.js';
import { anyRecipe } from './arbitraries.js';

const POLICIES: readonly PolicyName[] = ['gossip', 'polling', 'reference'];

const SMALL: Recipe = {
  ...DEFAULT_RECIPE,
  factories: 6,
  slots: 4,
  types: 4,
  hours: 0.5,
  loss: 0.2,
  duplicates: 0.05,
  backoffSeconds: 60,
  fizzleSeconds: 90,
  lifeSeconds: 300,
  maxWallclockSeconds: 1200,
  workPeriodHours: 0.3,
  restartsPerHour: 2,
  downSeconds: [1, 60],
  creationFailures: 0.02,
  cuts: [{ fromSeconds: 600, toSeconds: 900, part: 0.5, ways: 'both' }],
};

/** N² datagrams take their time. */
const FEW: Recipe = {
  ...SMALL,
  factories: 3,
  hours: 0.2,
  cuts: [{ ...SMALL.cuts[0]!, fromSeconds: 200, toSeconds: 300 }],
};
const recipeFor = (policy: PolicyName): Recipe => (policy === 'polling' ? FEW : SMALL);

function run(scenario: Scenario, policy: PolicyName): Simulation {
  const simulation = new Simulation(scenario, policy);
  while (simulation.step());
  return simulation;
}

describe.each(POLICIES)('a run of %s', (policy) => {
  it('is the same again with the same seed, event by event', () => {
    const recipe = recipeFor(policy);
    const [one, again] = [run(scenarioOf(recipe), policy), run(scenarioOf(recipe), policy)];
    expect(one.trace.events).toBeGreaterThan(50);
    expect(again.trace.digest()).toBe(one.trace.digest());
    expect(again.policy.sent()).toEqual(one.policy.sent());
    expect(again.measures(0)).toEqual(one.measures(0));
  });

  it('is another with another seed', () => {
    const digests = [1, 2, 3].map((seed) => run(scenarioOf({ ...recipeFor(policy), seed }), policy).trace.digest());
    expect(new Set(digests).size).toBe(3);
  });
});

// The loop of a real vacd ticks every two seconds; the model's only when something may be due.
it.each(['gossip', 'polling'] as const)('leaving out ticks changes no event, with %s', (policy) => {
  const recipes = fc.sample(anyRecipe, { numRuns: policy === 'gossip' ? 25 : 5, seed: 4 });
  for (const recipe of [recipeFor(policy), ...recipes]) {
    const scenario = scenarioOf(recipe);
    const sparse = run(scenario, policy);
    const full = run({ ...scenario, everyTick: true }, policy);
    expect(full.trace.digest(), JSON.stringify(recipe)).toBe(sparse.trace.digest());
  }
}, 300_000);

describe('what a run measures', () => {
  const full = run(scenarioOf({ ...SMALL, unsteady: 0, restartsPerHour: 0, cuts: [] }), 'gossip');

  it('is a space whose shares are held, and whose slots are not idle', () => {
    const { shareErrorWorst, idleSlotHours, starts, newsAgeP99Seconds } = full.measures(0);
    // Of 24 slots.
    expect(shareErrorWorst).toBeLessThan(0.2);
    expect(idleSlotHours).toBeLessThan(0.2);
    expect(starts).toBeGreaterThan(50);
    expect(newsAgeP99Seconds).toBeLessThan(60);
  });

  it('is worse for the predecessor: more datagrams, older news, slots that wait for the minute', () => {
    const reference = run(scenarioOf({ ...SMALL, unsteady: 0, restartsPerHour: 0, cuts: [] }), 'reference').measures(0);
    const ours = full.measures(0);
    expect(reference.idleSlotHours).toBeGreaterThan(10 * ours.idleSlotHours);
    expect(reference.newsAgeP99Seconds!).toBeGreaterThan(ours.newsAgeP99Seconds!);
  });

  it('counts starts of a type that has no work as futile, and no others', () => {
    const steady = run(scenarioOf({ ...SMALL, unsteady: 0, loss: 0, restartsPerHour: 0, cuts: [] }), 'gossip');
    expect(steady.measures(0).futileStarts).toBe(0);
    const idle = run(scenarioOf({ ...SMALL, unsteady: 0.5, loss: 0, restartsPerHour: 0, cuts: [] }), 'gossip');
    expect(idle.measures(0).futileStarts).toBeGreaterThan(0);
  });
});

it('a space that begins full holds what is wanted from the first moment', () => {
  const simulation = new Simulation(scenarioOf({ ...SMALL, factories: 20, beginsFull: true }), 'gossip');
  simulation.step();
  const { held, wanted } = simulation.meter.samples[0]!;
  held.forEach((part, type) => {
    expect(Math.abs(part - wanted[type]!)).toBeLessThan(0.03);
  });
});

it('a space that begins empty fills itself', () => {
  const simulation = new Simulation(
    scenarioOf({ ...SMALL, hours: 0.1, cuts: [], restartsPerHour: 0, beginsFull: false, startSpreadSeconds: 60 }),
    'gossip',
  );
  simulation.step();
  expect(simulation.meter.samples[0]!.held.reduce((sum, part) => sum + part, 0)).toBeLessThan(0.9);
  while (simulation.step());
  expect(simulation.meter.samples.at(-1)!.held.reduce((sum, part) => sum + part, 0)).toBeGreaterThan(0.95);
});

it('a change of shares is followed without ending any machine', () => {
  const scenario = scenarioOf({
    ...SMALL,
    factories: 10,
    hours: 1,
    unsteady: 0,
    restartsPerHour: 0,
    cuts: [],
    shareChanges: [{ atSeconds: 1200, shares: { type04: 20 } }],
  });
  const simulation = run(scenario, 'gossip');
  const at = (seconds: number) => simulation.meter.samples.find(({ atSeconds }) => atSeconds >= seconds)!;
  expect(at(1190).held[3]).toBeLessThan(0.2);
  expect(simulation.meter.samples.at(-1)!.held[3]).toBeGreaterThan(0.5);
  expect(simulation.measures(0).settleSeconds).toBeGreaterThan(0);
});
