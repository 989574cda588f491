import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Loop } from '../../src/daemon/loop.js';
import { DecisionLog } from '../../src/factory/decision-log.js';
import { diedEarly, drainOrder, machinetype, orders } from '../factory/builders.js';
import { TestFactory, turn, until } from './test-factory.js';

let factory: TestFactory;
let loop: Loop;
let decisions: DecisionLog;
let passes: number;
let afterPass: () => void;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  // Nothing to start: what is of interest is when passes come.
  factory = await TestFactory.create({ machinetypes: [] });
  decisions = new DecisionLog();
  passes = 0;
  afterPass = () => {};
  loop = new Loop(factory.memory, factory.performer, decisions, factory.log.logger, () => {
    passes += 1;
    afterPass();
  });
});

afterEach(async () => {
  loop.stop();
  vi.useRealTimers();
  await factory.dispose();
});

/** Wakes the loop and waits for its pass. */
async function pass(): Promise<void> {
  const before = passes;
  loop.wake();
  await until('a pass', () => passes > before);
}

async function started(): Promise<void> {
  loop.start();
  await until('the first pass', () => passes === 1);
}

describe('passes', () => {
  test('many wakes make one', async () => {
    await started();
    for (let times = 0; times < 100; times += 1) loop.wake();
    expect(passes).toBe(1);
    for (let times = 0; times < 5; times += 1) await turn();
    expect(passes).toBe(2);
  });

  test('a wake in the middle of one makes another, and no more', async () => {
    await started();
    afterPass = () => {
      afterPass = () => {};
      loop.wake();
      loop.wake();
    };
    loop.wake();
    for (let times = 0; times < 6; times += 1) await turn();
    expect(passes).toBe(3);
  });

  test('come every two seconds when nothing wakes the loop', async () => {
    await started();
    for (let tick = 1; tick <= 3; tick += 1) {
      vi.advanceTimersByTime(2000);
      await until('the tick’s pass', () => passes === 1 + tick);
    }
  });

  test('do not come before the start, nor after the stop, not even one that was asked for', async () => {
    loop.wake();
    await turn();
    expect(passes).toBe(0);
    await started();
    loop.wake();
    loop.stop();
    loop.wake();
    vi.advanceTimersByTime(5000);
    for (let times = 0; times < 3; times += 1) await turn();
    expect(passes).toBe(1);
  });

  test('go on when a listener throws after one', async () => {
    afterPass = () => {
      throw new Error('the view has lost its terminal');
    };
    await started();
    await pass();
    expect(passes).toBe(2);
    expect(factory.log.with('after a pass: the view has lost its terminal')).toHaveLength(2);
  });

  test('write down what was decided, with its reason', async () => {
    factory.memory.orders = orders({ drain: drainOrder({ reason: 'an upgrade' }) });
    await started();
    expect(decisions.ofSlot(0)).toMatchObject([{ code: 'draining', reason: 'an upgrade' }]);
  });
});

describe('a standstill', () => {
  const said = () => factory.log.with(/nothing new starts|may start again/);
  const disk = (freeBytes: number) => {
    factory.memory.host = { ...factory.memory.host, stateFreeBytes: freeBytes };
  };
  const load = (load: number) => {
    factory.memory.host = { ...factory.memory.host, loadAverages: [load, load, load] };
  };

  test('is said once, and once its end', async () => {
    await started();
    expect(said()).toEqual([]);
    disk(5e6);
    await pass();
    disk(4e6);
    await pass();
    expect(factory.memory.standstill).toMatchObject({
      code: 'disk-full',
      reason: expect.stringContaining('only 4 MB'),
    });
    disk(100e9);
    await pass();
    await pass();
    expect(factory.memory.standstill).toBeNull();
    expect(said()).toEqual([
      'warning: nothing new starts: only 5 MB are free in the state directory; 1000 MB are needed',
      'info: machines may start again',
    ]);
  });

  test('of another kind is said, too', async () => {
    await started();
    disk(0);
    await pass();
    factory.memory.serviceFailed('nfs', 'it is down', performance.now());
    await pass();
    expect(said()).toHaveLength(2);
    expect(said()[1]).toContain('no working nfs: it is down');
  });

  test('by load or by I/O pressure comes and goes without a word', async () => {
    await started();
    load(100);
    await pass();
    expect(factory.memory.standstill?.code).toBe('overloaded');
    load(0);
    factory.memory.host = { ...factory.memory.host, ioPressurePercent: 99 };
    await pass();
    expect(factory.memory.standstill?.code).toBe('io-pressure');
    factory.memory.host = { ...factory.memory.host, ioPressurePercent: 0 };
    await pass();
    expect(said()).toEqual([]);
  });

  test('until the space was heard is no news: it is so at each start', async () => {
    factory.memory.spaceHeard = false;
    await started();
    expect(factory.memory.standstill?.code).toBe('space-unheard');
    factory.memory.spaceHeard = true;
    await pass();
    expect(factory.memory.standstill).toBeNull();
    expect(said()).toEqual([]);
  });

  test('that ends in an ordinary one has its end said when starts go on', async () => {
    await started();
    disk(0);
    await pass();
    disk(100e9);
    load(100);
    await pass();
    disk(0);
    await pass();
    expect(said()).toHaveLength(1);
    disk(100e9);
    load(0);
    await pass();
    expect(said()).toHaveLength(2);
    expect(said()[1]).toContain('machines may start again');
  });
});

describe('machines that die early', () => {
  const said = () => factory.log.with('die');

  test('are said once per type, and once their end', async () => {
    const types = [machinetype('prod'), machinetype('user')];
    factory.memory.config = { ...factory.memory.config, machinetypes: types };
    factory.memory.orders = orders({ drain: drainOrder() });
    const { earlyDeaths } = factory.memory;
    const note = (name: string, count: number) => {
      const run = diedEarly(name, count, 0).get(name);
      if (run !== undefined) earlyDeaths.set(name, run);
    };
    await started();
    note('prod', 2);
    await pass();
    expect(said()).toEqual([]);
    note('prod', 3);
    await pass();
    note('prod', 4);
    note('user', 3);
    await pass();
    expect(said()).toEqual([
      expect.stringMatching(/^warning: prod: 3 machines in a row died early .*\(vac why prod\)$/),
      expect.stringMatching(/^warning: user: 3 machines/),
    ]);
    earlyDeaths.delete('prod');
    await pass();
    await pass();
    expect(said().slice(2)).toEqual(['info: prod: machines no longer die early on this factory']);
  });
});
