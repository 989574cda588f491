import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Account, accountEnd, accountMonths, LEDGER_STEPS } from '../../src/accounting/account.js';
import { recordsOfMonth } from '../../src/accounting/archive.js';
import { LEDGER, readLedger } from '../../src/accounting/ledger.js';
import type { ParsedRecord } from '../../src/accounting/parse-record.js';
import { SPOOL_STEPS } from '../../src/accounting/spool.js';
import type { MachineEnd } from '../../src/factory/types.js';
import type { StateLayout } from '../../src/machines/layout.js';
import { makeStateDirectory } from '../daemon/test-factory.js';
import { testRecord } from '../machines/record.js';
import { SITE } from './samples.js';

const OCTOBER_30 = Date.UTC(2026, 9, 30) / 1000;
const NOVEMBER = Date.UTC(2026, 10) / 1000;
const END: MachineEnd = { timeSeconds: NOVEMBER + 3600, message: null, cpuSeconds: 200, reason: 'by itself' };
const HOW = { byMonth: true, nowSeconds: NOVEMBER + 3600 };
const record = testRecord();

let layout: StateLayout;
beforeEach(async () => {
  layout = await makeStateDirectory();
  await mkdir(layout.machine(record.id));
});
afterEach(() => rm(layout.root, { recursive: true }));

const account = (changes: Partial<Account> = {}): Account => ({
  layout,
  record,
  site: SITE,
  life: {
    startedTimeSeconds: OCTOBER_30,
    points: [{ timeSeconds: NOVEMBER, cpuSeconds: 150, suspendedSeconds: 0 }],
  },
  ...changes,
});

async function archived(): Promise<ParsedRecord[]> {
  const found: ParsedRecord[] = [];
  for (const month of ['202610', '202611']) {
    for await (const { parsed } of recordsOfMonth(layout, month)) found.push(parsed!);
  }
  return found;
}

async function outgoing(): Promise<number> {
  const entries = await readdir(layout.apelOutgoing(), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).length;
}

it('a machine is accounted by month while it runs, and for the rest at its end', async () => {
  expect(await accountMonths(account(), NOVEMBER)).toBe(NOVEMBER);
  expect(await archived()).toMatchObject([{ wallSeconds: 2 * 86_400, cpuSeconds: 150, endTimeSeconds: NOVEMBER - 1 }]);
  expect(await accountMonths(account(), NOVEMBER)).toBe(NOVEMBER);
  await accountEnd(account(), END, HOW);
  await accountEnd(account(), END, HOW);
  expect(await archived()).toMatchObject([
    { wallSeconds: 2 * 86_400, cpuSeconds: 150 },
    { wallSeconds: 3600, cpuSeconds: 50, startTimeSeconds: NOVEMBER, endTimeSeconds: END.timeSeconds },
  ]);
  expect(await outgoing()).toBe(2);
});

it('a machine that fizzled is not accounted, over a month’s end neither', async () => {
  const life = { startedTimeSeconds: NOVEMBER - 100, points: [] };
  await accountEnd(account({ life }), { ...END, timeSeconds: NOVEMBER + 100 }, HOW);
  expect(await archived()).toEqual([]);
});

it('what was written down first holds, whatever is found out later', async () => {
  const crash = account({
    onStep: (name) => {
      if (name === 'record-staged') throw new Error('crash');
    },
  });
  await expect(accountEnd(crash, END, HOW)).rejects.toThrow('crash');
  const later = { ...END, timeSeconds: END.timeSeconds + 500, cpuSeconds: 999 };
  await accountEnd(account(), later, { ...HOW, nowSeconds: HOW.nowSeconds + 1e6 });
  expect((await archived()).map(({ cpuSeconds }) => cpuSeconds)).toEqual([150, 50]);
});

it('a ledger that was spoilt stops it: better none than two', async () => {
  for (const text of [
    '{}',
    '{"version":1,"pieces":[{}],"released":0}',
    '{"version":1,"pieces":[],"released":1}',
    'x',
  ]) {
    await writeFile(`${layout.machine(record.id)}/${LEDGER}`, text);
    await expect(accountEnd(account(), END, HOW)).rejects.toThrow('does not say what was accounted');
  }
  expect(await archived()).toEqual([]);
});

it('a machine that an older vacd has accounted as a whole, before it died, is not accounted by month as well', async () => {
  await accountEnd(account(), END, { ...HOW, byMonth: false });
  await rm(`${layout.machine(record.id)}/${LEDGER}`);
  await accountEnd(account(), END, HOW);
  expect((await archived()).map(({ cpuSeconds }) => cpuSeconds)).toEqual([200]);
  expect(await outgoing()).toBe(1);
});

describe('a crash before each step, and another one', () => {
  const points = [...LEDGER_STEPS, ...SPOOL_STEPS];
  const pairs = points.flatMap((first) => points.map((second) => [first, second] as const));

  it.each(pairs)('%s, then %s: all is told once', async (first, second) => {
    for (const [end, crashes] of [
      [false, [first, second]],
      [true, [second, first]],
    ] as const) {
      for (const crashAt of [...crashes, 'never']) {
        let sinceBegin = 0;
        const dying = account({
          onStep: (name) => {
            sinceBegin += 1;
            // The second of its kind, so that the second record is met too.
            if (name === crashAt && sinceBegin > (end ? 0 : 1)) throw new Error('crash');
          },
        });
        const work = end ? accountEnd(dying, END, HOW) : accountMonths(dying, NOVEMBER);
        await work.catch((error: Error) => expect(error.message).toBe('crash'));
      }
    }
    expect((await archived()).map(({ cpuSeconds }) => cpuSeconds)).toEqual([150, 50]);
    expect(await outgoing()).toBe(2);
    const names = await readdir(layout.machine(record.id));
    expect(names).toEqual([LEDGER]);
    expect((await readLedger(layout.machine(record.id))).pieces).toHaveLength(2);
    expect(JSON.parse(await readFile(`${layout.machine(record.id)}/${LEDGER}`, 'utf8')).version).toBe(1);
  });
});
