import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { incompleteGroups } from '../../src/factory/superslots.js';
import type { Action, FactoryState, Machine } from '../../src/factory/types.js';
import { actionsOf, config, machine, machinetype, NOW, plan, seededRng, state } from './builders.js';

const single = machinetype('single', { targetShare: 1, maxWallclockSeconds: 10_000, minWallclockSeconds: 1000 });
const eight = machinetype('eight', {
  targetShare: 1,
  minProcessors: 8,
  maxProcessors: 8,
  maxWallclockSeconds: 10_000,
  minWallclockSeconds: 10_000,
});
const superslots = (...types: Parameters<typeof config>[0]) =>
  config(types, { processorsPerSuperslot: 8, maxStartingMachines: 64 });

/** A machine of type `single` with so many processors and this end. */
function running(slot: number, processors: number, endSeconds: number): Machine {
  return machine({ shutdownTimeSeconds: endSeconds }, { slot, processors, hs06: processors, machinetype: 'single' });
}

function starts(of: FactoryState, by = superslots(single, eight)) {
  return actionsOf(plan(of, by), 'createMachine');
}

describe('incomplete groups', () => {
  it('are machines of one end whose processors are no multiple of the size, the earliest first', () => {
    const members = [
      { endTimeSeconds: 300, processors: 3 },
      { endTimeSeconds: 100, processors: 8 },
      { endTimeSeconds: 200, processors: 4 },
      { endTimeSeconds: 300, processors: 6 },
    ];
    expect(incompleteGroups(members, 8)).toEqual([
      { endTimeSeconds: 200, missingProcessors: 4 },
      { endTimeSeconds: 300, missingProcessors: 7 },
    ]);
    expect(incompleteGroups(members, 1)).toEqual([]);
  });
});

describe('superslots', () => {
  it('are completed before new ones are begun, with their end time', () => {
    const facts = state({ slots: 16, totalProcessors: 16, machines: [running(0, 1, NOW + 5000)] });
    const made = starts(facts, superslots(single));
    expect(made.slice(0, 7).map((action) => action.shutdownTimeSeconds)).toEqual(Array(7).fill(NOW + 5000));
    expect(made.slice(7).map((action) => action.shutdownTimeSeconds)).toEqual(Array(8).fill(NOW + 10_000));
  });

  it('keep their missing processors for those that fit', () => {
    const facts = state({ slots: 15, totalProcessors: 15, machines: [running(0, 1, NOW + 5000)] });
    // 14 processors are free, 7 of them are the group's: eight would need 8 of the other 7.
    expect(starts(facts, superslots(eight))).toEqual([]);
    const wider = state({ slots: 16, totalProcessors: 16, machines: [running(0, 1, NOW + 5000)] });
    expect(starts(wider, superslots(eight))).toHaveLength(1);
  });

  it('are not joined by a type that needs more time than is left, or would be cut short', () => {
    const late = state({ slots: 8, totalProcessors: 8, machines: [running(0, 1, NOW + 999)] });
    expect(starts(late, superslots(single))).toEqual([]);
    const early = state({ slots: 8, totalProcessors: 8, machines: [running(0, 1, NOW + 10_001)] });
    expect(starts(early, superslots(single))).toEqual([]);
  });

  it('give a machine no more processors than their size', () => {
    const wide = machinetype('wide', { targetShare: 1, minProcessors: 1, maxProcessors: 64 });
    expect(starts(state({ slots: 20, totalProcessors: 20 }), superslots(wide)).map((a) => a.processors)).toEqual([
      8, 8, 4,
    ]);
  });
});

/** Runs the decision over time: every machine lives to its end, and all of what is decided happens at once. */
function simulate(
  slots: number,
  seed: number,
  steps: number,
  by: ReturnType<typeof superslots>,
  singlesEndEarly: boolean,
) {
  const rng = seededRng(seed);
  let machines: Machine[] = [];
  const eightStarts: number[] = [];
  let nowSeconds = NOW;
  for (let step = 0; step < steps; step += 1) {
    nowSeconds += 500;
    machines = machines.filter(
      (m) =>
        m.shutdownTimeSeconds > nowSeconds && !(singlesEndEarly && m.record.machinetype === 'single' && rng() < 0.02),
    );
    const facts = state({ nowSeconds, slots, totalProcessors: slots, machines });
    for (const action of actionsOf(plan(facts, by, rng), 'createMachine')) {
      machines.push(born(action, nowSeconds));
      if (action.machinetype === 'eight') eightStarts.push(nowSeconds);
    }
    const held = machines.reduce((sum, m) => sum + m.record.processors, 0);
    expect(held).toBeLessThanOrEqual(slots);
  }
  return eightStarts;
}

function born(action: Extract<Action, { kind: 'createMachine' }>, nowSeconds: number): Machine {
  return machine(
    { shutdownTimeSeconds: action.shutdownTimeSeconds, startedTimeSeconds: nowSeconds },
    {
      slot: action.slot,
      processors: action.processors,
      hs06: action.processors,
      machinetype: action.machinetype,
      createdTimeSeconds: nowSeconds,
    },
  );
}

describe('over time', () => {
  it('never over-commit processors, and never strand a type that needs a whole superslot', () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 1, max: 3 }), fc.boolean(), (seed, groups, early) => {
        // Thirty lifetimes: equally starved types take turns at random, but a stranded one would never have its turn.
        const eightStarts = simulate(8 * groups, seed, 600, superslots(single, eight), early);
        expect(eightStarts.some((time) => time > NOW + 150_000)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });

  it('without superslots small machines that end one by one can keep out a wide type: what they are for', () => {
    const plain = config([single, eight]);
    const filled = Array.from({ length: 8 }, (_, slot) => running(slot, 1, NOW + 1000 * (slot + 1)));
    const oneFree = state({ slots: 8, totalProcessors: 8, machines: filled.slice(1) });
    expect(starts(oneFree, plain).map((action) => action.machinetype)).toEqual(['single']);
  });
});
