import { mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { factoryStatus, writeStatusFiles } from '../../src/daemon/status.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { drainOrder, end, FACTORY, news, orders } from '../factory/builders.js';
import { nowSeconds, TestFactory } from './test-factory.js';

let factory: TestFactory;
const removeFile = (path: string) => rm(path, { force: true });

beforeEach(async () => {
  factory = await TestFactory.create({ machinetypes: [{ name: 'prod', targetShare: 3 }, { name: 'user' }] });
});

afterEach(() => factory.dispose());

function status(hypervisor = 'KVM (vmx)') {
  return factoryStatus(factory.memory, new DecisionLog(), hypervisor);
}

async function write(problem: string | null = null): Promise<void> {
  await writeStatusFiles(factory.layout, status(), problem, removeFile);
}

async function counts(): Promise<string> {
  await write();
  return readFile(factory.layout.counts(), 'utf8');
}

describe('counts', () => {
  test('are "running slots procs maxprocs hs06"', async () => {
    expect(await counts()).toBe('0 4 0 4 0');
    await factory.addMachine({ slot: 0, processors: 2, hs06: 20.5 });
    await factory.addMachine({ slot: 1, hs06: 10 }, { phase: 'starting' });
    expect(await counts()).toBe('2 4 3 4 30.5');
  });

  test('have no machine that is over', async () => {
    await factory.addMachine({ slot: 0 }, { phase: 'cleared', end: end() });
    expect(await counts()).toBe('0 4 0 4 0');
  });

  test('have power without the noise of binary fractions', async () => {
    for (const slot of [0, 1, 2]) await factory.addMachine({ slot, hs06: 41.2 });
    expect(await counts()).toBe('3 4 3 4 123.6');
  });
});

describe('heartbeats', () => {
  test('are written anew each time: check scripts look at their ctime', async () => {
    await write();
    const paths = [factory.layout.factoryHeartbeat(), factory.layout.responderHeartbeat()];
    const inodes = async () => Promise.all(paths.map(async (path) => (await stat(path)).ino));
    for (const path of paths) await utimes(path, 1, 1);
    const before = await inodes();
    const earliest = nowSeconds();
    await write();
    expect((await inodes()).some((inode, index) => inode === before[index])).toBe(false);
    for (const path of paths) {
      expect(Number(await readFile(path, 'utf8'))).toBeGreaterThanOrEqual(earliest);
      expect(Number(await readFile(path, 'utf8'))).toBeLessThanOrEqual(nowSeconds());
      expect((await stat(path)).mtimeMs).toBeGreaterThanOrEqual(earliest * 1000 - 1000);
    }
  });
});

describe('factory-error', () => {
  const text = () => readFile(factory.layout.factoryError(), 'utf8').catch(() => null);

  test('is there while there is something wrong, and says what', async () => {
    await write();
    expect(await text()).toBeNull();
    await write('no working nfs: it is down');
    expect(await text()).toBe('no working nfs: it is down\n');
    await write('libvirt does not answer');
    expect(await text()).toBe('libvirt does not answer\n');
    await write();
    expect(await text()).toBeNull();
  });
});

test('a file that cannot be written leaves no temporary file behind', async () => {
  await mkdir(factory.layout.counts());
  await expect(write()).rejects.toThrow();
  expect((await readdir(factory.layout.root)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
});

describe('the status', () => {
  test('has the machines that live, then those that were cleared last', async () => {
    const old = await factory.addMachine(
      { slot: 0, createdTimeSeconds: nowSeconds() - 9000 },
      { phase: 'ended', end: end() },
    );
    await factory.addMachine({ slot: 1 });
    factory.memory.setCleared(old);
    expect(status().machines.map(({ slot, phase }) => `${slot} ${phase}`)).toEqual(['1 running', '0 cleared']);
  });

  test('has at most a hundred of those that are over', async () => {
    const { entry } = await factory.addMachine({ createdTimeSeconds: nowSeconds() - 9000 }, {}, false);
    factory.memory.machines.clear();
    for (let slot = 0; slot < 120; slot += 1) {
      const record = { ...entry.record, slot, id: `${slot}` };
      factory.memory.remember({ ...entry, record, phase: 'cleared', end: end() }, 0);
    }
    const { machines } = status();
    expect(machines).toHaveLength(100);
    expect(machines.at(-1)!.slot).toBe(119);
  });

  test('lists a machine once, also when its directory’s time is over', async () => {
    const day = 86_400;
    const old = await factory.addMachine({ createdTimeSeconds: nowSeconds() - 9 * day }, {}, false);
    old.entry = { ...old.entry, phase: 'ended', end: end({ timeSeconds: nowSeconds() - 8 * day }) };
    factory.memory.setCleared(old);
    expect(status().machines).toHaveLength(1);
  });

  test('compares what runs with what was wanted', async () => {
    await factory.addMachine({ slot: 0, machinetype: 'prod', hs06: 10 });
    await factory.addMachine({ slot: 1, machinetype: 'user', hs06: 10 });
    expect(status().shares).toMatchObject([
      { machinetype: 'prod', wanted: 0.75, now: 0.5, runningMachines: 1 },
      { machinetype: 'user', wanted: 0.25, now: 0.5, runningMachines: 1 },
    ]);
  });

  test('has the whole space’s power in "now", and its own machines beside it', async () => {
    await factory.addMachine({ slot: 0, machinetype: 'prod', hs06: 10 });
    factory.memory.peers = [
      news('prod', { runningHs06: 20, runningMachines: 2 }),
      news('user', { factory: 'factory3.example.com', runningHs06: 30, runningMachines: 3 }),
      news('unknown here', { runningHs06: 1000 }),
      // Whoever speaks in our name is not believed.
      news('user', { factory: FACTORY, runningHs06: 1000 }),
    ];
    expect(status().shares).toMatchObject([
      { machinetype: 'prod', wanted: 0.75, now: 0.5, runningMachines: 1, runningHs06: 10 },
      { machinetype: 'user', wanted: 0.25, now: 0.5, runningMachines: 0, runningHs06: 0 },
    ]);
    expect(await counts()).toBe('1 4 1 4 10');
  });

  test('shows orders, and what comes of them, at once', () => {
    const drain = drainOrder({ byTimeSeconds: nowSeconds() + 50 });
    factory.memory.orders = orders({ drain, shutdownTimeSeconds: nowSeconds() + 90 });
    expect(status()).toMatchObject({
      drain,
      shutdownTimeSeconds: drain.byTimeSeconds,
      standstill: { code: 'draining', reason: 'asked to' },
    });
    factory.memory.orders = orders({ drain: drainOrder({ untilSeconds: nowSeconds() - 1 }) });
    expect(status()).toMatchObject({ drain: null, shutdownTimeSeconds: null, standstill: null });
  });

  test('has what is wrong, a line each', () => {
    expect(status().problems).toEqual([]);
    factory.memory.serviceFailed('nfs', 'it is down', performance.now());
    expect(status().problems).toEqual(['no working nfs: it is down']);
  });

  test('of a factory with nothing running and no shares is of zeros, not of NaN', async () => {
    factory.memory.config = {
      ...factory.memory.config,
      machinetypes: factory.memory.config.machinetypes.map((type) => ({ ...type, targetShare: 0 })),
    };
    for (const share of status().shares) expect(share).toMatchObject({ wanted: 0, now: 0 });
  });

  test('says what libvirt’s trouble is in place of what it is', () => {
    expect(status().hypervisor).toBe('KVM (vmx)');
    factory.memory.hypervisorProblem = { sinceSeconds: 1, message: 'no libvirtd there' };
    expect(status().hypervisor).toBe('libvirt: no libvirtd there');
  });
});
