import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/factory/decide.js';
import { checkInvariants } from '../../src/factory/invariants.js';
import { NO_ORDERS } from '../../src/factory/orders.js';
import type { FactoryState } from '../../src/factory/types.js';
import { anyConfig, anyState } from './arbitraries.js';
import {
  actionsOf,
  config,
  host,
  MODELS,
  machine,
  machinetype,
  NOW,
  plan,
  seededRng,
  settings,
  state,
} from './builders.js';

const seed = fc.integer({ min: 0, max: 2 ** 32 - 1 });

/** Said from the rule (SPEC 4) and not in the terms of the code: of all factories, by a clock not too far ahead. */
function newestAbort(facts: FactoryState, name: string): number {
  const own = facts.machines.filter((m) => m.end !== null && m.startedTimeSeconds !== null);
  const kept = facts.lastEnds.get(name);
  // This factory tells of the most recently created machine of the type that has finished.
  const ends = [
    ...(kept === undefined ? [] : [kept]),
    ...own
      .filter((m) => m.record.machinetype === name)
      .map((m) => ({ ...m.end!, createdTimeSeconds: m.record.createdTimeSeconds })),
  ].sort((a, b) => a.createdTimeSeconds - b.createdTimeSeconds);
  const told = facts.peers.filter((peer) => peer.machinetype === name).map((peer) => peer.lastEnd);
  return [...told, ends.at(-1) ?? null]
    .filter((last) => last !== null)
    .filter(({ message, timeSeconds }) => /^[3-9]\d\d(\D|$)/.test(message ?? '') && timeSeconds <= NOW + 300)
    .reduce((newest, { timeSeconds }) => Math.max(newest, timeSeconds), Number.NEGATIVE_INFINITY);
}

function isAnyBeforeFizzle(facts: FactoryState, name: string): boolean {
  const here = facts.machines.some(
    ({ phase, record, startedTimeSeconds }) =>
      record.machinetype === name &&
      (phase === 'starting' || phase === 'running') &&
      (startedTimeSeconds === null || NOW - startedTimeSeconds < record.fizzleSeconds),
  );
  return here || facts.peers.some((peer) => peer.machinetype === name && peer.beforeFizzle > 0);
}

