/** Small spaces with everything going wrong, for random runs: minutes of virtual time, and a calm at the end. */

import fc from 'fast-check';
import { DEFAULT_RECIPE, type Recipe } from '../../src/sim/recipe.js';

const TROUBLE_SECONDS = 600;
const CALM_SECONDS = 300;
export const HOURS = (TROUBLE_SECONDS + CALM_SECONDS) / 3600;

const time = fc.integer({ min: 0, max: TROUBLE_SECONDS });

const cut = fc
  .record({
    fromSeconds: time,
    forSeconds: fc.integer({ min: 1, max: 300 }),
    part: fc.constantFrom(0.3, 0.5, 0.8),
    ways: fc.constantFrom('both' as const, 'one-way' as const),
  })
  .map(({ fromSeconds, forSeconds, part, ways }) => ({
    fromSeconds,
    toSeconds: Math.min(TROUBLE_SECONDS, fromSeconds + forSeconds),
    part,
    ways,
  }));

const crash = fc.record({
  factory: fc.nat({ max: 4 }),
  at: fc.oneof(
    time.map((seconds) => ({ seconds })),
    fc.integer({ min: 1, max: 120 }).map((effect) => ({ effect })),
  ),
  downSeconds: fc.constantFrom(0, 0.1, 1, 20, 90),
  what: fc.constantFrom('vacd' as const, 'vacd' as const, 'host' as const),
});

/** Larger and longer: for those who have an hour. */
export const anyLongRecipe: fc.Arbitrary<Recipe> = fc
  .record({
    small: fc.record({
      seed: fc.nat({ max: 1e6 }),
      factories: fc.integer({ min: 2, max: 16 }),
      slots: fc.integer({ min: 1, max: 12 }),
      types: fc.integer({ min: 1, max: 6 }),
      processors: fc.constantFrom([1], [1], [1, 2], [4, 1]),
      processorsPerSuperslot: fc.constantFrom(1, 1, 4),
      loss: fc.constantFrom(0, 0.1, 0.3, 0.5),
      duplicates: fc.constantFrom(0, 0.2),
      restartsPerHour: fc.constantFrom(0, 0.5, 5),
      backoffSeconds: fc.constantFrom(10, 60, 300),
      fizzleSeconds: fc.constantFrom(60, 300),
      maxWallclockSeconds: fc.constantFrom(1000, 7200),
      lifeSeconds: fc.constantFrom(200, 1500),
      unsteady: fc.constantFrom(0, 0.5, 1),
      maxSkewSeconds: fc.constantFrom(0, 5, 100),
      creationFailures: fc.constantFrom(0, 0.05),
    }),
    hours: fc.constantFrom(1, 3),
  })
  .map(({ small, hours }) => ({ ...DEFAULT_RECIPE, ...small, hours, workPeriodHours: 0.5 }));

/** From nothing wrong at all, which is what a failing one shrinks to. */
export const anyRecipe: fc.Arbitrary<Recipe> = fc
  .record({
    seed: fc.nat({ max: 1e6 }),
    factories: fc.integer({ min: 1, max: 5 }),
    slots: fc.integer({ min: 1, max: 4 }),
    types: fc.integer({ min: 1, max: 4 }),
    processors: fc.constantFrom([1], [1], [2, 1], [1, 3]),
    processorsPerSuperslot: fc.constantFrom(1, 1, 2),
    loss: fc.constantFrom(0, 0.1, 0.3),
    duplicates: fc.constantFrom(0, 0.1),
    maxDelayMs: fc.constantFrom(1, 50, 800),
    backoffSeconds: fc.constantFrom(0, 10, 60),
    fizzleSeconds: fc.constantFrom(0, 30, 90, 200),
    maxWallclockSeconds: fc.constantFrom(200, 1000),
    lifeSeconds: fc.constantFrom(100, 400),
    unsteady: fc.constantFrom(0, 0.5, 1),
    cuts: fc.array(cut, { maxLength: 2 }),
    crashes: fc.array(crash, { maxLength: 4 }),
    maxSkewSeconds: fc.constantFrom(0, 1, 20),
    creationFailures: fc.constantFrom(0, 0, 0.2),
    blackHoles: fc.array(fc.nat({ max: 4 }), { maxLength: 1 }),
    beginsFull: fc.boolean(),
    shares: fc.option(fc.record({ atSeconds: time, share: fc.constantFrom(0, 5) }), { nil: null }),
  })
  .map(({ maxDelayMs, shares, ...drawn }) => ({
    ...DEFAULT_RECIPE,
    ...drawn,
    hours: HOURS,
    workPeriodHours: 0.1,
    delayMs: [0.2, maxDelayMs] as const,
    startSpreadSeconds: 10,
    shareChanges: shares === null ? [] : [{ atSeconds: shares.atSeconds, shares: { type01: shares.share } }],
  }));
