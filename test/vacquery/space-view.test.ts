import { describe, expect, it } from 'vitest';
import { lastAbort } from '../../src/factory/eligibility.js';
import { decode } from '../../src/vacquery/codec.js';
import type { PeerAnswer } from '../../src/vacquery/exchange.js';
import type { MachinetypeStatus } from '../../src/vacquery/messages.js';
import { type Instant, SpaceView } from '../../src/vacquery/space-view.js';
import { type RecordedName, recorded } from './recorded.js';
import { NOW_SECONDS } from './snapshot.js';

const OWN = 'wn00.example.com';
const EXPIRY_SECONDS = 180;

/** So many seconds after the recorded datagrams left; the steady clock has its own zero. */
function later(seconds: number): Instant {
  return { steadyMs: 5_000_000 + seconds * 1000, unixSeconds: NOW_SECONDS + seconds };
}

function status(name: RecordedName, changes: Partial<MachinetypeStatus> = {}): MachinetypeStatus {
  const decoded = decode(recorded(name));
  if (!decoded.ok) throw new Error(decoded.reason);
  return { ...(decoded.message as MachinetypeStatus), ...changes };
}

function answer(
  statuses: readonly MachinetypeStatus[],
  changes: Partial<PeerAnswer<MachinetypeStatus>> = {},
  atSeconds = 0,
): PeerAnswer<MachinetypeStatus> {
  return {
    factory: 'wn01.example.com',
    outcome: 'complete',
    statuses: statuses.map((item) => ({ status: item, receivedMs: later(atSeconds).steadyMs })),
    expected: statuses.length,
    asked: 1,
    wasDead: false,
    refused: new Map(),
    claimedFactory: null,
    strayAddress: null,
    ...changes,
  };
}

function viewWith(...answers: PeerAnswer<MachinetypeStatus>[]): SpaceView {
  const view = new SpaceView({ ownFactory: OWN, expirySeconds: EXPIRY_SECONDS });
  for (const item of answers) view.accept(item, later(0));
  return view;
}

const both = [status('machinetypeRunning'), status('machinetypeIdle')];

describe('news for decisions', () => {
  it('is what the recorded statuses say', () => {
    expect(viewWith(answer(both)).news(later(0))).toEqual([
      {
        factory: 'wn01.example.com',
        machinetype: 'lhcb-prod',
        runningHs06: 168,
        runningMachines: 2,
        runningProcessors: 9,
        beforeFizzle: 2,
        lastEnd: null,
      },
      {
        factory: 'wn01.example.com',
        machinetype: 'atlas-prod',
        runningHs06: 0,
        runningMachines: 0,
        runningProcessors: 0,
        beforeFizzle: 0,
        lastEnd: {
          timeSeconds: NOW_SECONDS,
          message: '300 No more work available from task queue',
          hostname: 'wn01-02.example.com',
        },
      },
    ]);
  });

  it('is as old as its arrival, and expires', () => {
    const view = viewWith(answer(both));
    expect(view.entries(later(60)).map(({ ageSeconds, way }) => [ageSeconds, way])).toEqual([
      [60, 'poll'],
      [60, 'poll'],
    ]);
    expect(view.news(later(EXPIRY_SECONDS))).toHaveLength(2);
    expect(view.news(later(EXPIRY_SECONDS + 1))).toEqual([]);
  });

  it('ages by the steady clock: setting the host’s clock expires nothing', () => {
    const view = viewWith(answer(both));
    expect(view.news({ ...later(10), unixSeconds: NOW_SECONDS + 86_400 })).toHaveLength(2);
  });

  it('of a machinetype that a full answer no longer names is gone; a partial answer takes nothing away', () => {
    const view = viewWith(answer(both));
    view.accept(answer([both[0]!], { outcome: 'partial', expected: 2 }, 10), later(10));
    expect(view.news(later(10))).toHaveLength(2);
    view.accept(answer([], { outcome: 'none', expected: null }, 15), later(15));
    expect(view.news(later(15))).toHaveLength(2);
    view.accept(answer([both[0]!], {}, 20), later(20));
    expect(view.news(later(20)).map(({ machinetype }) => machinetype)).toEqual(['lhcb-prod']);
  });

  it('in this factory’s own name is nobody else’s to give', () => {
    expect(viewWith(answer(both, { factory: OWN })).news(later(0))).toEqual([]);
  });

  it('of factories that the configuration dropped is forgotten', () => {
    const view = viewWith(answer(both), answer(both, { factory: 'wn02.example.com' }));
    view.setPeers(['wn02.example.com']);
    expect(view.summaries(later(0)).map(({ factory }) => factory)).toEqual(['wn02.example.com']);
  });
});

