import { describe, expect, it } from 'vitest';
import { scoreMachinetypes, scoresText } from '../../src/factory/shares.js';
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
    expect(scores).toMatchObject([{ machinetype: 'prod', machinegroup: 'prod', score: 10, groupScore: 10 }]);
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
    expect(scores).toMatchObject([{ machinetype: 'on', machinegroup: 'lhcb', score: 0, groupScore: 0 }]);
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

const powers = (of: Record<string, number>) => new Map(Object.entries(of));

/** News of one machine for each HS06. */
const machines = (of: Record<string, number>) =>
  Object.entries(of).map(([name, count]) => news(name, { runningHs06: count, runningMachines: count }));

/** What runs once so many slots have been filled one after the other, each by the first in line of those with work. */
function filled(
  types: Parameters<typeof scoreMachinetypes>[0],
  slots: number,
  means: Record<string, number>,
  withWork = types.map(({ name }) => name),
): Record<string, number> {
  const running: Record<string, number> = {};
  const rng = seededRng(7);
  for (let slot = 0; slot < slots; slot += 1) {
    const next = order(types, machines(running), rng, powers(means)).find((name) => withWork.includes(name))!;
    running[next] = (running[next] ?? 0) + 1;
  }
  return running;
}

describe('scoreMachinetypes with history', () => {
  const two = [machinetype('a'), machinetype('b')];

  it('counts the mean of the past for nine tenths and what runs now for one', () => {
    const scores = scoreMachinetypes(two, machines({ a: 10, b: 30 }), seededRng(1), powers({ a: 20, b: 20 }));
    expect(scores).toMatchObject([
      { machinetype: 'a', score: 19, groupScore: 19, countsPast: true },
      { machinetype: 'b', score: 21, groupScore: 21, countsPast: true },
    ]);
  });

  it('fills a space by the shares when all were served by them', () => {
    const types = [machinetype('a', { targetShare: 3 }), machinetype('b', { targetShare: 1 })];
    expect(filled(types, 80, { a: 60, b: 20 })).toEqual({ a: 60, b: 20 });
  });

  it('gives more to whom the past owes something, by nine times the debt', () => {
    // 5 % of its share are missing: 45 % more for a while.
    expect(filled(two, 200, { a: 95, b: 105 })).toEqual({ a: 145, b: 55 });
  });

  it('keeps a quarter of its share for a type that has had far too much', () => {
    const { b } = filled(two, 200, { a: 10, b: 190 });
    expect(b).toBeGreaterThanOrEqual(24);
    expect(b).toBeLessThanOrEqual(26);
  });

  it('gives no more than four times its share to a type that has had nothing', () => {
    const types = [machinetype('poor', { targetShare: 1 }), machinetype('rich', { targetShare: 9 })];
    const { poor } = filled(types, 200, { poor: 0, rich: 200 });
    expect(poor).toBeGreaterThanOrEqual(78);
    expect(poor).toBeLessThanOrEqual(81);
  });

  it('leaves no slot free for the sake of bounds', () => {
    expect(filled(two, 40, { a: 0, b: 40 }, ['b'])).toEqual({ b: 40 });
  });

  it('does not hold a place for a quarter of a share that is less than a machine', () => {
    const types = [machinetype('a', { targetShare: 7 }), ...['b', 'c', 'd'].map((name) => machinetype(name))];
    // Seven tenths of four slots are 2.8: a is owed something, though the others run nothing now.
    const means = powers({ a: 2, b: 0.5, c: 0.5, d: 0.5 });
    expect(order(types, machines({ a: 3 }), seededRng(1), means)[0]).toBe('a');
    expect(order(types, machines({ a: 3 }), seededRng(1))[0]).not.toBe('a');
  });

  it('weighs groups by their sums, and types within their group', () => {
    const types = [
      machinetype('lhcb-prod', { machinegroup: 'lhcb' }),
      machinetype('lhcb-user', { machinegroup: 'lhcb' }),
      machinetype('atlas', { machinegroup: 'atlas', targetShare: 2 }),
    ];
    const known = machines({ 'lhcb-prod': 20, 'lhcb-user': 20, atlas: 40 });
    const means = powers({ 'lhcb-prod': 30, 'lhcb-user': 8, atlas: 42 });
    expect(order(types, known, seededRng(1), means)).toEqual(['lhcb-user', 'lhcb-prod', 'atlas']);
  });

  it('says for people what counts', () => {
    const types = [machinetype('poor', { targetShare: 1 }), machinetype('rich', { targetShare: 9 })];
    const now = machines({ poor: 0, rich: 100 });
    expect(scoresText(scoreMachinetypes(types, now, seededRng(1)))).toBe(': poor 0.00, rich 11.11');
    expect(scoresText(scoreMachinetypes(types, now, seededRng(1), powers({ poor: 50, rich: 0 })))).toBe(
      ', nine tenths of which is the mean of the past: poor 45.00 (first, below a quarter of its share now), rich 1.11',
    );
  });
});
