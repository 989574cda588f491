import { describe, expect, it } from 'vitest';
import type { MachinetypeConfig } from '../../src/config/types.js';
import {
  creationRetryTime,
  evidenceFor,
  judgeMachinetype,
  lastAbort,
  type Verdict,
} from '../../src/factory/eligibility.js';
import { foldNews } from '../../src/factory/news.js';
import type { CreationFailure, MachinetypeNews } from '../../src/factory/types.js';
import {
  config,
  endNews,
  MODELS,
  machine,
  machinetype,
  NOW,
  news,
  orders,
  plan,
  slotDecision,
  state,
  typeDecision,
} from './builders.js';

function judge(
  known: readonly MachinetypeNews[],
  changes: Partial<MachinetypeConfig> = {},
  more: { endBySeconds?: number; failure?: CreationFailure } = {},
): string {
  const verdict = verdictOn(known, changes, more);
  return verdict.eligible ? 'eligible' : verdict.code;
}

function verdictOn(
  known: readonly MachinetypeNews[],
  changes: Partial<MachinetypeConfig> = {},
  { endBySeconds, failure }: { endBySeconds?: number; failure?: CreationFailure } = {},
): Verdict {
  const type = machinetype('prod', { backoffSeconds: 100, fizzleSeconds: 600, ...changes });
  const facts = state({ creationFailures: new Map(failure === undefined ? [] : [['prod', failure]]) });
  const by = config([type], { shutdownTimeSeconds: endBySeconds ?? null });
  return judgeMachinetype(type, known, evidenceFor(type, facts, by, MODELS));
}

describe('backoff after an abort (SPEC 4: eligible when now > last abort + backoff_seconds)', () => {
  it.each([
    ['just now', 0, 'backoff'],
    ['one second before the end', 99, 'backoff'],
    ['exactly at the end', 100, 'backoff'],
    ['one second after the end', 101, 'eligible'],
  ])('an abort %s', (_, agoSeconds, expected) => {
    expect(judge([endNews('prod', agoSeconds, '300 No more work')])).toBe(expected);
  });

  it.each([
    ['299 Nearly out of work', 'eligible'],
    ['300 No more work', 'backoff'],
    ['300', 'backoff'],
    ['999 Whatever', 'backoff'],
    ['200 Success', 'eligible'],
    ['100 Shutdown by host', 'eligible'],
    ['No more work', 'eligible'],
    ['3000 is no code', 'eligible'],
    ['30', 'eligible'],
    [' 300 not at the start', 'eligible'],
    ['', 'eligible'],
    [null, 'eligible'],
  ])('after the message %j it is %s', (message, expected) => {
    expect(judge([endNews('prod', 1, message)])).toBe(expected);
  });

  it('is for the type that aborted alone', () => {
    expect(judge([endNews('other', 1, '300 No more work')])).toBe('eligible');
  });

  it('counts from the newest abort of all factories, whatever else ended since', () => {
    const known = [endNews('prod', 150, '300 Old'), endNews('prod', 50, '400 New'), endNews('prod', 1, '200 Success')];
    expect(lastAbort(known, 'prod', NOW)?.message).toBe('400 New');
    expect(judge(known)).toBe('backoff');
  });

  it('of two aborts in one second every factory takes the same one, whichever is its own', () => {
    const abortOf = (name: string) => ({
      ...news('prod', { lastEnd: { timeSeconds: NOW - 50, message: '300 None', hostname: `${name}-00.example.com` } }),
      factory: name,
    });
    const all = ['a', 'b', 'c'].map(abortOf);
    const seen = all.map((own) => {
      const others = foldNews(
        all,
        ({ factory }) => factory !== own.factory,
        () => true,
      );
      return lastAbort([...others, own], 'prod', NOW)?.hostname;
    });
    expect(new Set(seen).size).toBe(1);
  });

  it('says for how long, and whose abort it was', () => {
    expect(verdictOn([endNews('prod', 40, '300 No more work')]).reason).toBe(
      'backs off for 61 s more after "300 No more work" of factory2-00.example.com, 40 s ago',
    );
  });
});

