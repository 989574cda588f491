import { link, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Memory } from '../../src/daemon/memory.js';
import { closeMachinesDirectory, recoverMachines, sweep, takeStateDirectory } from '../../src/daemon/recover.js';
import { blackHole } from '../../src/factory/early-deaths.js';
import type { MachineRecord } from '../../src/factory/types.js';
import { Journal } from '../../src/machines/journal.js';
import { machineId, type StateLayout, slotHostname } from '../../src/machines/layout.js';
import type { MachineLogs } from '../../src/machines/tools.js';
import { config, end, FACTORY, machinetype, NOW, record, slotDecision } from '../factory/builders.js';
import { makeStateDirectory, nowSeconds, TestFactory, TestLog } from './test-factory.js';

let layout: StateLayout;
let journal: Journal;
let memory: Memory;
let log: TestLog;
let restored: ReadonlyMap<string, string> | null;

const logs: MachineLogs = {
  async assign() {},
  async release() {},
  async restore(records) {
    restored = new Map(records.map(({ ip, id }) => [ip, id]));
  },
};

beforeEach(async () => {
  layout = await makeStateDirectory();
  journal = new Journal(layout);
  memory = new Memory(FACTORY, config([machinetype('prod')]));
  log = new TestLog();
  restored = null;
});

afterEach(() => rm(layout.root, { recursive: true }));

const recover = () => recoverMachines(journal, memory, logs, log.logger);

/** A machine's directory as an earlier vacd left it. */
async function leftBehind(slot: number, how: 'starting' | 'running' | 'ended' | 'cleared'): Promise<MachineRecord> {
  const made = record({ slot, createdTimeSeconds: NOW - 5000 - slot });
  await journal.open(made);
  if (how === 'starting') return made;
  await journal.started(made, made.createdTimeSeconds + 2);
  if (how === 'running') return made;
  await journal.finished(made, end());
  if (how === 'cleared') await journal.cleared(made);
  return made;
}

describe('the state directory', () => {
  test('is one vacd’s at a time', async () => {
    const lock = await takeStateDirectory(layout);
    await expect(takeStateDirectory(layout)).rejects.toMatchObject({
      code: 'already-running',
      message: expect.stringContaining(layout.root),
    });
    lock.release();
    (await takeStateDirectory(layout)).release();
  });

  test('has its directories made where they are missing', async () => {
    await rm(layout.tmp(), { recursive: true });
    await rm(layout.machines(), { recursive: true });
    (await takeStateDirectory(layout)).release();
    expect((await stat(layout.tmp())).isDirectory()).toBe(true);
    expect((await stat(layout.machines())).isDirectory()).toBe(true);
  });

  test('lets only QEMU’s group through to machines, where there is one', async () => {
    await closeMachinesDirectory(layout, 4711);
    expect(await stat(layout.machines())).toMatchObject({ uid: 0, gid: 4711, mode: 0o40710 });
    await closeMachinesDirectory(layout, null);
    expect(await stat(layout.machines())).toMatchObject({ gid: 4711, mode: 0o40710 });
  });
});

describe('the sweep', () => {
  const TEMPORARY = '.counts.0123456789ab.tmp';

  test('removes what a write that was cut off left, and nothing else', async () => {
    const { id } = await leftBehind(0, 'running');
    const machine = layout.machine(id);
    await mkdir(`${layout.tmp()}/half-made`);
    await writeFile(`${layout.tmp()}/half-made/machine.json`, '{');
    await writeFile(`${layout.tmp()}/file`, '');
    await mkdir(`${machine}/joboutputs`);
    const kept = [`${layout.root}/counts`, `${layout.root}/.hidden.tmp`, `${machine}/.note`, layout.finish('prod')];
    const swept = [layout.root, machine, layout.finishes(), layout.slots()].map((where) => `${where}/${TEMPORARY}`);
    // What a guest names like ours is its own.
    kept.push(`${machine}/joboutputs/${TEMPORARY}`);
    for (const path of [...kept, ...swept]) await writeFile(path, '');
    await sweep(layout);
    const isThere = (path: string) =>
      stat(path).then(
        () => true,
        () => false,
      );
    expect(await Promise.all(swept.map(isThere))).toEqual(swept.map(() => false));
    expect(await Promise.all(kept.map(isThere))).toEqual(kept.map(() => true));
    expect(await readdir(layout.tmp())).toEqual([]);
    expect((await readdir(machine)).sort()).toEqual(['.note', 'joboutputs', 'machine.json', 'started']);
  });

  test('follows no link out of the state directory', async () => {
    const elsewhere = await makeStateDirectory();
    try {
      await writeFile(`${elsewhere.root}/${TEMPORARY}`, 'another’s');
      await symlink(elsewhere.root, `${layout.machines()}/link`);
      await symlink(elsewhere.root, `${layout.tmp()}/link`);
      await link(`${elsewhere.root}/${TEMPORARY}`, `${layout.tmp()}/hard`);
      await sweep(layout);
      expect(await readdir(elsewhere.root)).toContain(TEMPORARY);
      expect(await readdir(layout.tmp())).toEqual([]);
    } finally {
      await rm(elsewhere.root, { recursive: true });
    }
  });
});

