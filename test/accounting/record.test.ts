import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AccountingSite,
  apelRecord,
  globalUserName,
  isAccountable,
  localJobId,
  recordFileName,
} from '../../src/accounting/record.js';
import type { MachineEnd } from '../../src/factory/types.js';
import { testRecord } from '../machines/record.js';

const SITE: AccountingSite = {
  gocdbSitename: 'EXAMPLE-LCG2',
  space: 'vac01.example.com',
  factory: 'factory1.example.com',
};
const STARTED = 1_700_000_010;
const ended = (changes: Partial<MachineEnd> = {}): MachineEnd => ({
  timeSeconds: 1_700_003_610,
  message: '200 Success',
  cpuSeconds: 12_345.6,
  reason: 'it shut itself down',
  ...changes,
});

describe('apelRecord', () => {
  it('is the v0.3 text of SPEC 10', () => {
    expect(apelRecord(testRecord(), STARTED, ended(), SITE)).toBe(`APEL-individual-job-message: v0.3
Site: EXAMPLE-LCG2
SubmitHost: vac01.example.com/vac-factory1.example.com
LocalJobId: 0b5c7d8e-1f2a-4b3c-8d4e-5f60718293a4
LocalUserId: factory1.example.com
Queue: prod
GlobalUserName: /DC=com/DC=example/DC=vac01
FQAN: /lhcb/Role=NULL/Capability=NULL
WallDuration: 3600
CpuDuration: 12346
Processors: 4
NodeCount: 1
InfrastructureDescription: APEL-VAC
InfrastructureType: grid
StartTime: 1700000010
EndTime: 1700003610
MemoryReal: 8388608
MemoryVirtual: 8388608
ServiceLevelType: HEPSPEC
ServiceLevel: 10.3
%%
`);
  });

  it('leaves out what is not configured, and names the site after its space', () => {
    const record = testRecord({ accountingFqan: null, hs06PerProcessor: null });
    const text = apelRecord(record, STARTED, ended(), { ...SITE, gocdbSitename: null });
    expect(text).toContain('\nSite: example.com\n');
    expect(text).not.toMatch(/FQAN|ServiceLevel/);
  });

  it('keeps its form whatever the configuration holds', () => {
    const keys = apelRecord(testRecord(), STARTED, ended(), SITE)
      .split('\n')
      .map((line) => line.split(':')[0]);
    const text = fc.string({ unit: 'binary', minLength: 1 }).map((value) => `x${value}\n\nSite: other\r\n%%\u2028`);
    fc.assert(
      fc.property(text, text, (gocdbSitename, accountingFqan) => {
        const record = apelRecord(testRecord({ accountingFqan }), STARTED, ended(), { ...SITE, gocdbSitename });
        expect(record.split('\n').map((line) => line.split(':')[0])).toEqual(keys);
        expect(record).toMatch(/^[ -~\n]+$/);
        expect(record).not.toMatch(/\n\n|: *\n/);
      }),
    );
  });

  it('refuses what a receiver would refuse or miscount', () => {
    const made =
      (end: MachineEnd, started = STARTED) =>
      () =>
        apelRecord(testRecord(), started, end, SITE);
    expect(made(ended({ timeSeconds: STARTED - 1 }))).toThrow('EndTime 1700000009 is before StartTime 1700000010');
    expect(made(ended({ cpuSeconds: Number.NaN }))).toThrow('NaN');
    expect(made(ended({ cpuSeconds: -1 }))).toThrow('-1');
    expect(made(ended(), STARTED + 0.5)).toThrow('whole number');
    expect(() => apelRecord(testRecord(), STARTED, ended(), { ...SITE, gocdbSitename: ' ' })).toThrow('Site');
  });
});

describe('isAccountable', () => {
  it('wants a machine that ran, and for fizzle_seconds at least', () => {
    const record = testRecord({ fizzleSeconds: 600 });
    expect(isAccountable(record, 1000, ended({ timeSeconds: 1599 }))).toBe(false);
    expect(isAccountable(record, 1000, ended({ timeSeconds: 1600 }))).toBe(true);
    expect(isAccountable(record, null, ended())).toBe(false);
  });

  it('never gives apelRecord times that it refuses', () => {
    const record = testRecord({ fizzleSeconds: 0 });
    expect(isAccountable(record, 1000, ended({ timeSeconds: 1000 }))).toBe(true);
    expect(isAccountable(record, 1000, ended({ timeSeconds: 999 }))).toBe(false);
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

it('globalUserName reverses the space', () => {
  expect(globalUserName('vac01.example.com')).toBe('/DC=com/DC=example/DC=vac01');
});

it('localJobId finds the machine in a record, and none in other text', () => {
  expect(localJobId(apelRecord(testRecord(), STARTED, ended(), SITE))).toBe(testRecord().uuid);
  expect(localJobId('Queue: LocalJobId: x\n')).toBeNull();
});
