import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OrderBook } from '../../src/daemon/orders.js';
import { NO_ORDERS } from '../../src/factory/orders.js';
import { actionsOf, drainOrder, end, FACTORY, NOW, slotDecision } from '../factory/builders.js';
import { nowSeconds, TestFactory, until } from './test-factory.js';

let factory: TestFactory;
let orders: OrderBook;
let wakes: number;

function newBook(): OrderBook {
  const { memory, log, layout } = factory;
  return new OrderBook({
    memory,
    path: layout.orders(),
    log: log.logger,
    wake: () => {
      wakes += 1;
    },
  });
}

beforeEach(async () => {
  factory = await TestFactory.create();
  wakes = 0;
  orders = newBook();
});

afterEach(() => factory.dispose());

const file = () => readFile(factory.layout.orders(), 'utf8').catch(() => null);

/** A vacd that starts now: nothing is known but what is written down. */
async function restarted(atSeconds = NOW): Promise<void> {
  factory.memory.orders = NO_ORDERS;
  factory.log.lines.splice(0);
  orders = newBook();
  await orders.restore(atSeconds);
}

describe('orders over a restart of vacd', () => {
  test('hold, and the log says loudly which and how they are lifted', async () => {
    const drain = drainOrder({ reason: 'a new kernel', untilSeconds: NOW + 100, byTimeSeconds: NOW + 50 });
    await orders.drain(drain);
    await orders.shutdownAt(NOW + 500);
    await restarted();
    expect(factory.memory.orders).toEqual({ ...NO_ORDERS, drain, shutdownTimeSeconds: NOW + 500 });
    expect(factory.log.lines).toEqual([
      'warning: STILL DRAINING, as ordered at 2023-11-16 01:59:00 UTC: a new kernel, machines to be gone by 2023-11-16 02:00:50 UTC, until 2023-11-16 02:01:40 UTC. vac undrain lifts it',
      'warning: ALL MACHINES ARE STILL TO BE GONE by 2023-11-16 02:08:20 UTC, as ordered. vac shutdown-at never lifts it',
    ]);
  });

  test('are no more once they were lifted', async () => {
    await orders.drain(drainOrder());
    await orders.shutdownAt(NOW + 500);
    await orders.undrain();
    await restarted();
    expect(factory.memory.orders).toEqual({ ...NO_ORDERS, shutdownTimeSeconds: NOW + 500 });
    await orders.shutdownAt(null);
    expect(await file()).toBeNull();
    await restarted();
    expect(factory.memory.orders).toEqual(NO_ORDERS);
    expect(factory.log.lines).toEqual([]);
  });

  test('are the last ones, however fast they came', async () => {
    await Promise.all([
      ...[1, 2, 3, 4].map((serial) => orders.drain(drainOrder({ reason: `number ${serial}` }))),
      orders.undrain(),
      orders.drain(drainOrder({ reason: 'the last' })),
    ]);
    await restarted();
    expect(factory.memory.orders.drain?.reason).toBe('the last');
    await Promise.all([orders.drain(drainOrder()), orders.undrain()]);
    expect(await file()).toBeNull();
  });

  test('to drain until a time that is over meanwhile are over', async () => {
    await orders.drain(drainOrder({ untilSeconds: NOW + 100 }));
    await restarted(NOW + 100 + 3600);
    expect(factory.memory.orders.drain).toBeNull();
    expect(factory.log.lines).toEqual(['info: draining is over: it was ordered until 2023-11-16 02:01:40 UTC']);
    await until('the file is gone', async () => (await file()) === null);
  });

  test('with how many machines to start or to stop them all are none: those are of this run alone', async () => {
    factory.memory.orders = { ...factory.memory.orders, startsLeft: 3, stopAll: true };
    await orders.drain(drainOrder());
    await restarted();
    expect(factory.memory.orders).toEqual({ ...NO_ORDERS, drain: drainOrder() });
  });

  test('to stop a machine that could not be asked yet hold until it is over', async () => {
    const machine = await factory.addMachine({}, { phase: 'starting' });
    const { id } = machine.entry.record;
    await orders.stop('0');
    await restarted();
    expect(factory.memory.orders).toEqual({ ...NO_ORDERS, stopMachines: new Set([id]) });
    expect(factory.log.lines).toEqual([`warning: TO BE STOPPED STILL, as ordered: ${id}`]);
    machine.entry = { ...machine.entry, phase: 'ended', end: end() };
    factory.memory.setCleared(machine);
    orders.tidy(NOW);
    await until('the file is gone', async () => (await file()) === null);
  });

  test('to stop a machine that is over meanwhile are no more', async () => {
    const machine = await factory.addMachine();
    await orders.stop('0');
    await orders.drain(drainOrder());
    factory.memory.machines.delete(machine.entry.record.id);
    await restarted();
    expect(factory.memory.orders).toEqual({ ...NO_ORDERS, drain: drainOrder() });
    await until('the file tells', async () => JSON.parse((await file())!).stopMachines.length === 0);
  });

  test('of a vacd that kept no machines to stop are understood', async () => {
    const kept = { version: 1, drain: drainOrder(), shutdownTimeSeconds: null };
    await writeFile(factory.layout.orders(), JSON.stringify(kept));
    await restarted();
    expect(factory.memory.orders).toEqual({ ...NO_ORDERS, drain: drainOrder() });
  });
});

