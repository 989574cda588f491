import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { draw, passRandom, stream, untilNext } from '../../src/sim/random.js';

const first = (rng: () => number, count = 20) => Array.from({ length: count }, rng);

describe('streams', () => {
  it('are the same for the same seed, purpose and number, and others otherwise', () => {
    expect(first(stream(1, 'host', 3))).toEqual(first(stream(1, 'host', 3)));
    const others = [stream(2, 'host', 3), stream(1, 'daemon', 3), stream(1, 'host', 4)].map((rng) => first(rng).join());
    expect(new Set([first(stream(1, 'host', 3)).join(), ...others]).size).toBe(4);
  });

  it('of passes depend on the moment and not on earlier passes', () => {
    expect(first(passRandom(7, 1000))).toEqual(first(passRandom(7, 1000)));
    expect(first(passRandom(7, 1000))).not.toEqual(first(passRandom(7, 1001)));
  });

  it('of passes are uniform', () => {
    const values = Array.from({ length: 20_000 }, (_, at) => passRandom(at % 40, at * 17)());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    expect(mean).toBeCloseTo(0.5, 1);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values)).toBeLessThan(1);
  });
});

it('a spread keeps its bounds, and its median is the middle', () => {
  fc.assert(
    fc.property(fc.nat(), fc.double({ min: 0, max: 2, noNaN: true }), (seed, sigma) => {
      const value = draw({ median: 100, sigma, min: 20, max: 300 }, stream(seed, 'draw'));
      expect(value).toBeGreaterThanOrEqual(20);
      expect(value).toBeLessThanOrEqual(300);
    }),
  );
  const rng = stream(1, 'draw');
  const values = Array.from({ length: 10_001 }, () => draw({ median: 100, sigma: 0.5, min: 0, max: 1e6 }, rng));
  const middle = values.sort((a, b) => a - b)[5_000]!;
  expect(middle).toBeGreaterThan(97);
  expect(middle).toBeLessThan(103);
});

it('events of a rate come at that rate, and never at rate 0', () => {
  const rng = stream(1, 'events');
  const waits = Array.from({ length: 20_000 }, () => untilNext(0.1, rng));
  expect(waits.reduce((sum, wait) => sum + wait, 0) / waits.length).toBeCloseTo(10, 0);
  expect(untilNext(0, rng)).toBe(Number.POSITIVE_INFINITY);
});
