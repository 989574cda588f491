import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from '../../src/factory/decide.js';
import { type ScoutQuestion, scoutTurn } from '../../src/factory/scouts.js';
import type { MachinetypeNews } from '../../src/factory/types.js';
import {
  actionsOf,
  config,
  endNews,
  MODELS,
  machine,
  machinetype,
  NOW,
  news,
  state,
  typeDecision,
} from './builders.js';

const names = (count: number) => Array.from({ length: count }, (_, index) => `wn${index}.example.com`);

/** The delays of all factories, the first to go first. */
function delays(count: number, changes: Partial<ScoutQuestion> = {}): number[] {
  const factories = names(count);
  const question = { factories, machinetype: 'prod', fizzleSeconds: 600, abortedMachine: 'wn0-00.example.com' };
  return factories.map((factory) => scoutTurn({ ...question, factory, ...changes }).delaySeconds).sort((a, b) => a - b);
}

describe('turns', () => {
  it('of three factories come 0, 5.7 and 9 s after the backoff', () => {
    expect(delays(3).map((seconds) => seconds.toFixed(1))).toEqual(['0.0', '5.7', '9.0']);
  });

  it('of one factory on its own, in the configuration or not, need no waiting', () => {
    expect(delays(1)).toEqual([0]);
    const alone = { factories: [], machinetype: 'prod', fizzleSeconds: 600, abortedMachine: 'x' };
    expect(scoutTurn({ ...alone, factory: 'wn1.example.com' })).toEqual({ delaySeconds: 0, factories: 1 });
  });

  it('count a factory that its own configuration does not name', () => {
    const factories = names(2);
    const question = { factories, machinetype: 'prod', fizzleSeconds: 600, abortedMachine: 'x' };
    expect(scoutTurn({ ...question, factory: 'elsewhere.example.com' }).factories).toBe(3);
  });

  it('end after half a minute in the largest space, and within fizzle_seconds', () => {
    expect(delays(1000).at(-1)).toBeCloseTo(30);
    expect(delays(1000, { fizzleSeconds: 7 }).at(-1)).toBeCloseTo(7);
    expect(delays(1000, { fizzleSeconds: 0 }).at(-1)).toBe(0);
  });

  it('are all different, begin at once, and come closer and closer', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 200 }), fc.string(), (count, abortedMachine) => {
        const all = delays(count, { abortedMachine });
        const gaps = all.slice(1).map((seconds, index) => seconds - all[index]!);
        expect(all[0]).toBe(0);
        for (const gap of gaps) expect(gap).toBeGreaterThan(0);
        gaps.slice(1).forEach((gap, index) => {
          expect(gap).toBeLessThan(gaps[index]! + 1e-9);
        });
      }),
      { numRuns: 50 },
    );
  });

  it('go round: over many aborts each factory is first as often as any other', () => {
    const factories = names(10);
    const first = new Map(factories.map((name) => [name, 0]));
    for (let slot = 0; slot < 2000; slot += 1) {
      const question = {
        factories,
        machinetype: 'prod',
        fizzleSeconds: 600,
        abortedMachine: `wn3-${slot}.example.com`,
      };
      const [leader] = factories.filter((factory) => scoutTurn({ ...question, factory }).delaySeconds === 0);
      first.set(leader!, first.get(leader!)! + 1);
    }
    // 200 each; the standard deviation is 13.
    for (const count of first.values()) expect(Math.abs(count - 200)).toBeLessThan(70);
  });
});

describe('factories of a space after an abort', () => {
  const abort = endNews('prod', 0, '300 No more work');

  /**
   * Each factory decides every second, and hears of the others' scouts so many seconds late.
   *
   * @returns seconds after the end of the backoff at which scouts went that nobody else knew to be needless
   */
  function scouts(able: readonly string[], all: readonly string[], lagSeconds: number, fizzleSeconds = 600): number[] {
    const by = config([machinetype('prod', { backoffSeconds: 10, fizzleSeconds })], { factories: all });
    const sent: { factory: string; timeSeconds: number }[] = [];
    for (let nowSeconds = NOW; nowSeconds <= NOW + 10 + fizzleSeconds; nowSeconds += 1) {
      const heard = sent.filter(({ timeSeconds }) => nowSeconds - timeSeconds >= lagSeconds);
      for (const factory of able) {
        if (sent.some((scout) => scout.factory === factory)) continue;
        const peers: MachinetypeNews[] = [abort, ...heard.map((scout) => news('prod', { ...scout, beforeFizzle: 1 }))];
        const made = decide(state({ nowSeconds, factory, peers, slots: 1, totalProcessors: 1 }), by, () => 0.5, MODELS);
        const creations = actionsOf(made, 'createMachine');
        if (nowSeconds <= NOW + 10) expect(creations).toEqual([]);
        if (creations.length > 0) sent.push({ factory, timeSeconds: nowSeconds });
      }
    }
    return sent.map(({ timeSeconds }) => timeSeconds - NOW - 10);
  }

  it('send one scout, as long as news of it comes sooner than the next turn', () => {
    const space = fc.integer({ min: 2, max: 12 }).chain((count) => fc.tuple(fc.constant(names(count)), fc.nat()));
    fc.assert(
      fc.property(space, ([all, lag]) => {
        // Whole seconds on both sides: the first goes one second after the backoff.
        const spacing = Math.ceil(delays(all.length)[1]!) - 1;
        expect(scouts(all, all, lag % (spacing + 1), 60)).toEqual([1]);
      }),
      { numRuns: 30 },
    );
  });

  it('send one within half a minute, however few of them can', () => {
    const all = names(40);
    for (const factory of all.slice(0, 10)) {
      const [first] = scouts([factory], all, 0, 60);
      expect(first).toBeGreaterThan(0);
      expect(first).toBeLessThanOrEqual(30);
    }
  });

  it('wait no longer than the window after the backoff: then all may start', () => {
    const all = names(5);
    for (const factory of all) expect(scouts([factory], all, 0, 3)[0]).toBeLessThanOrEqual(4);
  });

  it('say whose turn it is not', () => {
    const all = names(3);
    const late = all.find((factory) => {
      const question = { factory, factories: all, machinetype: 'prod', fizzleSeconds: 600 };
      return scoutTurn({ ...question, abortedMachine: 'factory2-00.example.com' }).delaySeconds > 8;
    })!;
    const facts = state({ factory: late, peers: [endNews('prod', 11, '300 No more work')] });
    const made = decide(facts, config([machinetype('prod')], { factories: all }), () => 0.5, MODELS);
    expect(typeDecision(made, 'prod')).toMatchObject({
      code: 'scouting',
      reason:
        'waits 8 s for its turn among 3 factories to send a scout after "300 No more work" of factory2-00.example.com, 11 s ago',
    });
  });

  it('take no turns where a scout is out, nor when nothing has aborted', () => {
    const all = names(3);
    const by = config([machinetype('prod')], { factories: all });
    for (const factory of all) {
      const out = state({ factory, peers: [endNews('prod', 11, '300 No more work', 1)] });
      expect(
        typeDecision(
          decide(out, by, () => 0.5, MODELS),
          'prod',
        )?.reason,
      ).toContain('a scout is out');
      const fresh = decide(state({ factory, machines: [machine()] }), by, () => 0.5, MODELS);
      expect(actionsOf(fresh, 'createMachine')).toHaveLength(7);
    }
  });
});
