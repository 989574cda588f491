/** Random spaces in which everything goes wrong: what is known never goes back, is always a true state, and converges. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MachinetypeNews } from '../../src/factory/types.js';
import { MAX_SENT_BYTES } from '../../src/vacquery/codec.js';
import { compareStamps } from '../../src/vacquery/entry.js';
import type { Stamp } from '../../src/vacquery/gossip-types.js';
import { GossipSpace, nameOf, running } from './gossip-space.js';

const FACTORIES = 5;
const TYPES = ['lhcb', 'atlas', 'gridpp'];

const factory = fc.nat(FACTORIES - 1);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('announce' as const), factory, type: fc.nat(2), machines: fc.nat(40) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('run' as const), seconds: fc.constantFrom(0.02, 0.3, 2, 15, 60, 400) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), factory }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('start' as const), factory }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('partition' as const), side: fc.integer({ min: 1, max: FACTORIES - 1 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('heal' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const faults = fc.record({
  lossRate: fc.constantFrom(0, 0.1, 0.3, 0.5),
  duplicateRate: fc.constantFrom(0, 0.2),
  minDelayMs: fc.constant(0.2),
  maxDelayMs: fc.constantFrom(0.2, 50, 3_000),
});

/** Watches a space: what each factory said at each version, and what each other holds of it. */
class Watched {
  readonly space: GossipSpace;
  /** Machines by type, by factory, incarnation and version. */
  readonly said = new Map<string, ReadonlyMap<string, number>>();
  readonly current: Map<string, number>[] = Array.from({ length: FACTORIES }, () => new Map());
  readonly seen = new Map<string, Stamp>();
  /** Observers' lives: what they knew is gone with them. */
  readonly lives = new Array<number>(FACTORIES).fill(0);
  largest = 0;

  constructor(seed: number, networkFaults: GossipSpace['shape']['faults'] & object) {
    this.space = new GossipSpace({
      factories: FACTORIES,
      seed,
      faults: networkFaults,
      onSent: (datagram) => {
        this.largest = Math.max(this.largest, datagram.length);
      },
    });
  }

  do(action: Step): void {
    const { space } = this;
    switch (action.kind) {
      case 'announce':
        if (!space.isUp(action.factory)) break;
        this.current[action.factory]!.set(TYPES[action.type]!, action.machines);
        this.tell(action.factory);
        break;
      case 'run':
        space.run(action.seconds);
        break;
      case 'stop':
        space.stop(action.factory);
        break;
      case 'start':
        this.lives[action.factory]! += 1;
        space.stop(action.factory);
        space.start(action.factory);
        this.tell(action.factory);
        break;
      case 'partition':
        space.network.partition((address) => Number(address.split('.')[3]) < action.side);
        break;
      case 'heal':
        space.network.heal();
        break;
    }
    this.check();
  }

  tell(index: number): void {
    const machines = this.current[index]!;
    this.space.announce(index, ...[...machines].map(([type, count]) => running(type, count)));
    this.said.set(keyOf(index, this.space.gossip(index).stampOf(nameOf(index))!), new Map(machines));
  }

  check(): void {
    for (let observer = 0; observer < FACTORIES; observer += 1) {
      if (!this.space.isUp(observer)) continue;
      for (let other = 0; other < FACTORIES; other += 1) {
        const stamp = this.space.gossip(observer).stampOf(nameOf(other));
        if (other === observer || stamp === null) continue;
        const key = `${observer} ${this.lives[observer]} ${other}`;
        const before = this.seen.get(key);
        if (before !== undefined) expect(compareStamps(stamp, before)).toBeGreaterThanOrEqual(0);
        this.seen.set(key, stamp);
        this.checkState(observer, other, stamp);
      }
    }
  }

  /** Where nothing newer has come by a gap, the state is one that its owner was in. */
  checkState(observer: number, other: number, stamp: Stamp): void {
    const said = this.said.get(keyOf(other, stamp));
    const news = this.space.gossip(observer).newsOf(nameOf(other), this.space.now());
    if (said === undefined || news.length === 0) return;
    for (const { machinetype, runningMachines } of news) {
      const later = [...this.said]
        .filter(([key]) => isLater(key, other, stamp))
        .map(([, state]) => state.get(machinetype));
      expect([said.get(machinetype) ?? 0, ...later.map((count) => count ?? 0)]).toContain(runningMachines);
    }
  }

