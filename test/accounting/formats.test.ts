import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globalUserName } from '../../src/accounting/fields.js';
import { type RecordSource, recordText } from '../../src/accounting/formats.js';
import { parseRecord } from '../../src/accounting/parse-record.js';
import type { Piece } from '../../src/accounting/pieces.js';
import type { AccountingFormat } from '../../src/config/types.js';
import type { MachineRecord } from '../../src/factory/types.js';
import { testRecord } from '../machines/record.js';
import { receive } from './receiver.js';
import { SAMPLES, SITE } from './samples.js';

const STARTED = 1_700_000_010;
const piece = (changes: Partial<Piece> = {}): Piece => ({
  startTimeSeconds: STARTED,
  endTimeSeconds: STARTED + 3600,
  untilSeconds: STARTED + 3600,
  wallSeconds: 3600,
  cpuSeconds: 12_346,
  suspendedSeconds: 0,
  isLast: true,
  ...changes,
});
const source = (record: Partial<MachineRecord> = {}, changes: Partial<RecordSource> = {}): RecordSource => ({
  record: testRecord(record),
  site: SITE,
  piece: piece(),
  before: [],
  ...changes,
});
const FORMATS: readonly AccountingFormat[] = ['apel-v0.3', 'apel-v0.4', 'cloud-v0.4'];

describe('recordText', () => {
  it('is the v0.3 text of SPEC 10', () => {
    expect(recordText(source())).toBe(`APEL-individual-job-message: v0.3
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

  it('gives one benchmark in v0.3, HEPscore23 if there is one, and all in v0.4', () => {
    const levels = (record: Partial<MachineRecord>) => recordText(source(record)).match(/^ServiceLevel.*$/gm);
    expect(levels({ hepscore23PerProcessor: 11.5 })).toEqual(['ServiceLevelType: HEPscore23', 'ServiceLevel: 11.5']);
    const both = { hepscore23PerProcessor: 10, hs06PerProcessor: 9.1, accountingFormat: 'apel-v0.4' } as const;
    expect(levels(both)).toEqual(['ServiceLevel: {HEPscore23: 10.0, HEPSPEC: 9.1}']);
    expect(levels({ ...both, hs06PerProcessor: null })).toEqual(['ServiceLevel: {HEPscore23: 10.0}']);
  });

  it('says cloud as the infrastructure where the site wants it', () => {
    const text = recordText(source({}, { site: { ...SITE, infrastructure: 'cloud' } }));
    expect(text).toContain('\nInfrastructureType: cloud\n');
  });

  it('tells in a cloud record of all that was used, and what it was suspended', () => {
    const before = [
      piece({ isLast: false, wallSeconds: 100, cpuSeconds: 30, suspendedSeconds: 7, startTimeSeconds: 5 }),
    ];
    const text = recordText(source({ accountingFormat: 'cloud-v0.4' }, { before, piece: piece({ isLast: false }) }));
    expect(text).toContain('WallDuration: 3700\nCpuDuration: 12376\n');
    expect(text).toContain('Status: started\nStartTime: 5\nSuspendDuration: 7\n');
    expect(text).not.toContain('EndTime');
    expect(recordText(source({ accountingFormat: 'cloud-v0.4' }))).toContain('EndTime: 1700003610\n');
  });

  it.each(FORMATS)('leaves out what is not configured, and names the site after its space (%s)', (accountingFormat) => {
    const record = { accountingFqan: null, hs06PerProcessor: null, accountingFormat };
    const text = recordText(source(record, { site: { ...SITE, gocdbSitename: null } }));
    expect(text).toMatch(/^Site(Name)?: example\.com$/m);
    expect(text).not.toMatch(/FQAN|ServiceLevel|Benchmark/);
  });

  it.each(FORMATS)('keeps its form whatever the configuration holds (%s)', (accountingFormat) => {
    const keysOf = (text: string) => text.split('\n').map((each) => each.split(':')[0]);
    const keys = keysOf(recordText(source({ accountingFormat })));
    const text = fc.string({ unit: 'binary', minLength: 1 }).map((value) => `x${value}\n\nSite: other\r\n%%\u2028`);
    fc.assert(
      fc.property(text, text, (gocdbSitename, accountingFqan) => {
        const record = recordText(source({ accountingFqan, accountingFormat }, { site: { ...SITE, gocdbSitename } }));
        expect(keysOf(record)).toEqual(keys);
        expect(record).toMatch(/^[ -~\n]+$/);
        expect(record).not.toMatch(/\n\n|: *\n/);
        expect(parseRecord(record)).not.toBeNull();
      }),
    );
  });

  it('refuses what a receiver would refuse or miscount', () => {
    const made = (changes: Partial<Piece>) => () => recordText(source({}, { piece: piece(changes) }));
    expect(made({ cpuSeconds: Number.NaN })).toThrow('NaN');
    expect(made({ cpuSeconds: -1 })).toThrow('-1');
    expect(made({ startTimeSeconds: 0.5 })).toThrow('whole number');
    expect(() => recordText(source({}, { site: { ...SITE, gocdbSitename: ' ' } }))).toThrow('Site');
  });
});

describe('samples', () => {
  it('are what a receiver takes', () => {
    for (const [title, text] of Object.entries(SAMPLES)) {
      expect(() => receive(text, Date.UTC(2026, 10, 3) / 1000), title).not.toThrow();
    }
  });

  it('are those of the documentation', () => {
    const page = readFileSync(new URL('../../etc/accounting-samples.md', import.meta.url), 'utf8');
    const shown = [...page.matchAll(/^(?: {4}APEL.*\n)(?: {4}.*\n)*/gm)].map(([block]) => block.replace(/^ {4}/gm, ''));
    expect(shown).toEqual(Object.values(SAMPLES));
  });
});

it('globalUserName reverses the space', () => {
  expect(globalUserName('vac01.example.com')).toBe('/DC=com/DC=example/DC=vac01');
});
