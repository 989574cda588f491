import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActionOf } from '../../src/factory/plan.js';
import { incompleteGroups } from '../../src/factory/superslots.js';
import type { FactoryState, Machine } from '../../src/factory/types.js';
import { actionsOf, config, machine, machinetype, NOW, news, plan, seededRng, state } from './builders.js';

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

  it('are none that fit where no superslot can be: the wider ones first', () => {
    const groups = (remainder: number) =>
      incompleteGroups(
        [1, 3, 2].map((processors) => ({ endTimeSeconds: 100 * processors, processors })),
        8,
        remainder,
      ).map(({ endTimeSeconds }) => endTimeSeconds);
    expect(groups(0)).toEqual([100, 200, 300]);
    expect(groups(3)).toEqual([100, 200]);
    expect(groups(5)).toEqual([100]);
    expect(groups(6)).toEqual([]);
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
    const two = [running(0, 1, NOW + 5000), running(1, 1, NOW + 6000)];
    // 14 processors are free, 7 of them are each group's.
    expect(starts(state({ slots: 16, totalProcessors: 16, machines: two }), superslots(eight))).toEqual([]);
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

/**
 * The longest time in which no machine of a type ran on a factory, in four of the longest lifetimes. The other types
 * run elsewhere, too: so whenever it does not run here its share is the most starved.
 *
 * @param endPercent machines that end by themselves in each step of 500 s
 */
function longestWithout(
  name: string,
  processors: number,
  by: ReturnType<typeof config>,
  rng: () => number,
  endPercent: number,
): number {
  const peers = by.machinetypes.filter((type) => type.name !== name).map((type) => news(type.name, { runningHs06: 1 }));
  let machines: Machine[] = [];
  let lastSeen = NOW;
  let longest = 0;
  for (let nowSeconds = NOW; nowSeconds < NOW + 60_000; nowSeconds += 500) {
    machines = machines.filter((m) => m.shutdownTimeSeconds > nowSeconds && rng() * 100 >= endPercent);
    const facts = state({ nowSeconds, slots: processors, totalProcessors: processors, machines, peers });
    for (const action of actionsOf(plan(facts, by, rng), 'createMachine')) machines.push(born(action, nowSeconds));
    expect(machines.reduce((sum, m) => sum + m.record.processors, 0)).toBeLessThanOrEqual(processors);
    longest = Math.max(longest, nowSeconds - lastSeen);
    if (machines.some((m) => m.record.machinetype === name)) lastSeen = nowSeconds;
  }
  return longest;
}

function born(action: ActionOf<'createMachine'>, nowSeconds: number): Machine {
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

  it('lets a starved type that needs a whole superslot have one within two lifetimes, whatever the others are', () => {
    const scenario = fc.record({
      size: fc.constantFrom(2, 4, 8),
      superslotCount: fc.integer({ min: 1, max: 4 }),
      odd: fc.nat({ max: 7 }),
      narrow: fc.array(
        fc.record({
          minProcessors: fc.integer({ min: 1, max: 3 }),
          more: fc.nat({ max: 8 }),
          lifeSeconds: fc.constantFrom(4000, 10_000, 15_000),
          leastSeconds: fc.constantFrom(0, 2000, 4000),
        }),
        { minLength: 1, maxLength: 3 },
      ),
      endPercent: fc.constantFrom(0, 2, 20),
      seed: fc.integer(),
    });
    fc.assert(
      fc.property(scenario, ({ size, superslotCount, odd, narrow, endPercent, seed }) => {
        const types = narrow.map(({ minProcessors, more, lifeSeconds, leastSeconds }, index) =>
          machinetype(`narrow${index}`, {
            minProcessors: Math.min(minProcessors, size),
            maxProcessors: Math.min(minProcessors, size) + more,
            maxWallclockSeconds: lifeSeconds,
            minWallclockSeconds: leastSeconds,
          }),
        );
        const wide = machinetype('wide', {
          minProcessors: size,
          maxProcessors: size,
          maxWallclockSeconds: 10_000,
          minWallclockSeconds: 10_000,
        });
        const processors = size * superslotCount + (odd % size);
        const by = config([...types, wide], { processorsPerSuperslot: size, maxStartingMachines: 64 });
        const longestWait = longestWithout('wide', processors, by, seededRng(seed), endPercent);
        expect(longestWait).toBeLessThanOrEqual(2 * 15_000);
      }),
      { numRuns: 50 },
    );
  });

  it('without superslots small machines that end one by one can keep out a wide type: what they are for', () => {
    const plain = config([single, eight]);
    const filled = Array.from({ length: 8 }, (_, slot) => running(slot, 1, NOW + 1000 * (slot + 1)));
    const oneFree = state({ slots: 8, totalProcessors: 8, machines: filled.slice(1) });
    expect(starts(oneFree, plain).map((action) => action.machinetype)).toEqual(['single']);
  });
});