describe('decide, for any state and configuration', () => {
  it('never throws and keeps every invariant', () => {
    fc.assert(
      fc.property(anyState, anyConfig, seed, (facts, by, seeded) => {
        expect(checkInvariants(facts, plan(facts, by, seededRng(seeded)), by, MODELS)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('keeps them where nothing forbids starts', () => {
    fc.assert(
      fc.property(anyState, anyConfig, seed, (facts, by, seeded) => {
        const open = state({
          machines: facts.machines,
          peers: facts.peers,
          earlyDeaths: facts.earlyDeaths,
          slots: 16,
          totalProcessors: 16,
          host: host({ processors: 64 }),
        });
        const { maxStartingMachines, processorsPerSuperslot, factories } = by.settings;
        const wide = config(by.machinetypes, { maxStartingMachines, processorsPerSuperslot, factories });
        expect(checkInvariants(open, plan(open, wide, seededRng(seeded)), wide, MODELS)).toEqual([]);
      }),
      { numRuns: 2000 },
    );
  });

  it('starts nothing before the backoff after the newest abort is over, and one scout in the window after it', () => {
    fc.assert(
      fc.property(anyState, anyConfig, seed, (facts, by, seeded) => {
        const open = state({
          ...facts,
          host: host({ processors: 64 }),
          spaceHeard: true,
          queryProblem: null,
          orders: NO_ORDERS,
        });
        const made = actionsOf(
          plan(open, { ...by, settings: settings({ factories: [] }) }, seededRng(seeded)),
          'createMachine',
        );
        for (const type of by.machinetypes) {
          const started = made.filter(({ machinetype: name }) => name === type.name).length;
          const sinceAbort = NOW - newestAbort(open, type.name);
          if (sinceAbort <= type.backoffSeconds) expect(started).toBe(0);
          else if (sinceAbort <= type.backoffSeconds + type.fizzleSeconds) {
            expect(started).toBeLessThanOrEqual(isAnyBeforeFizzle(open, type.name) ? 0 : 1);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('decides the same from the same facts and random numbers', () => {
    fc.assert(
      fc.property(anyState, anyConfig, seed, (facts, by, seeded) => {
        expect(decide(facts, by, seededRng(seeded), MODELS)).toEqual(decide(facts, by, seededRng(seeded), MODELS));
      }),
    );
  });

  it('changes nothing of what it is given', () => {
    fc.assert(
      fc.property(anyState, anyConfig, seed, (facts, by, seeded) => {
        const before = structuredClone({ facts, by });
        decide(facts, by, seededRng(seeded), MODELS);
        expect({ facts, by }).toEqual(before);
      }),
    );
  });

  it('tells each free slot and each machinetype why, in every pass', () => {
    fc.assert(
      fc.property(anyState, anyConfig, seed, (facts, by, seeded) => {
        const { decisions } = plan(facts, by, seededRng(seeded));
        const held = new Set(facts.machines.filter((m) => m.phase !== 'cleared').map((m) => m.record.slot));
        for (const { slot } of facts.zombies) held.add(slot);
        for (let slot = 0; slot < facts.slots; slot++) {
          const told = decisions.filter((d) => d.slot === slot && d.machine === null && d.code !== 'machine');
          expect(told).toHaveLength(held.has(slot) ? 0 : 1);
        }
        for (const { name } of by.machinetypes) {
          expect(decisions.filter((d) => d.machinetype === name && d.slot === null)).toHaveLength(1);
        }
      }),
    );
  });
});

describe('shares of what is started from empty, all eligible and equally sized', () => {
  const shares = (length: { minLength: number; maxLength: number }) =>
    fc.array(fc.integer({ min: 1, max: 20 }), length);
  /** Machines started of each type, and what its share of them would be to the fraction. */
  function fill(targetShares: readonly number[], slots: number, seeded: number) {
    const types = targetShares.map((targetShare, index) => machinetype(`type${index}`, { targetShare }));
    const empty = state({ slots, totalProcessors: slots, host: host({ processors: slots }) });
    const made = plan(empty, config(types, { maxStartingMachines: 1000 }), seededRng(seeded));
    const creations = actionsOf(made, 'createMachine');
    expect(creations).toHaveLength(slots);
    const all = targetShares.reduce((sum, share) => sum + share, 0);
    return types.map(({ name, targetShare }) => ({
      got: creations.filter((creation) => creation.machinetype === name).length,
      wanted: (slots * targetShare) / all,
    }));
  }

  it('two types get their shares to less than one machine', () => {
    fc.assert(
      fc.property(
        shares({ minLength: 2, maxLength: 2 }),
        fc.integer({ min: 1, max: 40 }),
        seed,
        (all, slots, seeded) => {
          for (const { got, wanted } of fill(all, slots, seeded)) expect(Math.abs(got - wanted)).toBeLessThan(1);
        },
      ),
    );
  });

  it('come about from any beginning, as machines end one by one in any order', () => {
    const scenario = fc.record({
      all: shares({ minLength: 2, maxLength: 5 }),
      slots: fc.integer({ min: 4, max: 30 }),
      began: fc.array(fc.nat({ max: 4 }), { minLength: 30, maxLength: 30 }),
      seeded: seed,
    });
    fc.assert(
      fc.property(scenario, ({ all, slots, began, seeded }) => {
        const types = all.map((targetShare, index) => machinetype(`type${index}`, { targetShare }));
        const rng = seededRng(seeded);
        const running = Array.from({ length: slots }, (_, slot) => `type${began[slot]! % all.length}`);
        const firstOnes = new Set(running.keys());
        while (firstOnes.size > 0) {
          const ended = Math.floor(rng() * slots);
          firstOnes.delete(ended);
          const machines = running.flatMap((name, slot) =>
            slot === ended ? [] : machine({}, { slot, machinetype: name }),
          );
          const facts = state({ slots, totalProcessors: slots, machines, host: host({ processors: slots }) });
          const [start] = actionsOf(plan(facts, config(types), rng), 'createMachine');
          running[ended] = start!.machinetype;
        }
        const sum = all.reduce((total, share) => total + share, 0);
        types.forEach(({ name, targetShare }) => {
          const ahead = running.filter((other) => other === name).length - (slots * targetShare) / sum;
          expect(ahead).toBeLessThan(1);
          expect(-ahead).toBeLessThan(Math.max(1, all.length - 1));
        });
      }),
      { numRuns: 40 },
    );
  });

  // Of many types each gets its first machine before any gets its second, whatever the shares (score 0, SPEC 4). So a
  // large one may be behind by as much as the small ones are ahead, but none is ever ahead by a whole machine.
  it('no type of many gets a whole machine more than its share', () => {
    fc.assert(
      fc.property(
        shares({ minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 40 }),
        seed,
        (all, slots, seeded) => {
          for (const { got, wanted } of fill(all, slots, seeded)) {
            expect(got - wanted).toBeLessThan(1);
            expect(wanted - got).toBeLessThan(Math.max(1, all.length - 1));
          }
        },
      ),
    );
  });
});
