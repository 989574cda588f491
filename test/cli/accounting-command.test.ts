import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { accountEnd, accountMonths } from '../../src/accounting/account.js';
import { main } from '../../src/cli/main.js';
import type { MachineRecord } from '../../src/factory/types.js';
import { Journal } from '../../src/machines/journal.js';
import type { StateLayout } from '../../src/machines/layout.js';
import { SITE } from '../accounting/samples.js';
import { makeStateDirectory } from '../daemon/test-factory.js';
import { testRecord } from '../machines/record.js';
import { recorded } from './recorded-io.js';

const OCTOBER_31 = Date.UTC(2026, 9, 31) / 1000;
const NOVEMBER = Date.UTC(2026, 10) / 1000;
const NOW = NOVEMBER + 10 * 86_400;

let layout: StateLayout;
beforeEach(async () => {
  layout = await makeStateDirectory();
  await writeFile(
    join(layout.root, 'vac.conf'),
    '[settings]\nvac_space = vac01.example.com\ngocdb_sitename = EXAMPLE-LCG2\nhs06_per_processor = 10\n',
  );
});
afterEach(() => rm(layout.root, { recursive: true }));

const vac = (...args: string[]) =>
  recorded(
    (io) => main([...args, '--config', join(layout.root, 'vac.conf'), '--state-dir', layout.root], () => io),
    NOW,
  );

let made = 0;
/** A machine that ran from the start of October's last day, cleared with its record in the archive. */
async function machine(changes: Partial<MachineRecord>, hours: number, cpuSeconds: number, byMonth = false) {
  made += 1;
  const record = testRecord({
    id: `m${made}`,
    uuid: `uuid-${made}`,
    processors: 2,
    hs06PerProcessor: 10,
    ...changes,
  });
  const journal = new Journal(layout);
  await journal.open(record);
  await journal.started(record, OCTOBER_31);
  const timeSeconds = OCTOBER_31 + hours * 3600;
  const end = { timeSeconds, message: null, cpuSeconds, reason: 'by itself' };
  await journal.finished(record, end);
  const account = { layout, record, site: SITE, life: { startedTimeSeconds: OCTOBER_31, points: [] } };
  if (byMonth) {
    const points = [{ timeSeconds: NOVEMBER, cpuSeconds: cpuSeconds / 2, suspendedSeconds: 0 }];
    await accountMonths({ ...account, life: { ...account.life, points } }, NOVEMBER);
  }
  await accountEnd(account, end, { byMonth, nowSeconds: NOW });
  await journal.cleared(record);
  return record;
}