describe('one scout at a time within the fizzle window', () => {
  it.each([
    ['backoff over, nobody out: the scout goes', 101, 0, 'eligible'],
    ['backoff over, a scout is out', 101, 1, 'scouting'],
    ['last second of the window, a scout is out', 700, 1, 'scouting'],
    ['window over: all may start', 701, 1, 'eligible'],
  ])('%s', (_, agoSeconds, scouts, expected) => {
    expect(judge([endNews('prod', agoSeconds, '300 No more work', scouts)])).toBe(expected);
  });

  it("counts other factories' machines that are before fizzle", () => {
    const known = [endNews('prod', 200, '300 No more work'), news('prod', { beforeFizzle: 1 })];
    expect(judge(known)).toBe('scouting');
  });

  it("does not count other types' machines", () => {
    const known = [endNews('prod', 200, '300 No more work'), news('other', { beforeFizzle: 5 })];
    expect(judge(known)).toBe('eligible');
  });

  it.each([
    ['a machine that is still starting', machine({ phase: 'starting' }, { slot: 1 }), 'scouting'],
    [
      'a machine one second before fizzle',
      machine({ startedTimeSeconds: NOW - 599 }, { slot: 1, createdTimeSeconds: NOW - 601 }),
      'scouting',
    ],
    [
      'a machine just past fizzle',
      machine({ startedTimeSeconds: NOW - 600 }, { slot: 1, createdTimeSeconds: NOW - 602 }),
      'may-start',
    ],
    [
      'a machine that has ended',
      machine({ phase: 'ended', startedTimeSeconds: NOW - 10 }, { slot: 1, createdTimeSeconds: NOW - 12 }),
      'may-start',
    ],
  ])('of this factory: %s', (_, own, expected) => {
    // The verdict on the type is given with no processor left for a start, which would itself be a scout.
    const made = plan(
      state({
        machines: [own],
        peers: [endNews('prod', 200, '300 No more work')],
        orders: orders({ startsLeft: 0 }),
      }),
      config([machinetype('prod', { backoffSeconds: 100 })]),
    );
    expect(typeDecision(made, 'prod')?.code).toBe(expected);
  });
});

it.each([
  [1, 'may start, number 1 of 1 in line by share; 1 processor is free'],
  [2, 'may start, number 1 of 1 in line by share; 2 processors are free'],
])('a type that may start is told of with what is free: %i', (totalProcessors, reason) => {
  const made = plan(state({ totalProcessors, orders: orders({ startsLeft: 0 }) }), config([machinetype('prod')]));
  expect(typeDecision(made, 'prod')?.reason).toBe(reason);
});

describe('other reasons against a type', () => {
  it('target_share 0', () => expect(judge([], { targetShare: 0 })).toBe('no-share'));

  it('a model that this program cannot create', () =>
    expect(judge([], { machineModel: 'docker' })).toBe('unsupported-model'));

  it.each([
    [-1, 'min-wallclock'],
    [999, 'min-wallclock'],
    [1000, 'eligible'],
    [1001, 'eligible'],
  ])('%i s left before shutdown_time, min_wallclock_seconds 1000', (leftSeconds, expected) => {
    expect(judge([], { minWallclockSeconds: 1000 }, { endBySeconds: NOW + leftSeconds })).toBe(expected);
  });
});

describe('types whose machines cannot be created', () => {
  it.each([
    [1, 10],
    [2, 20],
    [3, 40],
    [6, 320],
    [7, 600],
    [50, 600],
  ])('after %i failures in a row the next try comes %i s after the last', (count, waitSeconds) => {
    const failure = { count, timeSeconds: NOW, message: 'no image' };
    expect(creationRetryTime(failure, 10) - NOW).toBe(waitSeconds);
  });

  it('a backoff_seconds of its own that is longer than the limit is kept, and 0 counts as a second', () => {
    const failure = { count: 5, timeSeconds: NOW, message: 'no image' };
    expect(creationRetryTime(failure, 3600) - NOW).toBe(3600);
    expect(creationRetryTime({ ...failure, count: 1 }, 0) - NOW).toBe(1);
  });

  it.each([
    [99, 'creation-failed'],
    [100, 'eligible'],
  ])('%i s after a first failure with backoff_seconds 100', (agoSeconds, expected) => {
    const failure = { count: 1, timeSeconds: NOW - agoSeconds, message: 'no image' };
    expect(judge([], {}, { failure })).toBe(expected);
  });
});

describe('clocks that are wrong', () => {
  it('an abort from far in the future, of a factory whose clock is ahead, does not stop the type for that long', () => {
    expect(judge([endNews('prod', -86_400, '300 No more work')])).toBe('eligible');
  });

  it('an abort from a few seconds ahead counts, as clocks differ by that much', () => {
    expect(judge([endNews('prod', -5, '300 No more work')])).toBe('backoff');
  });

  it('a slot in which libvirt refused a machine before our own clock was set back is free again', () => {
    const refused = (timeSeconds: number) => ({
      ...state(),
      slotFailures: new Map([[0, { count: 1, timeSeconds, message: 'no port' }]]),
    });
    const by = config([machinetype('prod', { targetShare: 1 })]);
    expect(slotDecision(plan(refused(NOW + 200), by), 0)?.code).toBe('creation-failed');
    expect(slotDecision(plan(refused(NOW + 86_400), by), 0)?.code).toBe('started');
  });

  it('a failed creation from before our own clock was set back does not stop the type for that long', () => {
    const failure = { count: 1, timeSeconds: NOW + 86_400, message: 'no image' };
    expect(judge([], {}, { failure })).toBe('eligible');
  });
});
