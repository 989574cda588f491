/**
 * A thousand small spaces with everything going wrong, each rule of the checker looked at on every step. A run that
 * breaks one is made as small as it can be, and printed so that it can be had again:
 *
 *     npm run sim -- --policy gossip --recipe '{"seed":…}'
 *
 * The runs are the same each time, so that a change is judged by them and not by luck; `npm run sim` looks for others.
 */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STRICT } from '../../src/sim/checker.js';
import type { PolicyName } from '../../src/sim/policy.js';
import { type Recipe, scenarioOf } from '../../src/sim/recipe.js';
import { Simulation } from '../../src/sim/simulation.js';
import { anyRecipe } from './arbitraries.js';

const SEED = 1;
const RUNS: Readonly<Record<PolicyName, number>> = { gossip: 500, reference: 500, polling: 20 };

function problemsOf(recipe: Recipe, policy: PolicyName): readonly string[] {
  const simulation = new Simulation(scenarioOf(recipe), policy, { check: STRICT });
  while (simulation.step());
  return simulation.checker!.problems;
}

describe('a space keeps its rules, whatever goes wrong', () => {
  it.each(Object.entries(RUNS) as [PolicyName, number][])(
    'with %s, in %i random runs',
    (policy, numRuns) => {
      fc.assert(
        fc.property(anyRecipe, (recipe) => {
          expect(
            problemsOf(recipe, policy),
            `npm run sim -- --policy ${policy} --recipe '${JSON.stringify(recipe)}'`,
          ).toEqual([]);
        }),
        { numRuns, seed: SEED },
      );
    },
    600_000,
  );
});
