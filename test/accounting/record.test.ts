import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAccountable, localJobId, recordFileName, recordKey } from '../../src/accounting/record.js';
import type { MachineEnd } from '../../src/factory/types.js';
import { testRecord } from '../machines/record.js';
import { SAMPLES } from './samples.js';

const ended = (timeSeconds: number): MachineEnd => ({ timeSeconds, message: null, cpuSeconds: 1, reason: 'by itself' });

describe('isAccountable', () => {
  it('wants a machine that ran, and for fizzle_seconds at least', () => {
    const record = testRecord({ fizzleSeconds: 600 });
    expect(isAccountable(record, 1000, ended(1599))).toBe(false);
    expect(isAccountable(record, 1000, ended(1600))).toBe(true);
    expect(isAccountable(record, null, ended(1600))).toBe(false);
  });

  it('wants an end that is not before its start', () => {
    const record = testRecord({ fizzleSeconds: 0 });
    expect(isAccountable(record, 1000, ended(1000))).toBe(true);
    expect(isAccountable(record, 1000, ended(999))).toBe(false);
  });
});

describe('recordFileName', () => {
  it('is of the end in UTC, the same for the same machine, another for another', () => {
    const file = recordFileName(1_700_003_610, 'one');
    expect(file.day).toBe('20231114');
    expect(file.name).toMatch(/^231330\d{8}$/);
    expect(recordFileName(1_700_003_610, 'one')).toEqual(file);
    expect(recordFileName(1_700_003_610, 'other').name).not.toBe(file.name);
  });

  it('is always one that the sender takes', () => {
    const time = fc.integer({ min: 0, max: 253_402_300_799 });
    fc.assert(
      fc.property(time, fc.uuid(), (endTime, uuid) => {
        const { day, name } = recordFileName(endTime, uuid);
        expect(`${day}/${name}`).toMatch(/^[0-9a-f]{8}\/[0-9a-f]{14}$/);
      }),
    );
  });
});

describe('a record is known', () => {
  it('by its machine in every format, and other text is of none', () => {
    const { sync, ...records } = SAMPLES;
    for (const text of Object.values(records)) expect(localJobId(text)).toBe(testRecord().uuid);
    expect(localJobId(sync!)).toBeNull();
    expect(localJobId('Queue: LocalJobId: x\n')).toBeNull();
  });

  it('by the moment until which it tells of it, whatever the format', () => {
    const october = recordKey(SAMPLES['apel-v0.3, the part of October']!);
    expect(october).toBe(`${testRecord().uuid} ${Date.UTC(2026, 9, 31, 23, 59, 59) / 1000}`);
    expect(recordKey(SAMPLES['cloud-v0.4, at the end of October']!)).toBe(october);
    expect(recordKey(SAMPLES['apel-v0.3, the rest']!)).toBe(recordKey(SAMPLES['cloud-v0.4, completed']!));
    expect(recordKey(SAMPLES['apel-v0.3, the rest']!)).not.toBe(october);
  });
});
