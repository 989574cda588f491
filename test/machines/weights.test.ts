import { describe, expect, it } from 'vitest';
import { domainWeights, weightsWithoutEffect } from '../../src/machines/weights.js';

const NORMAL = { cpuWeight: 100, ioWeight: null };

describe('domainWeights', () => {
  it.each([
    [1, 100, 1, 1024],
    [1, 100, 8, 8192],
    [1, 50, 2, 1024],
    [1, 1000, 64, 262_144],
    [2, 100, 1, 100],
    [2, 10, 8, 80],
    [2, 1, 1, 2],
    [2, 1000, 64, 10_000],
    [null, 100, 1, null],
  ] as const)('in control groups %s with cpu_weight %i and %i processors are %s shares', (cpu, cpuWeight, processors, shares) => {
    expect(domainWeights({ cpu, io: false }, { cpuWeight, ioWeight: null }, processors).cpuShares).toBe(shares);
  });

  it('of disks are asked for where there are such, and wanted', () => {
    expect(domainWeights({ cpu: 2, io: true }, { ...NORMAL, ioWeight: 200 }, 1).ioWeight).toBe(200);
    expect(domainWeights({ cpu: 2, io: true }, NORMAL, 1).ioWeight).toBeNull();
    expect(domainWeights({ cpu: 2, io: false }, { ...NORMAL, ioWeight: 200 }, 1).ioWeight).toBeNull();
  });
});

describe('weightsWithoutEffect', () => {
  it('tells of what is asked for in vain', () => {
    expect(weightsWithoutEffect({ cpu: null, io: false }, { cpuWeight: 50, ioWeight: 200 })).toEqual([
      expect.stringMatching(/^cpu_weight = 50 has no effect/),
      expect.stringMatching(/^io_weight = 200 has no effect/),
    ]);
    expect(weightsWithoutEffect({ cpu: null, io: false }, NORMAL)).toEqual([]);
    expect(weightsWithoutEffect({ cpu: 1, io: true }, { cpuWeight: 50, ioWeight: 200 })).toEqual([]);
  });
});