describe('clocks that are wrong', () => {
  const DAY = 86_400;

  it.each([DAY, -DAY])('a peer %i s off: its outcomes are as long ago as it says, on our clock', (ahead) => {
    const aborted = status('machinetypeIdle', {
      time_sent: NOW_SECONDS + ahead,
      shutdown_time: NOW_SECONDS + ahead - 40,
    });
    const view = viewWith(answer([aborted]));
    const news = view.news(later(7));
    expect(news[0]!.lastEnd!.timeSeconds).toBe(NOW_SECONDS - 40);
    expect(lastAbort(news, 'atlas-prod', NOW_SECONDS)).not.toBeNull();
    const [summary] = view.summaries(later(7));
    expect(summary!.clockAheadSeconds).toBe(ahead);
    expect(summary!.problems).toEqual([`its clock is 86400 s ${ahead > 0 ? 'ahead of' : 'behind'} this host's`]);
  });

  it('an outcome that is a little in the peer’s own future is now', () => {
    const view = viewWith(answer([status('machinetypeIdle', { shutdown_time: NOW_SECONDS + 300 })]));
    expect(view.news(later(0))[0]!.lastEnd!.timeSeconds).toBe(NOW_SECONDS);
  });

  it('an outcome from before the peer’s clock was set back is none: at every poll it would be of this very moment', () => {
    const view = viewWith(answer([status('machinetypeIdle', { shutdown_time: NOW_SECONDS + 301 })]));
    expect(view.news(later(0))[0]!.lastEnd).toBeNull();
  });

  it('an answer that was taken in late is counted from its arrival', () => {
    const view = new SpaceView({ ownFactory: OWN, expirySeconds: EXPIRY_SECONDS });
    view.accept(answer(both, {}, 3), later(9));
    expect(view.summaries(later(9))[0]).toMatchObject({ clockAheadSeconds: -3, heardSecondsAgo: 6, problems: [] });
    expect(view.news(later(9))[1]!.lastEnd!.timeSeconds).toBe(NOW_SECONDS + 3);
  });
});

describe('summaries', () => {
  it('add up what a peer runs', () => {
    expect(viewWith(answer(both)).summaries(later(12))).toEqual([
      {
        factory: 'wn01.example.com',
        way: 'poll',
        outcome: 'complete',
        heardSecondsAgo: 12,
        clockAheadSeconds: 0,
        vacVersion: 'Vac 03.00.00 vacd-responder',
        site: 'UKI-EXAMPLE-SITE',
        machinetypes: 2,
        machinetypesExpected: 2,
        runningMachines: 2,
        runningProcessors: 9,
        runningHs06: 168,
        problems: [],
      },
    ]);
  });

  it('say what is wrong with a peer that answers badly or not at all', () => {
    const view = viewWith(
      answer([], { outcome: 'none', expected: null, asked: 13 }),
      answer([both[0]!], {
        factory: 'wn02.example.com',
        outcome: 'partial',
        expected: 2,
        refused: new Map([['other-space', 3]]),
      }),
    );
    expect(view.summaries(later(0)).map(({ problems, heardSecondsAgo }) => ({ problems, heardSecondsAgo }))).toEqual([
      { problems: ['no answer to 13 queries, never heard'], heardSecondsAgo: null },
      {
        problems: ['only 1 of 2 machinetypes arrived', '3 answers of wn02.example.com refused: other-space'],
        heardSecondsAgo: 0,
      },
    ]);
  });

  it('say how long a dead peer has been silent, whether a poll asked it or not', () => {
    const view = viewWith(answer(both));
    view.accept(answer([], { outcome: 'none', expected: null, asked: 13 }, 20), later(20));
    view.accept(answer([], { outcome: 'none', expected: null, asked: 0, wasDead: true }, 40), later(40));
    expect(view.summaries(later(EXPIRY_SECONDS + 10))).toMatchObject([
      {
        outcome: 'none',
        heardSecondsAgo: 190,
        machinetypes: 0,
        runningHs06: 0,
        problems: ['no answer to 13 queries, last heard 190 s ago'],
      },
    ]);
  });

  it('name the host that answers for another', () => {
    const view = viewWith(answer(both, { refused: new Map([['wrong-address', 4]]), strayAddress: '2001:db8::bad' }));
    expect(view.summaries(later(0))[0]!.problems).toEqual([
      'answers in its name come from 2001:db8::bad, which is none of its addresses: they are not believed',
    ]);
  });

  it('show every peer in the order of the configuration, those that were not asked yet too', () => {
    const view = viewWith(answer(both));
    view.setPeers(['wn03.example.com', 'wn01.example.com', OWN.toUpperCase()]);
    expect(view.summaries(later(0)).map(({ factory, outcome, problems }) => [factory, outcome, problems])).toEqual([
      ['wn03.example.com', 'unasked', []],
      ['wn01.example.com', 'complete', []],
    ]);
  });

  it('name two hosts that use one name, at both of them', () => {
    const view = viewWith(
      answer(both),
      answer([], { factory: 'wn02.example.com', outcome: 'none', claimedFactory: 'WN01.example.com' }),
      answer([], {
        factory: 'wn03.example.com',
        outcome: 'none',
        claimedFactory: OWN,
        refused: new Map([['wrong-factory', 13]]),
      }),
    );
    const problems = view.summaries(later(0)).map((summary) => summary.problems.at(-1));
    expect(view.summaries(later(0))[2]!.problems).toHaveLength(2);
    expect(problems).toEqual([
      "the host at wn02.example.com uses this factory's name, too",
      'its host calls itself wn01.example.com, the name of another factory: its answers are not believed',
      'its host calls itself wn00.example.com, the name of this factory: its answers are not believed',
    ]);
  });
});
