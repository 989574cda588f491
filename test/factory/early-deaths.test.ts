import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MachinetypeConfig } from '../../src/config/types.js';
import { blackHole, blackHoleText, isEarlyDeath, withEnd } from '../../src/factory/early-deaths.js';
import type { EarlyDeaths, FactoryState, Machine } from '../../src/factory/types.js';
import { actionsOf, config, diedEarly, end, machine, machinetype, NOW, plan, record, state } from './builders.js';

const CREATED = NOW - 5000;

/** Whether a machine counts that ended so long after its start, with this message. */
function dies(message: string | null, livedSeconds = 30, reason = 'it shut down by itself'): boolean {
  const made = record({ createdTimeSeconds: CREATED });
  return isEarlyDeath(made, CREATED, end({ timeSeconds: CREATED + livedSeconds, message, reason }));
}

describe('an early death', () => {
  it.each([
    ['200 Success', true],
    ['100 Asked to stop', true],
    ['no code at all', true],
    ['300 Vac detects fizzle after 30 seconds', true],
    ['300 No more work', false],
    ['399 x', false],
    ['400 Banned', false],
    ['499 x', false],
    ['500 No disk', true],
    ['599 x', true],
    ['600 Grid-wide trouble', false],
    ['700 Broken', true],
    ['800 Whatever', true],
    [null, false],
  ])('with the message %j: %s', (message, expected) => expect(dies(message)).toBe(expected));

  it('is within fizzle_seconds', () => {
    expect(dies('200 Success', 599)).toBe(true);
    expect(dies('200 Success', 600)).toBe(false);
  });

  it('is none that this factory asked for', () => {
    expect(dies('200 Success', 30, 'stopped: its shutdowntime 5 has come')).toBe(false);
  });

  it('is none of a machine that never ran', () => {
    expect(isEarlyDeath(record(), null, end({ timeSeconds: NOW }))).toBe(false);
  });
});

/** A run from ends given as [created, lived]; a life of 600 s or more proves that the type works here. */
function runOf(...ends: readonly (readonly [number, number])[]): EarlyDeaths | undefined {
  return ends.reduce<EarlyDeaths | undefined>(
    (run, [created, lived]) =>
      withEnd(run, record({ createdTimeSeconds: created }), created, end({ timeSeconds: created + lived })),
    undefined,
  );
}

describe('a run of early deaths', () => {
  it('is broken by a machine that outlived fizzle_seconds: what is older counts no more', () => {
    expect(runOf([100, 5], [200, 5], [150, 600], [300, 5])?.deaths.map((death) => death.createdTimeSeconds)).toEqual([
      300, 200,
    ]);
  });

  it('is not begun by a death that is older than the proof, however late it is heard of', () => {
    expect(runOf([150, 600], [100, 5])?.deaths).toEqual([]);
  });

  it('is the same in whatever order the ends are heard', () => {
    const ends = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.constantFrom(5, 5, 5, 700)), {
      maxLength: 30,
      selector: ([created]) => created,
    });
    const any = ends.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
    );
    fc.assert(
      fc.property(any, ([list, shuffled]) => {
        expect(runOf(...shuffled)?.deaths ?? []).toEqual(runOf(...list)?.deaths ?? []);
      }),
    );
  });

  it('counts on in a bounded space', () => {
    const run = runOf(...Array.from({ length: 1000 }, (_, index) => [index * 10 + 10, 5] as const));
    expect(run!.deaths.length).toBeLessThan(50);
    expect(run!.deaths.length + run!.olderDeaths).toBe(1000);
    expect(run!.deaths[0]!.createdTimeSeconds).toBe(10_000);
  });
});

const type = (changes: Partial<MachinetypeConfig> = {}) => machinetype('prod', changes);
const facts = (earlyDeaths: FactoryState['earlyDeaths'], machines: readonly Machine[] = []) =>
  state({ earlyDeaths, machines });

