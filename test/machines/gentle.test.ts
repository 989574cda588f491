import { describe, expect, it } from 'vitest';
import { boundWithoutEffect, gentleness, lowestWeights } from '../../src/machines/gentle.js';

describe('gentleness', () => {
  it('is of overnight mode only', () => expect(gentleness(null, 8, 4)).toBeNull());

  it('without quiet_cpu_percent bounds nothing', () =>
    expect(gentleness({ quietCpuPercent: null }, 8, 4)).toEqual({ cpuPart: null }));

  it.each([
    [40, 8, 8, 0.4],
    [40, 8, 4, 0.8],
    [50, 8, 2, 2],
    [100, 4, 4, 1],
    [1, 2, 16, 0.00125],
  ])('%i %% of %i processors, %i of them given to machines: %f of each', (quietCpuPercent, host, total, part) => {
    const made = gentleness({ quietCpuPercent }, host, total);
    expect(made?.cpuPart).toBeCloseTo(part);
    // All machines together.
    expect(made!.cpuPart! * total).toBeCloseTo((quietCpuPercent / 100) * host);
  });
});

describe('lowestWeights', () => {
  it('are for sites that have set none', () => {
    expect(lowestWeights({ cpuWeight: 100, ioWeight: null })).toEqual({ cpuWeight: 1, ioWeight: 100 });
    expect(lowestWeights({ cpuWeight: 20, ioWeight: 300 })).toEqual({ cpuWeight: 20, ioWeight: 300 });
  });
});

it('tells of a bound that the host cannot set', () => {
  expect(boundWithoutEffect({ cpu: null }, { quietCpuPercent: 40 })).toEqual([
    expect.stringMatching(/^quiet_cpu_percent = 40 has no effect/),
  ]);
  expect(boundWithoutEffect({ cpu: null }, { quietCpuPercent: null })).toEqual([]);
  expect(boundWithoutEffect({ cpu: null }, null)).toEqual([]);
  expect(boundWithoutEffect({ cpu: 2 }, { quietCpuPercent: 40 })).toEqual([]);
});
