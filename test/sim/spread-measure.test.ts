import { expect, it } from 'vitest';
import type { NewsChange, SpacePolicy } from '../../src/sim/policy.js';
import { SpreadMeter } from '../../src/sim/spread-measure.js';
import { VirtualClock } from '../../src/vacquery/virtual-clock.js';

const FACTORIES = 5;

/** Of factory 0 alone there is news, at 10 s; another knows it as late as `heardAfter` says, or is away (null). */
function measured(heardAfter: readonly (number | null)[], untilSeconds: number): number[] {
  const clock = new VirtualClock();
  const change: NewsChange = { factory: 0, atSeconds: 10, stamp: null };
  const nowSeconds = () => clock.nowMs() / 1000;
  const policy = {
    lastChange: (factory) => (factory === 0 && nowSeconds() >= 10 ? change : null),
    knows: (viewer, { atSeconds }) => {
      const after = heardAfter[viewer]!;
      return after === null ? null : nowSeconds() >= atSeconds + after;
    },
  } as Partial<SpacePolicy> as SpacePolicy;
  const meter = new SpreadMeter(policy, () => 0, { factories: FACTORIES, lookSeconds: 1, changes: 1, viewers: 5 });
  meter.begin(clock);
  clock.runUntil(untilSeconds * 1000);
  return meter.delays;
}

it('a change is as old as it is at the first look at which another knows it', () => {
  expect(measured([0, 0.5, 2, 2.2, 7], 100)).toEqual([1, 2, 3, 7]);
});

it('who is away does not count', () => {
  expect(measured([0, 3, null, null, 4], 100)).toEqual([3, 4]);
});

it('who does not hear of it counts as if they had when it is given up', () => {
  expect(measured([0, 3, 1e6, 1e6, 4], 500)).toEqual([3, 4, 181, 181]);
});