describe('a file of orders that cannot be used', () => {
  const GOOD = { version: 1, drain: drainOrder(), shutdownTimeSeconds: null };

  test.each([
    ['', /JSON/],
    ['{"version": 1, "dra', /JSON/],
    ['[]', /version undefined/],
    ['null', /no object/],
    [JSON.stringify({ ...GOOD, version: 2 }), /version 2, not 1/],
    [JSON.stringify({ ...GOOD, drain: 'yes' }), /drain is "yes"/],
    [JSON.stringify({ ...GOOD, drain: { ...drainOrder(), reason: 7 } }), /drain.reason is 7, not a text/],
    [JSON.stringify({ ...GOOD, drain: { ...drainOrder(), sinceSeconds: null } }), /sinceSeconds is null/],
    [
      JSON.stringify({ ...GOOD, drain: { ...drainOrder(), untilSeconds: 'x' } }),
      /untilSeconds is "x", not a Unix time/,
    ],
    [JSON.stringify({ ...GOOD, drain: { ...drainOrder(), byTimeSeconds: 1.5 } }), /byTimeSeconds is 1.5/],
    [JSON.stringify({ ...GOOD, shutdownTimeSeconds: 1e13 }), /shutdownTimeSeconds is 10000000000000, not a Unix time/],
    [JSON.stringify({ version: 1, drain: null }), /shutdownTimeSeconds is undefined/],
    [JSON.stringify({ ...GOOD, stopMachines: 'all' }), /stopMachines is "all", not a list of machines/],
    [JSON.stringify({ ...GOOD, stopMachines: ['a', 1] }), /stopMachines is \["a",1\], not a list of machines/],
  ])('is named in the log, with what to do, and nothing starts meanwhile: %s', async (text, problem) => {
    await writeFile(factory.layout.orders(), text);
    await restarted();
    const reason = `${factory.layout.orders()} cannot be read: what was ordered is not known`;
    expect(factory.memory.orders).toEqual({
      ...NO_ORDERS,
      drain: { reason, sinceSeconds: NOW, untilSeconds: null, byTimeSeconds: null },
    });
    const [line, ...more] = factory.log.lines;
    expect(more).toEqual([]);
    expect(line).toMatch(problem);
    expect(line).toContain(`error: ${factory.layout.orders()} cannot be read`);
    expect(line).toContain('vac undrain lifts that');
    expect(await file()).toBe(text);
    await orders.undrain();
    expect(await file()).toBeNull();
    expect(factory.memory.orders).toEqual(NO_ORDERS);
  });

  test('does not keep vacd from starting, not even as a directory', async () => {
    await mkdir(factory.layout.orders());
    await restarted();
    expect(factory.log.with('cannot be read (EISDIR')).toHaveLength(1);
  });

  test('that cannot be written leaves the order in force, and says so', async () => {
    await mkdir(factory.layout.orders());
    await expect(orders.drain(drainOrder())).rejects.toMatchObject({
      code: 'orders-not-kept',
      message: expect.stringContaining('a restart of vacd would not know of it'),
    });
    expect(factory.memory.orders.drain).toEqual(drainOrder());
    expect(wakes).toBe(1);
    await rm(factory.layout.orders(), { recursive: true });
    await orders.shutdownAt(NOW);
    expect(JSON.parse((await file())!)).toMatchObject({ drain: { reason: 'asked to' }, shutdownTimeSeconds: NOW });
  });
});

