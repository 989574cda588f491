import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { archivedRecords } from '../../src/accounting/archive.js';
import { SPOOL_STEPS } from '../../src/accounting/spool.js';
import type { MachineEnd, MachineRecord } from '../../src/factory/types.js';
import { CLEAR_STEPS, type Clearing } from '../../src/machines/finish.js';
import { diskPaths, type StateLayout } from '../../src/machines/layout.js';
import { type MachineTools, runSteps } from '../../src/machines/tools.js';
import { machineTools, makeStateDirectory } from '../daemon/test-factory.js';
import { settings as someSettings } from '../factory/builders.js';
import { FakeHypervisor } from '../host/fake-hypervisor.js';
import { testRecord } from './record.js';

const STARTED = 1_700_000_005;
const END: MachineEnd = { timeSeconds: 1_700_050_000, message: '200 Success', cpuSeconds: 99.6, reason: 'by itself' };
const SETTINGS = someSettings({ gocdbSitename: 'SITE-A' });

let layout: StateLayout;
let tools: MachineTools;
let held: Map<string, string>;
let exported: Set<string>;

beforeEach(async () => {
  layout = await makeStateDirectory();
  held = new Map();
  exported = new Set();
  tools = machineTools(layout, new FakeHypervisor(), () => SETTINGS, {
    logs: {
      async assign() {},
      async release(ip, id) {
        if (held.get(ip) === id) held.delete(ip);
      },
      async restore() {},
    },
  });
  vi.spyOn(tools.nfs, 'remove').mockImplementation(async (...[id]: unknown[]) => {
    exported.delete(id as string);
  });
});

afterEach(() => rm(layout.root, { recursive: true }));

/** A machine that has ended, with all that it held. */
async function endedMachine(
  changes: Partial<MachineRecord> = {},
  startedTimeSeconds: number | null = STARTED,
): Promise<Clearing> {
  const record = testRecord(changes);
  await tools.journal.open(record);
  await tools.journal.takeSlot(record);
  if (startedTimeSeconds !== null) await tools.journal.started(record, startedTimeSeconds);
  for (const path of Object.values(diskPaths(layout, record))) await writeFile(path, 'disk');
  await mkdir(layout.inMachine(record.id, 'joboutputs'));
  await writeFile(layout.inMachine(record.id, 'joboutputs/job.log'), 'of the job');
  held.set(record.ip, record.id);
  exported.add(record.id);
  await tools.journal.finished(record, END);
  return { tools, settings: SETTINGS, record, startedTimeSeconds, end: END, listen: () => {} };
}

function clear(clearing: Clearing): Promise<void> {
  return runSteps(CLEAR_STEPS, clearing, clearing.record.id, clearing.listen);
}

/** How many records of the machine there are, in the archive and for the sender. */
async function records({ uuid }: MachineRecord): Promise<{ archived: number; outgoing: number }> {
  const archived = await archivedRecords(layout, await readdir(layout.apelArchive()));
  let outgoing = 0;
  for (const day of await readdir(layout.apelOutgoing())) {
    for (const name of await readdir(`${layout.apelOutgoing()}/${day}`)) {
      const text = await readFile(`${layout.apelOutgoing()}/${day}/${name}`, 'utf8');
      if (text.includes(`LocalJobId: ${uuid}\n`)) outgoing += 1;
    }
  }
  return { archived: archived.get(uuid) ?? 0, outgoing };
}

async function expectCleared(record: MachineRecord): Promise<void> {
  for (const path of [...Object.values(diskPaths(layout, record)), layout.slot(record.hostname)]) {
    await expect(stat(path)).rejects.toMatchObject({ code: 'ENOENT' });
  }
  expect(held.size).toBe(0);
  expect(exported.size).toBe(0);
  // What the job wrote is what the directory is kept for.
  expect(await readFile(layout.inMachine(record.id, 'joboutputs/job.log'), 'utf8')).toBe('of the job');
  const { entries, unreadable } = await tools.journal.readAll();
  expect(unreadable).toEqual([]);
  expect(entries.map(({ phase }) => phase)).toEqual(['cleared']);
  expect((await readdir(layout.machine(record.id))).filter((name) => name.startsWith('apel-record'))).toEqual([]);
}

