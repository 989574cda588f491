import { expect, it } from 'vitest';
import { GossipFuzzer } from './gossip-fuzz.js';

it.each([
  [1, false],
  [2, true],
  [3, false],
])('mutated gossip neither throws, grows nor gets believed (seed %i, signed: %s)', (seed, isSigned) => {
  const { accepted, changes } = new GossipFuzzer(seed, isSigned).feed(4_000);
  // A fuzzer whose mutants all die at the door tests the door alone.
  expect(accepted).toBeGreaterThan(400);
  expect(changes).toBeGreaterThan(50);
});