describe('draining until a time', () => {
  test('ends by itself, in the decision at once, in the file by the next tidying', async () => {
    const untilSeconds = nowSeconds() + 1000;
    await orders.drain(drainOrder({ untilSeconds }));
    expect(slotDecision(factory.pass(), 0)?.code).toBe('draining');
    expect(actionsOf(factory.pass(1000), 'createMachine')).not.toEqual([]);
    orders.tidy(untilSeconds - 1);
    expect(factory.log.with('draining is over')).toEqual([]);
    for (const over of [0, 2, 3599]) orders.tidy(untilSeconds + over);
    expect(factory.log.with('draining is over: it was ordered until')).toHaveLength(1);
    orders.tidy(untilSeconds + 3600);
    expect(factory.memory.orders.drain).toBeNull();
    expect(factory.log.with('draining is over')).toHaveLength(1);
    await until('the file is gone', async () => (await file()) === null);
  });

  test('goes on when the clock jumped ahead and came back, also over a restart of vacd in between', async () => {
    await orders.drain(drainOrder({ untilSeconds: NOW + 100 }));
    orders.tidy(NOW + 200);
    await restarted(NOW + 300);
    expect(factory.log.lines).toEqual(['info: draining is over: it was ordered until 2023-11-16 02:01:40 UTC']);
    const { drain } = factory.memory.orders;
    expect(drain).toEqual(drainOrder({ untilSeconds: NOW + 100 }));
    orders.tidy(NOW + 20);
    orders.tidy(NOW + 101);
    expect(factory.log.with('draining is over')).toHaveLength(2);
    await restarted(NOW + 20);
    expect(factory.log.with('STILL DRAINING')).toHaveLength(1);
  });
});

describe('stopping a machine', () => {
  test.each(['factory1-02', 'FACTORY1-02.example.com', '2', 'its id'])('by %s', async (name) => {
    const others = [await factory.addMachine({ slot: 0 }), await factory.addMachine({ slot: 3 })];
    const { entry } = await factory.addMachine({ slot: 2 });
    const { id } = entry.record;
    expect(await orders.stop(name === 'its id' ? id : name)).toBe(id);
    await factory.observer.listDomains();
    expect(actionsOf(factory.pass(), 'requestStop')).toMatchObject([
      { machine: id, stop: { message: '100 Stopped by an administrator' } },
    ]);
    await factory.settle();
    expect(others.map((other) => other.entry.stop)).toEqual([null, null]);
  });

  test('is remembered in its directory, so that a crash of vacd does not undo it', async () => {
    const { entry } = await factory.addMachine();
    await orders.stop('0');
    await factory.observer.listDomains();
    factory.pass();
    await factory.settle();
    const { entries } = await factory.journal.readAll();
    expect(entries.find(({ record }) => record.id === entry.record.id)?.stop?.reason).toContain('vac stop');
  });

  test('is forgotten once the machine is over', async () => {
    const machine = await factory.addMachine();
    await orders.stop('0');
    orders.tidy(nowSeconds());
    expect(factory.memory.orders.stopMachines.size).toBe(1);
    machine.entry = { ...machine.entry, phase: 'ended', end: end() };
    factory.memory.setCleared(machine);
    orders.tidy(nowSeconds());
    expect(factory.memory.orders.stopMachines.size).toBe(0);
  });

  test('of one that is not there names those that are', async () => {
    await expect(orders.stop('7')).rejects.toThrow(`no machine 7 runs on ${FACTORY}; no machine runs here now`);
    await factory.addMachine({ slot: 0 });
    await factory.addMachine({ slot: 1 }, { phase: 'ended', end: end() }, false);
    await factory.addMachine({ slot: 12 });
    for (const name of ['7', '1', 'factory1-1', 'factory1-07', 'other-00.example.com', 'x', ' ']) {
      await expect(orders.stop(name), name).rejects.toThrow(
        `no machine ${name} runs on ${FACTORY}; here run factory1-00, factory1-12`,
      );
    }
  });

  test('names some of many', async () => {
    const { entry } = await factory.addMachine({ slot: 0 }, {}, false);
    for (let slot = 1; slot < 30; slot += 1) {
      const record = { ...entry.record, slot, id: `${slot}`, hostname: `factory1-${slot}.example.com` };
      factory.memory.remember({ ...entry, record }, 0);
    }
    await expect(orders.stop('x')).rejects.toThrow(/factory1-19 and 10 more$/);
  });
});
