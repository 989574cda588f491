import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Memory } from '../../src/daemon/memory.js';
import { OwnEntryMaker } from '../../src/daemon/own-entry.js';
import type { ServiceName } from '../../src/factory/types.js';
import { config, drainOrder, machine, machinetype, NOW } from '../factory/builders.js';
import { nowSeconds, TestFactory } from './test-factory.js';

function made() {
  const memory = new Memory('wn1.example.com', config([machinetype('prod'), machinetype('user')]));
  memory.host = { ...memory.host, processors: 8, stateFreeBytes: 1e12 };
  memory.hypervisorProblem = null;
  for (const service of Object.keys(memory.services) as ServiceName[]) memory.serviceReady(service, 0);
  const maker = new OwnEntryMaker(memory);
  const at = (ms = 0) => maker.entry(NOW + ms / 1000, ms);
  return { memory, at };
}

describe('what a factory tells of itself by gossip', () => {
  it('is each of its machinetypes, with a machine from its intent on', () => {
    const { memory, at } = made();
    const [prod] = at().machinetypes;
    expect(prod).toEqual({
      machinetype: 'prod',
      runningHs06: 0,
      runningMachines: 0,
      runningProcessors: 0,
      beforeFizzle: 0,
      lastEnd: null,
    });
    const record = { machinetype: 'prod', createdTimeSeconds: NOW, processors: 2, hs06: 20 };
    memory.remember(machine({ phase: 'starting' }, record), 0);
    expect(at().machinetypes[0]).toMatchObject({
      runningHs06: 20,
      runningMachines: 1,
      runningProcessors: 2,
      beforeFizzle: 1,
    });
    expect(at().machinetypes.map((type) => type.machinetype)).toEqual(['prod', 'user']);
  });

  it('has a start at the end of the pass that decided it, when nothing of the machine is there yet', async () => {
    const factory = await TestFactory.create({ slots: 2 });
    try {
      factory.pass();
      const { machinetypes } = new OwnEntryMaker(factory.memory).entry(nowSeconds(), performance.now());
      expect(machinetypes).toEqual([expect.objectContaining({ runningMachines: 2, beforeFizzle: 2 })]);
      expect(readdirSync(factory.layout.machines())).toEqual([]);
      await factory.settle();
      expect(readdirSync(factory.layout.machines())).toHaveLength(2);
    } finally {
      await factory.dispose();
    }
  });

  it('has types that the configuration lacks as long as they run', () => {
    const { memory, at } = made();
    const running = memory.remember(machine({}, { machinetype: 'old' }), 0);
    expect(at().machinetypes.map((type) => type.machinetype)).toEqual(['prod', 'user', 'old']);
    memory.update(running, { phase: 'ended' });
    expect(at().machinetypes.map((type) => type.machinetype)).toEqual(['prod', 'user']);
  });

  it('has what its machines have used, where history is kept', () => {
    const { memory, at } = made();
    memory.ownUses = () =>
      new Map([
        ['prod', 3e6],
        ['older', 7],
      ]);
    expect(at().machinetypes.map(({ machinetype: name, decayedUse }) => [name, decayedUse])).toEqual([
      ['prod', 3e6],
      ['user', 0],
      ['older', 7],
    ]);
  });

  it('says at once that it drains, and that it does no more', () => {
    const { memory, at } = made();
    expect(at()).toMatchObject({ maxProcessors: 8, takesMachines: true });
    memory.orders = { ...memory.orders, drain: drainOrder() };
    expect(at(1).takesMachines).toBe(false);
    memory.orders = { ...memory.orders, drain: null };
    expect(at(2).takesMachines).toBe(true);
  });

  it('says that it is overloaded when it has been for ten seconds', () => {
    const { memory, at } = made();
    const load = (average: number) => {
      memory.host = { ...memory.host, loadAverages: [average, 0, 0] };
    };
    load(100);
    expect([0, 5_000, 9_999, 10_000, 20_000].map((ms) => at(ms).takesMachines)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    load(0);
    expect(at(21_000).takesMachines).toBe(true);
    load(100);
    expect(at(22_000).takesMachines).toBe(true);
  });
});
