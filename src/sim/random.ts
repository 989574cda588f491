/**
 * Random numbers of a simulation: one seed, many streams. Each part of the model (a factory's host, its daemon, the
 * network …) draws from a stream of its own, so that one draw more in one part does not change all the others.
 */

import { seededRandom } from '../vacquery/random.js';

export type Rng = () => number;

/** A stream that depends on the seed, on what it is for, and on whose it is. */
export function stream(seed: number, purpose: string, index = 0): Rng {
  let mixed = seed | 0;
  for (let at = 0; at < purpose.length; at += 1) mixed = Math.imul(mixed ^ purpose.charCodeAt(at), 0x01000193);
  return seededRandom(scramble(mixed ^ Math.imul(index + 1, 0x9e3779b1)));
}

/**
 * The generator of one pass of one factory's loop. It depends on the moment alone and not on how many passes there were
 * before, so that leaving out a pass in which nothing could happen changes nothing (`Scenario.everyTick`).
 */
export function passRandom(factorySeed: number, nowMs: number): Rng {
  let state = scramble(factorySeed ^ Math.imul(Math.floor(nowMs), 0x85ebca6b));
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    return (scramble(state) >>> 0) / 2 ** 32;
  };
}

function scramble(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

export function between(rng: Rng, min: number, max: number): number {
  return min + rng() * (max - min);
}

/** A standard normal (Box and Muller's, one of the two). */
export function normal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng())) * Math.cos(2 * Math.PI * rng());
}

/**
 * A time that is mostly about `median` and sometimes much longer, as lives of jobs and boots of machines are
 * (log-normal); kept between two bounds.
 */
export interface Spread {
  readonly median: number;
  /** Of the logarithm: 0 = always the median, 0.5 = two thirds within a factor of 1.65. */
  readonly sigma: number;
  readonly min: number;
  readonly max: number;
}

export function draw({ median, sigma, min, max }: Spread, rng: Rng): number {
  const drawn = sigma === 0 ? median : median * Math.exp(sigma * normal(rng));
  return Math.min(max, Math.max(min, drawn));
}

/** Time until the next of events that come at a rate and independently of each other. */
export function untilNext(ratePerSecond: number, rng: Rng): number {
  return ratePerSecond <= 0 ? Number.POSITIVE_INFINITY : -Math.log(1 - rng()) / ratePerSecond;
}
