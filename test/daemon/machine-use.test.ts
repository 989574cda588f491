import { mkdir, readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { recordsOfMonth } from '../../src/accounting/archive.js';
import type { ParsedRecord } from '../../src/accounting/parse-record.js';
import type { MachineMemory } from '../../src/daemon/machine-memory.js';
import { monthName } from '../../src/factory/months.js';
import { nowSeconds, TestFactory, until } from './test-factory.js';

const NOVEMBER = Date.UTC(2026, 10) / 1000;
const HOUR = 3600;

let factory: TestFactory;
let machine: MachineMemory;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: (NOVEMBER - HOUR) * 1000 });
  factory = await TestFactory.create({ settings: { accountingPartial: true, gocdbSitename: 'SITE-A' } });
  // It started an hour ago, less two seconds.
  machine = await factory.addMachine({ hs06PerProcessor: 10, maxWallclockSeconds: 1e6 });
  machine.entry = { ...machine.entry, shutdownTimeSeconds: NOVEMBER + 1e6 };
  await look(0);
});
afterEach(async () => {
  vi.useRealTimers();
  await factory.dispose();
});

/** Time goes by, and then libvirt is asked. */
async function look(seconds: number, cpuSeconds?: number): Promise<void> {
  vi.advanceTimersByTime(seconds * 1000);
  if (cpuSeconds !== undefined) factory.hypervisor.change(machine.entry.record.uuid, { cpuSeconds });
  await factory.observer.listDomains();
}

/** The clock of the calendar is set, and nothing else happens. */
function setClock(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
  factory.clockSetSeconds += seconds;
}

/** vacd dies, and the next one finds the machine again. */
async function restart(): Promise<void> {
  const { id } = machine.entry.record;
  factory.memory.machines.clear();
  const { entries } = await factory.journal.readAll();
  machine = factory.memory.remember(entries.find(({ record }) => record.id === id)!, performance.now());
}

async function kept(): Promise<void> {
  const path = factory.layout.inMachine(machine.entry.record.id, 'use.json');
  const expected = machine.entry.use?.unixSeconds;
  await until('what it used is written down', async () => {
    const text = await readFile(path, 'utf8').catch(() => '{}');
    return (JSON.parse(text) as { unixSeconds?: number }).unixSeconds === expected;
  });
}

async function ended(): Promise<ParsedRecord[]> {
  factory.hypervisor.domains.delete(machine.entry.record.uuid);
  await mkdir(factory.layout.inMachine(machine.entry.record.id, 'joboutputs'), { recursive: true });
  await factory.observer.listDomains();
  // Freed processors may be given to another machine at once, which is of no interest.
  factory.memory.orders = { ...factory.memory.orders, startsLeft: 0 };
  expect(await factory.drive()).toEqual(['endMachine', 'clearMachine']);
  return await archived();
}

async function archived(): Promise<ParsedRecord[]> {
  const records: ParsedRecord[] = [];
  for (const month of ['202609', '202610', '202611', '202612']) {
    for await (const { parsed } of recordsOfMonth(factory.layout, month)) records.push(parsed!);
  }
  return records;
}

const RAN = HOUR - 2;

