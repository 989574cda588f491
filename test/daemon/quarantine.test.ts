/** Quarantine as the daemon's inner parts carry it out: order, passes, restarts, release; with a hypervisor in memory. */

import { access, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { archivedRecords } from '../../src/accounting/archive.js';
import type { MachineMemory } from '../../src/daemon/machine-memory.js';
import { QuarantineBook } from '../../src/daemon/quarantine-book.js';
import { recoverMachines } from '../../src/daemon/recover.js';
import { VacError } from '../../src/errors.js';
import { quarantineFiles } from '../../src/factory/quarantine.js';
import { diskPaths } from '../../src/machines/layout.js';
import { readTrail } from '../../src/trail/read.js';
import { NULL_LOGS, nowSeconds, TestFactory, testTrail, until } from './test-factory.js';

let factory: TestFactory;
let book: QuarantineBook;
let machine: MachineMemory;

beforeEach(async () => {
  factory = await TestFactory.create({ settings: { draining: true } });
  book = bookOf(factory);
  machine = await factory.addMachine();
  await writeFile(diskPaths(factory.layout, machine.entry.record).root, 'disk');
  await factory.observer.listDomains();
});
afterEach(async () => {
  vi.useRealTimers();
  await factory.dispose();
});

function bookOf(of: TestFactory): QuarantineBook {
  const { memory, layout, log } = of;
  const made = new QuarantineBook({ memory, layout, log: log.logger, trail: testTrail(layout), wake: () => {} });
  of.hooks = { ...of.hooks, onMemoryKept: (id, words) => made.noteMemory(id, words) };
  return made;
}

const id = () => machine.entry.record.id;
const uuid = () => machine.entry.record.uuid;
const there = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
const disks = () => there(diskPaths(factory.layout, machine.entry.record).root);
const hold = () => book.hold({ machine: '0', who: 'ann', reason: 'it scans' });

/** What was left of the quarantine that was ordered at this time. */
const kept = (sinceSeconds: number) => Object.values(quarantineFiles({ sinceSeconds }));

async function drive(): Promise<string[]> {
  const kinds = await factory.drive();
  book.tidy();
  return kinds;
}

/** A vacd that died at this moment, and the next one on the same directory and hypervisor. */
async function restart(): Promise<void> {
  await factory.performer.settled();
  for (const each of [factory.memory.machines, factory.memory.cleared]) each.clear();
  factory.memory.quarantines = new Map();
  await recoverMachines(factory.journal, factory.memory, NULL_LOGS, factory.log.logger);
  book = bookOf(factory);
  await book.restore();
  await factory.observer.listDomains();
  machine = factory.memory.machines.get(id()) ?? factory.memory.cleared.get(id())!;
}

async function accounted(): Promise<number> {
  const records = await archivedRecords(factory.layout, await readdir(factory.layout.apelArchive()));
  return records.get(uuid()) ?? 0;
}

describe('a machine in quarantine', () => {
  test('is halted, its memory is kept with its digest, and nothing else is done to it', async () => {
    expect(await hold()).toEqual({ machine: id(), what: 'held' });
    expect(await drive()).toEqual(['holdMachine', 'keepMemory']);
    expect(factory.hypervisor.domains.get(uuid())?.state).toBe('paused');
    expect(machine.entry.suspension).toMatchObject({ by: 'quarantine', who: 'ann', reason: 'it scans' });
    const directory = factory.layout.quarantine(id());
    const { memory } = quarantineFiles(factory.memory.quarantines.get(id())!);
    expect(await readFile(`${directory}/${memory}`, 'utf8')).toBe(`memory of ${uuid()}`);
    expect(factory.memory.quarantines.get(id())?.memory).toMatch(
      /memory-\d{8}T\d{6}Z\.elf \(46 bytes, sha256 [0-9a-f]{64}\)$/,
    );
    expect(JSON.parse(await readFile(`${directory}/order.json`, 'utf8'))).toMatchObject({ who: 'ann', release: null });
  });

  test.each([
    ['past its shutdowntime', 40 * 86_400],
    ['paused for long', 3600],
  ])('%s it is left alone', async (_what, laterSeconds) => {
    await hold();
    await drive();
    expect(factory.pass(laterSeconds).actions).toEqual([]);
  });

  test('is not stopped by an order or by the end of the factory', async () => {
    await hold();
    await drive();
    factory.memory.orders = { ...factory.memory.orders, stopAll: true, stopMachines: new Set([id()]) };
    expect(await drive()).toEqual([]);
  });

  test('that somebody lets go on is halted again', async () => {
    await hold();
    await drive();
    await factory.hypervisor.resumeDomain(uuid());
    await factory.observer.listDomains();
    expect(await drive()).toEqual(['holdMachine']);
  });

  test('is in the trail, with who and why', async () => {
    await hold();
    expect(await readTrail(factory.layout.trail(), () => true)).toMatchObject([
      { kind: 'note', what: 'quarantined', who: 'ann', text: 'it scans', uuid: uuid() },
    ]);
  });

  test('is in the trail with each order, also one of somebody else', async () => {
    await hold();
    await book.hold({ machine: '0', who: 'bob', reason: 'keep it for the police' });
    expect(await readTrail(factory.layout.trail(), () => true)).toMatchObject([{ who: 'ann' }, { who: 'bob' }]);
  });

  test('whose domain goes keeps its disks, and is accounted once when it is released', async () => {
    await hold();
    await drive();
    factory.hypervisor.powerOff(uuid());
    await factory.observer.listDomains();
    expect(await drive()).toEqual(['endMachine']);
    expect([await disks(), await accounted()]).toEqual([true, 0]);
    await restart();
    expect(await drive()).toEqual([]);
    expect(await disks()).toBe(true);
    await book.release('0', 'ann', false);
    expect(await drive()).toEqual(['clearMachine']);
    expect([await disks(), await accounted()]).toEqual([false, 1]);
  });

  test('that has ended keeps its disks; one that is cleaned up already keeps its directory', async () => {
    const record = machine.entry.record;
    const end = { timeSeconds: nowSeconds(), message: null, cpuSeconds: 1, reason: 'by itself' };
    await factory.journal.finished(record, end);
    factory.memory.update(machine, { phase: 'ended', end });
    factory.hypervisor.domains.delete(uuid());
    await factory.observer.listDomains();
    expect((await hold()).what).toBe('disks-kept');
    expect(await drive()).toEqual([]);
    await book.release('0', 'ann', true);
    await drive();
    await until('its quarantine is closed', () => {
      book.tidy();
      return factory.memory.quarantines.size === 0;
    });
    expect(await book.hold({ machine: id(), who: 'ann', reason: 'after all' })).toMatchObject({ what: 'too-late' });
    expect(factory.pass(100 * 86_400).actions).toEqual([]);
    await book.release(id(), 'ann', false);
    await until('its quarantine is closed', () => {
      book.tidy();
      return factory.memory.quarantines.size === 0;
    });
    expect(factory.pass(100 * 86_400).actions.map(({ kind }) => kind)).toEqual(['forgetMachine']);
    await factory.settle();
  });

  test('keeps its log under a second name', async () => {
    await mkdir(`${factory.layout.root}/logs`, { recursive: true });
    await writeFile(factory.layout.machineLog(id()), 'said\n');
    await hold();
    await rm(factory.layout.machineLog(id()));
    expect(await readFile(`${factory.layout.quarantine(id())}/machine.log`, 'utf8')).toBe('said\n');
  });

  test('whose memory cannot be kept is halted all the same, and says so', async () => {
    factory.hypervisor.failNext('dumpMemory', new VacError('hypervisor-refused', 'libvirt refused: no'));
    await hold();
    await drive();
    expect(factory.hypervisor.domains.get(uuid())?.state).toBe('paused');
    expect(factory.memory.quarantines.get(id())?.memory).toContain('could NOT be kept: libvirt refused: no');
    // Ordered again, it is tried again.
    await hold();
    expect(await drive()).toEqual(['keepMemory']);
    expect(factory.memory.quarantines.get(id())?.memory).toContain('is kept in');
  });

  test('that has more memory than there is room for is halted, and what to do is said', async () => {
    machine.entry = { ...machine.entry, record: { ...machine.entry.record, memoryMiB: 2 ** 40 } };
    await hold();
    await drive();
    expect(factory.memory.quarantines.get(id())?.memory).toMatch(/GB are needed in .*make room/);
    expect(factory.hypervisor.calls.filter((call) => call.startsWith('dumpMemory'))).toEqual([]);
  });
});

describe('a restart of vacd', () => {
  test.each([
    'after the order',
    'after it was halted',
    'after its memory was kept',
  ])('%s changes nothing', async (when) => {
    await hold();
    if (when !== 'after the order') {
      factory.pass();
      await factory.settle();
    }
    if (when === 'after its memory was kept') await drive();
    await restart();
    expect(factory.log.with('IN QUARANTINE STILL')).toHaveLength(1);
    await drive();
    expect(factory.hypervisor.domains.get(uuid())?.state).toBe('paused');
    expect(factory.memory.quarantines.get(id())?.memory).toContain('is kept in');
    expect(factory.pass(40 * 86_400).actions).toEqual([]);
  });

  test('with an order that cannot be read holds the machine all the same', async () => {
    await hold();
    await drive();
    await writeFile(`${factory.layout.quarantine(id())}/order.json`, '{');
    await restart();
    expect(factory.pass(40 * 86_400).actions.map(({ kind }) => kind)).not.toContain('destroyMachine');
    await factory.settle();
    expect(factory.hypervisor.domains.get(uuid())?.state).toBe('paused');
  });

  test.each([false, true])('in the middle of a release (destroy: %s) ends it once', async (destroy) => {
    await hold();
    await drive();
    await book.release('0', 'ann', destroy);
    await restart();
    await drive();
    await until('its quarantine is closed', () => {
      book.tidy();
      return factory.memory.quarantines.size === 0;
    });
    expect(factory.hypervisor.domains.get(uuid())?.state).toBe(destroy ? undefined : 'running');
    expect([await disks(), await accounted()]).toEqual(destroy ? [false, 1] : [true, 0]);
    await restart();
    await drive();
    expect(await accounted()).toBe(destroy ? 1 : 0);
  });
});

test('a vacd that cannot know that it had halted a machine lets it go on, once it was released', async () => {
  await hold();
  await drive();
  await book.release('0', 'ann', false);
  await rm(factory.layout.inMachine(id(), 'suspended'));
  await restart();
  await drive();
  await until('its quarantine is closed', () => {
    book.tidy();
    return factory.memory.quarantines.size === 0;
  });
  expect(factory.hypervisor.domains.get(uuid())?.state).toBe('running');
});

describe('a release', () => {
  test('that comes while the memory is noted is written down with it', async () => {
    await hold();
    const noting = book.noteMemory(id(), 'its memory is kept in x');
    await Promise.all([noting, book.release('0', 'bob', false), book.noteMemory(id(), 'its memory is kept in y')]);
    const text = await readFile(`${factory.layout.quarantine(id())}/order.json`, 'utf8');
    const whole = { release: 'resume', memory: 'its memory is kept in y', who: 'ann' };
    expect(JSON.parse(text)).toMatchObject(whole);
    expect(factory.memory.quarantines.get(id())).toMatchObject(whole);
  });

  test('lets it go on under the rules that hold for all', async () => {
    await hold();
    const { sinceSeconds } = factory.memory.quarantines.get(id())!;
    await drive();
    await book.release('0', 'bob', false);
    expect(await drive()).toEqual(['releaseMachine']);
    await until('its quarantine is closed', () => factory.memory.quarantines.size === 0);
    expect(machine.entry.suspension).toBeNull();
    expect(machine.entry.pastSuspensions.count).toBe(1);
    expect(await readdir(factory.layout.quarantine(id()))).toEqual(kept(sinceSeconds));
    expect(factory.pass(40 * 86_400).actions.map(({ kind }) => kind)).toEqual(['requestStop']);
    await factory.settle();
  });

  test('keeps what was kept of it when it is held again', async () => {
    const times = [nowSeconds(), nowSeconds() + 3600];
    for (const time of times) {
      vi.useFakeTimers({ toFake: ['Date'], now: time * 1000 });
      await hold();
      await drive();
      await book.release('0', 'bob', false);
      await drive();
      await until('its quarantine is closed', () => factory.memory.quarantines.size === 0);
    }
    expect(await readdir(factory.layout.quarantine(id()))).toEqual(times.flatMap(kept).sort());
  });

  test('of what is not held says what is', async () => {
    await expect(book.release('0', 'bob', false)).rejects.toThrow('none is');
    await hold();
    await expect(book.release('7', 'bob', false)).rejects.toThrow(id());
  });

  test('of a machine whose directory somebody has removed closes the order', async () => {
    await hold();
    await drive();
    factory.hypervisor.domains.delete(uuid());
    await rm(factory.layout.machine(id()), { recursive: true });
    const gone = id();
    factory.memory.machines.clear();
    await book.release(gone, 'bob', false);
    await until('its quarantine is closed', () => {
      book.tidy();
      return factory.memory.quarantines.size === 0;
    });
  });

  test('an order that cannot be written does nothing', async () => {
    await writeFile(`${factory.layout.root}/quarantine`, 'in the way');
    await expect(hold()).rejects.toMatchObject({ code: 'quarantine-failed' });
    expect(await drive()).toEqual([]);
    expect(machine.entry.suspension).toBeNull();
  });
});