  end(): void {
    const { space } = this;
    space.network.heal();
    for (let index = 0; index < FACTORIES; index += 1) {
      if (!space.isUp(index)) this.do({ kind: 'start', factory: index });
    }
    space.runUntil(() => space.hasConverged(), 240);
    space.run(60);
    this.check();
    for (let observer = 0; observer < FACTORIES; observer += 1) {
      for (const type of TYPES) {
        let sum = 0;
        this.current.forEach((machines, index) => {
          if (index !== observer) sum += machines.get(type) ?? 0;
        });
        expect(space.machinesSeen(observer, type)).toBe(sum);
      }
    }
    expect(this.largest).toBeLessThanOrEqual(MAX_SENT_BYTES);
  }
}

function keyOf(index: number, { incarnation, version }: Stamp): string {
  return `${index} ${incarnation} ${version}`;
}

function isLater(key: string, index: number, stamp: Stamp): boolean {
  const [whose, incarnation, version] = key.split(' ').map(Number);
  return whose === index && incarnation === stamp.incarnation && version! > stamp.version;
}

it('knowledge never goes back, is true, and comes to be the same everywhere', () => {
  fc.assert(
    fc.property(fc.nat(), faults, fc.array(step, { maxLength: 30 }), (seed, networkFaults, steps) => {
      const watched = new Watched(seed, networkFaults);
      for (const action of steps) watched.do(action);
      watched.end();
    }),
    { numRuns: 60 },
  );
});

it('the sums are those of the news, whatever happened', () => {
  fc.assert(
    fc.property(fc.nat(), faults, fc.array(step, { maxLength: 20 }), (seed, networkFaults, steps) => {
      const watched = new Watched(seed, networkFaults);
      for (const action of steps) {
        watched.do(action);
        for (let index = 0; index < FACTORIES; index += 1) {
          if (!watched.space.isUp(index)) continue;
          const gossip = watched.space.gossip(index);
          const now = watched.space.now();
          expect(sums(gossip.totals(now))).toEqual(sums(gossip.news(now)));
        }
      }
    }),
    { numRuns: 40 },
  );
});

function sums(news: readonly MachinetypeNews[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const { machinetype, runningMachines, runningHs06 } of news) {
    result[machinetype] = (result[machinetype] ?? 0) + runningMachines * 1_000_000 + runningHs06;
  }
  return Object.fromEntries(Object.entries(result).filter(([, sum]) => sum > 0));
}

it('a clock that is wrong, or set while it runs, changes no time that is told', () => {
  let setBySeconds = 0;
  const space = new GossipSpace({
    factories: 4,
    seed: 5,
    skewSeconds: (index) => [0, 3_600, -3_600, setBySeconds][index]!,
  });
  const ends = [0, 1, 2, 3].map((index) => ({
    timeSeconds: Math.floor(space.now(index).unixSeconds) - 50,
    message: '300 No work',
    hostname: nameOf(index),
  }));
  const expectEndsAtOnce = () => {
    for (let index = 0; index < 4; index += 1) {
      const now = space.now(index);
      const news = space.gossip(index).news(now);
      expect(news).toHaveLength(3);
      for (const { lastEnd } of news) {
        expect(Math.abs(now.unixSeconds - lastEnd!.timeSeconds - 50 - space.clock.nowMs() / 1000)).toBeLessThan(2);
      }
    }
  };
  for (let index = 0; index < 4; index += 1) space.announce(index, running('lhcb', index, ends[index]!));
  space.runUntil(() => space.hasConverged(), 20);
  space.run(40);
  expectEndsAtOnce();
  const problemsOf = (index: number) =>
    space
      .gossip(0)
      .view(space.now(0))
      .find((one) => one.factory === nameOf(index))!.problems;
  expect(problemsOf(1)).toEqual(["its clock is 3600 s ahead of this host's"]);
  expect(problemsOf(3)).toEqual([]);
  expect(space.gossip(2).ownProblems(space.now(2))).toEqual([
    "this host's clock is 3600 s behind the other factories'",
  ]);
  expect(space.gossip(0).ownProblems(space.now(0))).toEqual([]);

  setBySeconds = 7_200;
  space.announce(3, running('lhcb', 7, ends[3]!));
  space.run(30);
  expectEndsAtOnce();
  expect(problemsOf(3)).toEqual(["its clock is 7200 s ahead of this host's"]);
});
