import { expect, it } from 'vitest';
import { fuzz } from './fuzz.js';

it.each([1, 2, 3])('mutated datagrams neither throw, grow nor get believed (seed %i)', (seed) => {
  const { decoded, answered, accepted } = fuzz(seed, 5_000);
  // A fuzzer whose mutants all die at the door tests the door alone.
  expect(decoded).toBeGreaterThan(500);
  expect(answered).toBeGreaterThan(50);
  expect(accepted).toBeGreaterThan(5);
});
