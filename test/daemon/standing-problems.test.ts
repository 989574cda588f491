import { describe, expect, it } from 'vitest';
import { standingProblems, whatStopsStarts } from '../../src/daemon/standing-problems.js';
import type { FactoryState } from '../../src/factory/types.js';
import {
  config,
  diedEarly,
  drainOrder,
  host,
  machinetype,
  NOT_READY,
  NOW,
  orders,
  overnight,
  service,
  services,
  state,
} from '../factory/builders.js';

const problems = (changes: Partial<FactoryState> = {}, by: Parameters<typeof config>[1] = {}) =>
  standingProblems(state(changes), config([machinetype('prod'), machinetype('user')], by));
const failure = (count: number) => new Map([['user', { count, timeSeconds: NOW, message: 'no image' }]]);

describe('what is wrong with a factory', () => {
  it.each<[string, Partial<FactoryState>, string]>([
    [
      'libvirt',
      { host: host({ hypervisorProblem: { sinceSeconds: NOW - 9, message: 'no socket' } }) },
      'libvirt does not answer: no socket',
    ],
    [
      'a service',
      { host: host({ services: services({ nfs: service({ ...NOT_READY, problem: 'it is down' }) }) }) },
      'no working nfs: it is down',
    ],
    [
      'a port that is taken, also while it drains',
      { queryProblem: 'taken', orders: orders({ drain: drainOrder() }) },
      'the other factories cannot ask this one: taken',
    ],
    [
      'a full disk',
      { host: host({ stateFreeBytes: 5e6 }) },
      'only 5 MB are free in the state directory; 1000 MB are needed',
    ],
    [
      'a type that cannot be created',
      { creationFailures: failure(3) },
      'user: creating it failed 3 times in a row (no image)',
    ],
    [
      'machines that die early',
      { earlyDeaths: diedEarly('prod', 4, 9999) },
      'prod: 4 machines in a row died early on this factory, the last factory1-00.example.com with "200 Success"; fewer are started until one lives',
    ],
    [
      'directories that cannot be read',
      { blockedSlots: [3, 1] },
      'machine directories of slots 1, 3 cannot be read (see the log); nothing starts there',
    ],
    [
      'a desktop that cannot see its owner',
      {
        overnight: overnight({
          mayStart: false,
          blockers: [
            { code: 'window', reason: 'the window is closed' },
            { code: 'unknown', reason: 'idle time of seat0 is not known (there is no input device)' },
            { code: 'unknown', reason: 'CPU use of other programs is not known (not looked at yet)' },
          ],
        }),
      },
      'overnight: idle time of seat0 is not known (there is no input device)',
    ],
  ])('%s', (_, changes, expected) => expect(problems(changes)).toEqual([expected]));

  it.each<[string, Partial<FactoryState>, Parameters<typeof config>[1]]>([
    ['all is well', {}, {}],
    ['libvirt was not asked yet', { host: host({ hypervisorProblem: { sinceSeconds: 0, message: 'not asked' } }) }, {}],
    ['a service was not brought up yet', { host: host({ services: services({ nfs: NOT_READY }) }) }, {}],
    ['the host is busy', { host: host({ loadAverages: [99, 99, 99] }) }, {}],
    ['disks are busy', { host: host({ ioPressurePercent: 99 }) }, {}],
    ['a window is closed, or the owner there', { overnight: overnight({ mayStart: false }) }, {}],
    ['it drains as ordered', { orders: orders({ drain: drainOrder() }) }, {}],
    ['it drains by configuration', {}, { draining: true }],
    ['its time is over', { orders: orders({ shutdownTimeSeconds: NOW - 1 }) }, {}],
    ['the space was not heard yet', { spaceHeard: false }, {}],
    ['a start failed twice', { creationFailures: failure(2) }, {}],
    ['two machines died early', { earlyDeaths: diedEarly('prod', 2, 0) }, {}],
    ['machines of a type that is no more died early', { earlyDeaths: diedEarly('old', 9, 0) }, {}],
  ])('nothing, when %s', (_, changes, by) => expect(problems(changes, by)).toEqual([]));

  it.each<[string, Partial<FactoryState>, string | null]>([
    [
      'libvirt',
      { host: host({ hypervisorProblem: { sinceSeconds: NOW, message: 'x' } }) },
      'libvirt does not answer: x',
    ],
    [
      'a full disk',
      { host: host({ stateFreeBytes: 5e6 }) },
      'only 5 MB are free in the state directory; 1000 MB are needed',
    ],
    ['a taken port', { queryProblem: 'taken' }, 'the other factories cannot ask this one: taken'],
    ['a type that cannot be created', { creationFailures: failure(3) }, null],
    ['an order to drain', { orders: orders({ drain: drainOrder() }) }, null],
    ['a busy host', { host: host({ loadAverages: [99, 99, 99] }) }, null],
  ])('keeps everything from starting, or not: %s', (_, changes, expected) => {
    expect(whatStopsStarts(state(changes), config([machinetype('prod')]))[0] ?? null).toBe(expected);
  });

  it('is all told, what stops everything first', () => {
    const all = {
      host: host({
        hypervisorProblem: { sinceSeconds: NOW, message: 'down' },
        services: services({
          network: service({ ...NOT_READY, problem: 'a' }),
          syslog: service({ ...NOT_READY, problem: 'b' }),
        }),
      }),
      creationFailures: failure(9),
      earlyDeaths: diedEarly('user', 3, 0),
    };
    expect(problems(all).map((line) => line.split(':')[0])).toEqual([
      'libvirt does not answer',
      'no working network',
      'no working syslog',
      'user',
      'user',
    ]);
  });
});
