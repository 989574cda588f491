/**
 * `npm run sim [-- --seconds N] [--seed N] [--policy gossip|polling|reference]`: random spaces, larger and for longer than
 * the tests have them, with everything going wrong, until the time is up or a rule is broken. Then the run is made as
 * small as it can be and printed. `--recipe JSON` has one again: that JSON.
 */

import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { STRICT } from '../../src/sim/checker.js';
import type { PolicyName } from '../../src/sim/policy.js';
import { DEFAULT_RECIPE, type Recipe, scenarioOf } from '../../src/sim/recipe.js';
import { Simulation } from '../../src/sim/simulation.js';
import { anyLongRecipe, anyRecipe } from './arbitraries.js';

const POLICIES: readonly PolicyName[] = ['gossip', 'polling', 'reference'];
const BATCH = 20;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    policy: { type: 'string', default: 'gossip' },
    recipe: { type: 'string' },
    trace: { type: 'boolean', default: false },
  },
});
const policy = POLICIES.find((name) => name === values.policy);
if (policy === undefined) throw new Error(`--policy ${values.policy}: expected ${POLICIES.join(', ')}`);

function problemsOf(recipe: Recipe, by: PolicyName, trace = false): readonly string[] {
  const simulation = new Simulation(scenarioOf(recipe), by, { check: STRICT });
  if (trace) simulation.trace.onEvent = (line) => process.stdout.write(`${line}\n`);
  while (simulation.step());
  return simulation.checker!.problems;
}

function again(recipe: Recipe): number {
  const problems = problemsOf(recipe, policy!, values.trace);
  process.stdout.write(problems.length === 0 ? 'no rule is broken\n' : `${problems.join('\n')}\n`);
  return problems.length === 0 ? 0 : 1;
}

function search(): number {
  const endMs = performance.now() + Number(values.seconds) * 1000;
  let runs = 0;
  for (let batch = Number(values.seed); performance.now() < endMs; batch += 1) {
    const arbitrary = batch % 2 === 0 ? anyLongRecipe : anyRecipe;
    const found = fc.check(
      fc.property(arbitrary, (recipe) => {
        runs += 1;
        const problems = problemsOf(recipe, policy!);
        if (problems.length > 0) throw new Error(problems.join('\n'));
      }),
      { numRuns: BATCH, seed: batch },
    );
    if (found.failed) {
      process.stdout.write(`a rule is broken, after ${runs} runs (seed ${batch}):\n${String(found.errorInstance)}\n`);
      process.stdout.write(
        `npm run sim -- --policy ${policy} --recipe '${JSON.stringify(found.counterexample![0])}'\n`,
      );
      return 1;
    }
    process.stdout.write(
      `${runs} runs, no rule is broken; ${Math.max(0, Math.round((endMs - performance.now()) / 1000))} s left\n`,
    );
  }
  return 0;
}

process.exitCode =
  values.recipe === undefined
    ? search()
    : again({ ...DEFAULT_RECIPE, ...(JSON.parse(values.recipe) as Partial<Recipe>) });