async function files(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('vac accounting', () => {
  it('adds up a month by group and machinetype, in hours and benchmark units', async () => {
    await machine({ accountingFqan: '/a' }, 10, 36_000);
    await machine({ accountingFqan: '/a', hepscore23PerProcessor: 12 }, 5, 3600);
    await machine({ accountingFqan: null, machinetype: 'test' }, 2, 0);
    const { code, stdout } = await vac('accounting', '--month', '202610');
    expect(stdout).toBe(
      [
        'GROUP  MACHINETYPE  RECORDS  WALL-H  CPU-H  CPU/WALL  HS06-H  HS23-H',
        '/a     prod               2    30.0   11.0      37 %   200.0   120.0',
        'test   test               1     4.0    0.0       0 %    40.0     0.0',
        '                          3    34.0   11.0      32 %   240.0   120.0',
        'archive and directories agree (3 records compared); 3 records waiting to be sent',
        '',
      ].join('\n'),
    );
    expect(code).toBe(0);
  });

  it.each([
    'apel-v0.3',
    'cloud-v0.4',
  ] as const)('puts each part of a long machine to its month (%s)', async (format) => {
    await machine({ accountingFormat: format }, 30, 7200, true);
    const totals = async (month: string) => JSON.parse((await vac('accounting', '--month', month, '--json')).stdout);
    expect(await totals('202610')).toMatchObject({
      month: '202610',
      totals: [{ records: 1, wallSeconds: 2 * 86_400, cpuSeconds: 3600 }],
      compared: 1,
      problems: [],
    });
    expect(await totals('202611')).toMatchObject({
      totals: [{ records: 1, wallSeconds: 2 * 6 * 3600, cpuSeconds: 3600 }],
      compared: 1,
      problems: [],
    });
  });

  it('tells of differences between archive and directories', async () => {
    const lost = await machine({}, 1, 1);
    const [path] = await files(layout.apelArchive());
    await rm(path!);
    const changed = await machine({}, 1, 1);
    const [other] = await files(layout.apelArchive());
    const text = await readFile(other!, 'utf8');
    await writeFile(other!, text.replace('WallDuration: 3600', 'WallDuration: 360'));
    await writeFile(`${other!.slice(0, -2)}99`, text);
    await writeFile(`${other!.slice(0, -2)}98`, 'APEL-individual-job-message: v0.3\nSite: torn');
    const end = OCTOBER_31 + 3600;
    await writeFile(`${other!.slice(0, -2)}97`, text.replace(`EndTime: ${end}`, `EndTime: ${end + 60}`));
    const { code, stdout } = await vac('accounting', '--month', '202610');
    expect(code).toBe(1);
    expect(stdout).toContain(`${lost.id}: the archive has no record of it that ends at 2026-10-31T01:00:00.000Z`);
    expect(stdout).toContain('98 is no accounting record');
    expect(stdout).toContain(`99 is a second record of ${changed.uuid}; it is counted once`);
    expect(stdout).toContain(`${changed.id}: its record tells of 360 s`);
    expect(stdout).toContain(`${changed.id}: the archive has a record of it that it should not have`);
    expect(stdout).toContain('5 differences, see above');
  });

  it('says what there is not, and what is no month', async () => {
    expect((await vac('accounting')).stdout).toContain('the archive has no records of 202611');
    for (const month of ['202613', '2026', '202612']) {
      const { code, stderr } = await vac('accounting', '--month', month);
      expect([code, stderr]).toEqual([2, `vac: --month "${month}": expected a month that has begun, as 202611\n`]);
    }
    expect(await vac('accounting', '--month', '202610', '--republish', '202610')).toMatchObject({ code: 2 });
  });
});

describe('vac accounting --republish', () => {
  it('puts the records of a month to the sender again, once, under names that it takes', async () => {
    await machine({}, 1, 1);
    await machine({}, 30, 1);
    await machine({ hs06PerProcessor: null }, 1, 1);
    const sent = await files(layout.apelOutgoing());
    expect(sent).toHaveLength(2);
    await rm(layout.apelOutgoing(), { recursive: true });
    await mkdir(layout.apelOutgoing());
    expect((await vac('accounting', '--republish', '202610')).stdout).toBe(
      '1 record of 202610 to be sent again; 1 never sent, as they are of no registered site or without a benchmark\n',
    );
    const again = await files(layout.apelOutgoing());
    expect(again).toHaveLength(1);
    expect(sent).toContain(again[0]);
    expect((await vac('accounting', '--republish', '202610')).stdout).toMatch(/^0 records .*; 1 waited already/);
    expect(await files(layout.apelOutgoing())).toEqual(again);
  });
});

describe('vac apel-sync', () => {
  const syncs = async () => {
    const texts = await Promise.all((await files(layout.apelOutgoing())).map((path) => readFile(path, 'utf8')));
    return texts.filter((text) => text.startsWith('APEL-sync-message'));
  };

  it('tells how many records of a month there are, once until that changes', async () => {
    await machine({}, 1, 1);
    await machine({ hs06PerProcessor: null }, 1, 1);
    await machine({ accountingFormat: 'cloud-v0.4' }, 1, 1);
    const said = await vac('apel-sync', '202610');
    expect(said).toEqual({
      code: 0,
      stdout: '202610: 1 record of EXAMPLE-LCG2 by vac01.example.com/vac-factory1.example.com, to be sent\n',
      stderr: '',
    });
    expect(await syncs()).toEqual([
      `APEL-sync-message: v0.1
Site: EXAMPLE-LCG2
SubmitHost: vac01.example.com/vac-factory1.example.com
NumberOfJobs: 1
Month: 10
Year: 2026
%%
`,
    ]);
    expect((await vac('apel-sync', '202610')).stdout).toContain('waits already');
    await machine({}, 2, 1);
    expect((await vac('apel-sync', '202610')).stdout).toContain('2 records');
    expect(await syncs()).toHaveLength(2);
    for (const path of await files(layout.apelOutgoing())) expect(path).toMatch(/\/[0-9a-f]{8}\/[0-9a-f]{14}$/);
  });

  it('by itself tells of the month of yesterday, and of months of which records came since', async () => {
    const months = async () =>
      JSON.parse((await vac('apel-sync', '--json')).stdout).map(({ month }: { month: string }) => month);
    await machine({}, 1, 1);
    expect(await months()).toEqual(['202610', '202611']);
    expect(await months()).toEqual(['202611']);
    await machine({}, 2, 1);
    expect(await months()).toEqual(['202610', '202611']);
  });

  it('needs to know the site', async () => {
    await writeFile(join(layout.root, 'vac.conf'), '[settings]\nvac_space = -\n');
    expect(await vac('apel-sync')).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be used') });
  });
});