describe('a clock that is set while a machine runs', () => {
  test.each([
    ['forward', 86_400 * 3],
    ['back', -86_400 * 3],
  ])('%s moves its start, and changes nothing of what it used', async (_, seconds) => {
    const started = machine.entry.startedTimeSeconds!;
    await look(60, 50);
    setClock(seconds);
    await look(5, 55);
    expect(machine.entry.startedTimeSeconds).toBe(started + seconds);
    expect(factory.log.with('the clock was set by')).toHaveLength(1);
    await look(60, 110);
    const records = await ended();
    const wall = records.reduce((sum, record) => sum + record.wallSeconds, 0);
    expect(wall).toBe(RAN + 125);
    for (const { endTimeSeconds, startTimeSeconds } of records) {
      expect(endTimeSeconds).toBeGreaterThanOrEqual(startTimeSeconds);
      expect(endTimeSeconds).toBeLessThanOrEqual(nowSeconds());
    }
  });

  test('is known of by the next vacd, in the files too', async () => {
    const started = machine.entry.startedTimeSeconds!;
    await look(30, 10);
    await kept();
    setClock(-86_400);
    await restart();
    await look(20, 20);
    const path = factory.layout.inMachine(machine.entry.record.id, 'started');
    await until('its start is dated anew', async () => (await readFile(path, 'utf8')) === String(started - 86_400));
    await restart();
    expect(machine.entry.startedTimeSeconds).toBe(started - 86_400);
    await look(5);
    expect(machine.entry.startedTimeSeconds).toBe(started - 86_400);
  });

  test('and that ended while vacd was away is dated by the clock of now', async () => {
    await look(30, 10);
    await kept();
    setClock(-86_400);
    await restart();
    vi.advanceTimersByTime(100_000);
    const [record, ...others] = await ended();
    expect(others).toEqual([]);
    expect(record!.endTimeSeconds).toBeLessThanOrEqual(nowSeconds());
    expect(record!.wallSeconds).toBeGreaterThanOrEqual(RAN);
    expect(record!.cpuSeconds).toBe(10);
  });
});

test('a machine has one start, however long writing it took', async () => {
  factory.listen = (_id, step, moment) => {
    if (step === 'started' && moment === 'end') vi.advanceTimersByTime(3000);
  };
  const order = { slot: 2, machinetype: 'prod', processors: 1, shutdownTimeSeconds: NOVEMBER + 1e6, reason: 'a share' };
  factory.performer.start({ kind: 'createMachine', ...order });
  await factory.settle();
  const made = [...factory.memory.machines.values()].find(({ entry }) => entry.record.slot === 2)!;
  const written = await readFile(factory.layout.inMachine(made.entry.record.id, 'started'), 'utf8');
  expect(String(made.entry.startedTimeSeconds)).toBe(written);
});

test('CPU time and pauses are counted on over a restart', async () => {
  await look(30, 100);
  factory.hypervisor.change(machine.entry.record.uuid, { state: 'paused' });
  await look(10);
  await look(30);
  await kept();
  await restart();
  factory.hypervisor.change(machine.entry.record.uuid, { state: 'running' });
  await look(50, 120);
  await look(40, 160);
  expect(machine.entry.use).toMatchObject({ cpuSeconds: 160, suspendedSeconds: 80 });
  const [record] = await ended();
  expect(record).toMatchObject({ wallSeconds: RAN + 160 - 80, cpuSeconds: 160 });
});

describe('over a month’s end', () => {
  const month = async () => {
    const { actions } = factory.pass();
    await factory.settle();
    return actions.map(({ kind }) => kind);
  };

  test('it is accounted by month, with the CPU time of the month’s end', async () => {
    await look(HOUR - 10, 1000);
    expect(await month()).not.toContain('accountMonth');
    await look(20, 1040);
    expect(await month()).toContain('accountMonth');
    expect(await month()).not.toContain('accountMonth');
    await look(100, 1100);
    const [october, november, ...others] = await ended();
    expect(others).toEqual([]);
    expect(october).toMatchObject({ cpuSeconds: 1020, wallSeconds: RAN + HOUR, endTimeSeconds: NOVEMBER - 1 });
    expect(november).toMatchObject({ cpuSeconds: 80, wallSeconds: 110, startTimeSeconds: NOVEMBER });
  });

  test('a vacd that was away makes it up, and one that died over it goes on', async () => {
    await look(30, 100);
    await kept();
    vi.advanceTimersByTime(2 * HOUR * 1000);
    await restart();
    await look(0, 7300);
    let deaths = 0;
    factory.listen = (_id, step) => {
      if (step === 'record-released' && deaths === 0) {
        deaths += 1;
        throw new Error('death');
      }
    };
    expect(await month()).toContain('accountMonth');
    await restart();
    await look(1);
    expect(await month()).toContain('accountMonth');
    expect(deaths).toBe(1);
    const [october, ...others] = await archived();
    expect(others).toEqual([]);
    // As if it had used CPU evenly all the time that nobody looked.
    expect(october).toMatchObject({ cpuSeconds: 100 + 3570, wallSeconds: RAN + HOUR });
    expect(monthName(october!.endTimeSeconds)).toBe('202610');
  });
});