describe('a machine that ended', () => {
  test('is accounted, and holds nothing any more', async () => {
    const { record, ...rest } = await endedMachine();
    await clear({ record, ...rest });
    await expectCleared(record);
    expect(await records(record)).toEqual({ archived: 1, outgoing: 1 });
    expect((await tools.journal.lastEnds()).get('prod')).toEqual({
      createdTimeSeconds: record.createdTimeSeconds,
      timeSeconds: END.timeSeconds,
      message: '200 Success',
      hostname: record.hostname,
    });
  });

  test('and never ran gets no record, and tells nothing of its type', async () => {
    const clearing = await endedMachine({}, null);
    await clear(clearing);
    await expectCleared(clearing.record);
    expect(await records(clearing.record)).toEqual({ archived: 0, outgoing: 0 });
    expect((await tools.journal.lastEnds()).size).toBe(0);
  });

  test('and fizzled gets no record, but tells of its type', async () => {
    const clearing = await endedMachine({}, END.timeSeconds - 599);
    await clear(clearing);
    await expectCleared(clearing.record);
    expect(await records(clearing.record)).toEqual({ archived: 0, outgoing: 0 });
    expect((await tools.journal.lastEnds()).get('prod')).toMatchObject({ message: '200 Success' });
  });

  test.each([
    ['the site has no registered name', { settings: someSettings() }, {}],
    ['nothing was measured', {}, { hs06PerProcessor: null }],
  ])('is accounted for the archive alone where %s', async (_, changes, recordChanges) => {
    const clearing = { ...(await endedMachine(recordChanges)), ...changes };
    await clear(clearing);
    expect(await records(clearing.record)).toEqual({ archived: 1, outgoing: 0 });
  });

  test('leaves the slot to a machine that has it since', async () => {
    const clearing = await endedMachine();
    const next = testRecord({ createdTimeSeconds: END.timeSeconds + 1, id: 'next' });
    await tools.journal.takeSlot(next);
    held.set(next.ip, next.id);
    await clear(clearing);
    expect(await readFile(layout.slot(next.hostname), 'utf8')).toMatch(/^1700050001 /);
    expect(held.get(next.ip)).toBe('next');
  });
});

describe('clearing', () => {
  test('does each step twice as well as once', async () => {
    const clearing = await endedMachine();
    const twice = CLEAR_STEPS.flatMap((step) => [step, step]);
    await runSteps(twice, clearing, clearing.record.id, () => {});
    await expectCleared(clearing.record);
    expect(await records(clearing.record)).toEqual({ archived: 1, outgoing: 1 });
  });

  test('all over again changes nothing, even after the sender has taken the record away', async () => {
    const clearing = await endedMachine();
    await clear(clearing);
    for (const day of await readdir(layout.apelOutgoing())) {
      await rm(`${layout.apelOutgoing()}/${day}`, { recursive: true });
    }
    await clear(clearing);
    await expectCleared(clearing.record);
    expect(await records(clearing.record)).toEqual({ archived: 1, outgoing: 0 });
  });

  const points = [
    ...CLEAR_STEPS.flatMap(({ name }) => [
      [name, 'begin'],
      [name, 'end'],
    ]),
    ...SPOOL_STEPS.map((name) => [name, 'begin']),
  ] as [string, string][];

  test.each(points)('that a crash cut off at %s (%s) and began again accounts exactly once', async (step, moment) => {
    const clearing = await endedMachine();
    let crashes = 0;
    const crash = (_id: string, at: string, when: string) => {
      if (at !== step || when !== moment) return;
      crashes += 1;
      throw new Error('crash');
    };
    await expect(clear({ ...clearing, listen: crash })).rejects.toThrow('crash');
    expect(crashes).toBe(1);
    const [entry] = (await tools.journal.readAll()).entries;
    expect(entry!.phase).toBe(step === 'cleared' && moment === 'end' ? 'cleared' : 'ended');
    await clear(clearing);
    await expectCleared(clearing.record);
    expect(await records(clearing.record)).toEqual({ archived: 1, outgoing: 1 });
  });

  test('of a machine that never ran, cut off anywhere, accounts nothing', async () => {
    const clearing = await endedMachine({}, null);
    for (const { name } of CLEAR_STEPS) {
      const crash = (_id: string, at: string) => {
        if (at === name) throw new Error('crash');
      };
      await expect(clear({ ...clearing, listen: crash })).rejects.toThrow('crash');
    }
    await clear(clearing);
    await expectCleared(clearing.record);
    expect(await records(clearing.record)).toEqual({ archived: 0, outgoing: 0 });
  });
});
