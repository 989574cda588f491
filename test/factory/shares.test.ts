import { describe, expect, it } from 'vitest';
import { scoreMachinetypes } from '../../src/factory/shares.js';
import { machinetype, news, seededRng } from './builders.js';

const order = (...args: Parameters<typeof scoreMachinetypes>) =>
  scoreMachinetypes(...args).map((score) => score.machinetype);

describe('scoreMachinetypes', () => {
  it('divides the power of all factories by the target share', () => {
    const scores = scoreMachinetypes(
      [machinetype('prod', { targetShare: 4 })],
      [news('prod', { runningHs06: 10 }), news('prod', { factory: 'factory3.example.com', runningHs06: 30 })],
      seededRng(1),
    );
    expect(scores).toEqual([{ machinetype: 'prod', machinegroup: 'prod', score: 10, groupScore: 10 }]);
  });

  it('puts the lowest power per share first, not the lowest power', () => {
    const types = [machinetype('small', { targetShare: 1 }), machinetype('large', { targetShare: 10 })];
    const known = [news('small', { runningHs06: 20 }), news('large', { runningHs06: 100 })];
    expect(order(types, known, seededRng(1))).toEqual(['large', 'small']);
  });

  it('orders by the group first: a starved type of a well-served group waits', () => {
    const types = [
      machinetype('lhcb-prod', { machinegroup: 'lhcb' }),
      machinetype('lhcb-user', { machinegroup: 'lhcb' }),
      machinetype('atlas', { machinegroup: 'atlas' }),
    ];
    const known = [news('lhcb-prod', { runningHs06: 50 }), news('atlas', { runningHs06: 20 })];
    expect(order(types, known, seededRng(1))).toEqual(['atlas', 'lhcb-user', 'lhcb-prod']);
  });

  it('weighs a group by the shares of all its types, however many it has', () => {
    const types = [
      ...['a', 'b', 'c'].map((name) => machinetype(`lhcb-${name}`, { machinegroup: 'lhcb' })),
      machinetype('atlas', { machinegroup: 'atlas', targetShare: 3 }),
    ];
    const running = new Map(types.map(({ name }) => [name, 0]));
    const rng = seededRng(1);
    for (let start = 0; start < 60; start++) {
      const known = [...running].map(([name, runningHs06]) => news(name, { runningHs06 }));
      const [next] = order(types, known, rng);
      running.set(next!, running.get(next!)! + 1);
    }
    expect([...running.values()]).toEqual([10, 10, 10, 30]);
  });

  it('leaves out types with a share of 0, whose power then counts for no group', () => {
    const types = [
      machinetype('off', { machinegroup: 'lhcb', targetShare: 0 }),
      machinetype('on', { machinegroup: 'lhcb' }),
    ];
    const scores = scoreMachinetypes(types, [news('off', { runningHs06: 99 })], seededRng(1));
    expect(scores).toEqual([{ machinetype: 'on', machinegroup: 'lhcb', score: 0, groupScore: 0 }]);
  });

  it('ignores news of types that are not configured here', () => {
    expect(order([machinetype('prod')], [news('foreign', { runningHs06: 5 })], seededRng(1))).toEqual(['prod']);
  });

  it('breaks ties at random, so each of three equals comes first about as often', () => {
    const types = ['a', 'b', 'c'].map((name) => machinetype(name));
    const rng = seededRng(42);
    const first = new Map<string, number>();
    for (let round = 0; round < 3000; round++) {
      const [winner] = order(types, [], rng);
      first.set(winner!, (first.get(winner!) ?? 0) + 1);
    }
    for (const count of first.values()) expect(count).toBeGreaterThan(850);
    expect([...first.keys()].sort()).toEqual(['a', 'b', 'c']);
  });
});