describe('a black hole', () => {
  it.each([
    [2, null],
    [3, 10],
    [4, 20],
    [6, 80],
    [9, 600],
    [50, 600],
  ])('after %i early deaths in a row the next try comes %s s after the last', (count, waitSeconds) => {
    const hole = blackHole(type(), facts(diedEarly('prod', count, 0)));
    expect(hole === null ? null : hole.nextTryTimeSeconds - NOW).toBe(waitSeconds);
  });

  it.each([
    [0, 10],
    [60, 60],
    [3600, 3600],
  ])('with backoff_seconds %i waits %i s first', (backoffSeconds, waitSeconds) => {
    const hole = blackHole(type({ backoffSeconds }), facts(diedEarly('prod', 3, 0)));
    expect(hole!.nextTryTimeSeconds - NOW).toBe(waitSeconds);
  });

  it('is of one type alone', () => {
    expect(blackHole(machinetype('other'), facts(diedEarly('prod', 9, 0)))).toBeNull();
  });

  it('is over as soon as a machine created since has lived for fizzle_seconds, while it still runs', () => {
    const deaths = diedEarly('prod', 5, 700);
    const ran = (seconds: number) =>
      machine({ startedTimeSeconds: NOW - seconds }, { createdTimeSeconds: NOW - 690, slot: 7 });
    expect(blackHole(type(), facts(deaths, [ran(599)]))).toMatchObject({
      count: 5,
      onTrial: 'factory1-07.example.com',
    });
    expect(blackHole(type(), facts(deaths, [ran(600)]))).toBeNull();
  });

  it('is not over by machines that were there before it began', () => {
    const old = machine({ startedTimeSeconds: NOW - 86_000 }, { createdTimeSeconds: NOW - 86_002 });
    expect(blackHole(type(), facts(diedEarly('prod', 3, 0), [old]))).toMatchObject({ count: 3, onTrial: null });
  });

  it('holds up nobody for long whose clock was set back', () => {
    const hole = blackHole(type(), facts(diedEarly('prod', 3, -86_400)));
    expect(hole!.nextTryTimeSeconds).toBe(NOW);
  });

  it('says how many, and how the last one went', () => {
    const hole = blackHole(type(), facts(diedEarly('prod', 3, 5)));
    expect(blackHoleText(hole!)).toBe(
      '3 machines in a row died early on this factory, the last factory1-00.example.com with "200 Success"',
    );
  });
});

describe('starts on a factory that is one', () => {
  const other = machinetype('other');

  it('wait, and then one is tried at a time; other types take the rest', () => {
    const made = (ago: number, machines: readonly Machine[] = []) =>
      actionsOf(plan(facts(diedEarly('prod', 3, ago), machines), config([type(), other])), 'createMachine').map(
        (action) => action.machinetype,
      );
    expect(made(9)).toEqual(Array(8).fill('other'));
    expect(made(10).filter((name) => name === 'prod')).toEqual(['prod']);
    expect(made(10)).toHaveLength(8);
    const tried = machine({ phase: 'starting' }, { createdTimeSeconds: NOW - 5, slot: 0 });
    expect(made(10, [tried])).toEqual(Array(7).fill('other'));
  });

  it('are explained', () => {
    const made = plan(facts(diedEarly('prod', 3, 4)), config([type()]));
    expect(made.decisions.find(({ slot }) => slot === null)).toMatchObject({
      code: 'black-hole',
      reason: expect.stringMatching(/^3 machines in a row died early .*; next try in 6 s$/),
    });
    const trying = plan(facts(diedEarly('prod', 3, 10)), config([type()]));
    expect(trying.decisions.find(({ slot }) => slot === 1)?.reason).toContain(
      'one is tried at a time, and the one that starts in slot 0 has yet to live for 600 s',
    );
  });
});

describe('over hours', () => {
  /** Starts in each hour on a host where every machine dies after some seconds, and says that all is well. */
  function startsByHour(slots: number, lifeSeconds: number, backoffSeconds: number, hours: number): number[] {
    const by = config([type({ backoffSeconds, fizzleSeconds: 300 })], { maxStartingMachines: 1000 });
    let machines: Machine[] = [];
    let run: EarlyDeaths | undefined;
    const counts = Array<number>(hours).fill(0);
    for (let nowSeconds = NOW; nowSeconds < NOW + 3600 * hours; nowSeconds += 5) {
      for (const { record: made, startedTimeSeconds } of machines) {
        if (nowSeconds - made.createdTimeSeconds < lifeSeconds) continue;
        run = withEnd(run, made, startedTimeSeconds, end({ timeSeconds: nowSeconds, message: '200 Success' }));
      }
      machines = machines.filter((m) => nowSeconds - m.record.createdTimeSeconds < lifeSeconds);
      const earlyDeaths = new Map(run === undefined ? [] : [['prod', run]]);
      const now = state({ nowSeconds, slots, totalProcessors: slots, machines, earlyDeaths });
      for (const { slot } of actionsOf(plan(now, by), 'createMachine')) {
        counts[Math.floor((nowSeconds - NOW) / 3600)]! += 1;
        const recipe = { slot, createdTimeSeconds: nowSeconds, fizzleSeconds: 300 };
        machines.push(machine({ startedTimeSeconds: nowSeconds }, recipe));
      }
    }
    return counts;
  }

  it('a host that eats machines gets a wave, some tries, and then six an hour', () => {
    const scenario = fc.tuple(
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 290 }),
      fc.constantFrom(0, 10, 60),
    );
    fc.assert(
      fc.property(scenario, ([slots, lifeSeconds, backoffSeconds]) => {
        const [first, ...later] = startsByHour(slots, lifeSeconds, backoffSeconds, 3);
        // Each slot once, one more each for the first two deaths, waits of 10 to 320 s, then of 600 s.
        expect(first).toBeLessThanOrEqual(slots + 2 + 6 + 6);
        for (const count of later) expect(count).toBeLessThanOrEqual(7);
        // It is never given up.
        for (const count of later) expect(count).toBeGreaterThanOrEqual(3);
      }),
      { numRuns: 8 },
    );
  });
});