describe('recovery', () => {
  test('remembers every machine, those that are over apart, and whose address is whose', async () => {
    const [starting, running, ended] = [
      await leftBehind(0, 'starting'),
      await leftBehind(1, 'running'),
      await leftBehind(2, 'ended'),
    ];
    const cleared = await leftBehind(3, 'cleared');
    await journal.keepLastEnd(cleared, end({ message: '300 No work' }), nowSeconds());
    await recover();
    expect([...memory.machines.keys()].sort()).toEqual([starting.id, running.id, ended.id].sort());
    expect([...memory.cleared.keys()]).toEqual([cleared.id]);
    expect(restored).toEqual(
      new Map([
        [starting.ip, starting.id],
        [running.ip, running.id],
      ]),
    );
    expect(memory.lastEnds.get('prod')).toMatchObject({ message: '300 No work' });
    expect(memory.blockedSlots).toEqual([]);
    expect(log.lines).toEqual([]);
  });

  test('knows from what is left of them that machines died early, one after the other', async () => {
    for (const slot of [0, 1, 2]) {
      const made = record({ slot, createdTimeSeconds: NOW - 5000 - slot });
      await journal.open(made);
      await journal.started(made, made.createdTimeSeconds + 2);
      await journal.finished(made, end({ timeSeconds: made.createdTimeSeconds + 30 }));
      if (slot > 0) await journal.cleared(made);
    }
    await recover();
    expect(blackHole(machinetype('prod'), memory.state(NOW, 0))).toMatchObject({
      count: 3,
      last: { hostname: 'factory1-00.example.com', message: '200 Success' },
    });
  });

  test('leaves stray files and directories among the machines alone, and says so', async () => {
    await leftBehind(0, 'running');
    await writeFile(`${layout.machines()}/README`, 'a note');
    await mkdir(`${layout.machines()}/lost+found`);
    await symlink('/nowhere', `${layout.machines()}/link`);
    await recover();
    expect(memory.machines.size).toBe(1);
    expect(memory.blockedSlots).toEqual([]);
    expect(log.with('it and its slot are left alone')).toHaveLength(3);
    expect(log.with(`${layout.machines()}/README cannot be read`)).toHaveLength(1);
    expect(await readdir(layout.machines())).toHaveLength(4);
  });

  test('a stray file among the last outcomes is no outcome', async () => {
    await writeFile(layout.finish('prod'), 'no JSON');
    await mkdir(layout.finish('user'));
    await recover();
    expect(memory.lastEnds.size).toBe(0);
  });

  test('an unreadable directory blocks its slot: nothing starts in it, and its domain is left alone', async () => {
    const factory = await TestFactory.create();
    try {
      const hostname = slotHostname(FACTORY, 2);
      const id = machineId(nowSeconds() - 100, 'prod', hostname);
      await mkdir(factory.layout.machine(id));
      await writeFile(factory.layout.inMachine(id, 'machine.json'), '{"version": 1, "slot": "two"}');
      factory.addDomain({ uuid: 'its-domain', hostname });
      await recoverMachines(factory.journal, factory.memory, logs, factory.log.logger);
      expect(factory.memory.blockedSlots).toEqual([2]);
      await factory.observer.listDomains();
      const plan = factory.pass();
      expect(plan.actions.map((action) => (action.kind === 'createMachine' ? action.slot : action.kind))).toEqual([
        0, 1, 3,
      ]);
      expect(slotDecision(plan, 2)).toMatchObject({ code: 'blocked-slot' });
      await factory.settle();
      expect(factory.hypervisor.domains.has('its-domain')).toBe(true);
      expect(factory.log.with(`${id} cannot be read as a machine's directory`)).toHaveLength(1);
    } finally {
      await factory.dispose();
    }
  });

  test('an unreadable directory of another host’s blocks nothing here', async () => {
    await mkdir(layout.machine(machineId(NOW, 'prod', 'elsewhere-02.example.com')));
    await recover();
    expect(memory.blockedSlots).toEqual([]);
    expect(log.lines).toHaveLength(1);
  });
});
