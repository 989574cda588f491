import { expect, it } from 'vitest';
import { readCorpus, wayOf } from './corpus.js';
import { Fuzzer } from './fuzz.js';

it.each([1, 2, 3])('mutated datagrams neither throw, grow nor get believed (seed %i)', (seed) => {
  const { decoded, answered, accepted } = new Fuzzer(seed).feed(5_000);
  // A fuzzer whose mutants all die at the door tests the door alone.
  expect(decoded).toBeGreaterThan(500);
  expect(answered).toBeGreaterThan(50);
  expect(accepted).toBeGreaterThan(30);
});

it('the same seed gives the same mutants', () => {
  const { slowestMs: _, ...first } = new Fuzzer(4).feed(500);
  expect(new Fuzzer(4).feed(500)).toMatchObject(first);
});

it('every datagram of the corpus ends in the way that it is kept for', () => {
  const corpus = readCorpus();
  expect(corpus.length).toBeGreaterThan(100);
  expect(corpus.map(({ datagram }) => wayOf(datagram))).toEqual(corpus.map(({ way }) => way));
  expect(new Set(corpus.map(({ way }) => way)).size).toBe(corpus.length);
});
