import { describe, expect, it } from 'vitest';
import type { Settings } from '../../src/config/types.js';
import { expectedLoad, refuseAllStarts } from '../../src/factory/limits.js';
import type { FactoryState, HostFacts } from '../../src/factory/types.js';
import { drainOrder, host, machine, NOT_READY, NOW, orders, service, services, settings, state } from './builders.js';

const refusal = (changes: Partial<FactoryState> = {}, by: Partial<Settings> = {}) =>
  refuseAllStarts(state(changes), settings(by));
const onHost = (changes: Partial<HostFacts>, by: Partial<Settings> = {}) =>
  refusal({ host: host(changes) }, by)?.code ?? null;

describe('refuseAllStarts', () => {
  it('lets a healthy factory start', () => expect(refusal()).toBeNull());

  it.each([
    ['being stopped', { orders: orders({ stopAll: true }) }, {}, 'draining', 'being stopped'],
    ['told to drain', { orders: orders({ drain: drainOrder({ reason: 'for the night' }) }) }, {}, 'draining', 'night'],
    [
      'told to drain until later',
      { orders: orders({ drain: drainOrder({ untilSeconds: NOW + 1 }) }) },
      {},
      'draining',
      'asked to (until 2023-11-16 02:00:01 UTC)',
    ],
    [
      'past the time of vac shutdown-at',
      { orders: orders({ shutdownTimeSeconds: NOW }) },
      { shutdownTimeSeconds: NOW + 9 },
      'shutdown-time',
      'the shutdown time of vac shutdown-at has passed',
    ],
    [
      'alone since its start',
      { spaceHeard: false },
      {},
      'space-unheard',
      'since this one began to ask them (at most 10 s)',
    ],
    [
      'not to be asked by the others',
      { queryProblem: 'UDP port 995 is taken (ss -ulpn shows it)' },
      {},
      'query-port',
      'the other factories cannot ask this one: UDP port 995 is taken (ss -ulpn shows it)',
    ],
    ['draining by configuration', {}, { draining: true }, 'draining', 'draining = yes'],
    ['at shutdown_time', {}, { shutdownTimeSeconds: NOW }, 'shutdown-time', 'shutdown_time has passed'],
    [
      'libvirt gone',
      { host: host({ hypervisorProblem: { sinceSeconds: NOW - 7, message: 'no socket' } }) },
      {},
      'hypervisor-down',
      'libvirt has not answered for 7 s: no socket',
    ],
    [
      'no network',
      { host: host({ services: services({ network: service({ ...NOT_READY, problem: 'altered' }) }) }) },
      {},
      'service-down',
      'no working network: altered',
    ],
    [
      'NFS not up yet',
      { host: host({ services: services({ nfs: NOT_READY }) }) },
      {},
      'service-down',
      'no working nfs: not brought up yet',
    ],
    ['less than 1 GB free', { host: host({ stateFreeBytes: 999_999_999 }) }, {}, 'disk-full', 'only 999 MB'],
    ['loaded', { host: host({ loadAverages: [10.1, 0, 0] }) }, {}, 'overloaded', 'load 10.1'],
    ['waiting for disks', { host: host({ ioPressurePercent: 61 }) }, {}, 'io-pressure', '61 %'],
  ] as const)('refuses when %s', (_, changes, by, code, words) => {
    expect(refusal(changes, by)).toEqual({ code, reason: expect.stringContaining(words) });
  });

  it('drains no longer once the time is over, whether or not the order has been cleared', () => {
    expect(refusal({ orders: orders({ drain: drainOrder({ untilSeconds: NOW }) }) })).toBeNull();
  });

  it('starts again one second before shutdown_time: how much time a type needs is for each type to say', () => {
    expect(refusal({}, { shutdownTimeSeconds: NOW + 1 })).toBeNull();
  });

  it('starts with exactly 1 GB free', () => expect(onHost({ stateFreeBytes: 1e9 })).toBeNull());

  it('says in one plain sentence that libvirt was not asked yet', () => {
    const made = refusal({ host: host({ hypervisorProblem: { sinceSeconds: 0, message: 'not asked yet' } }) });
    expect(made).toEqual({ code: 'hypervisor-down', reason: 'libvirt: not asked yet' });
  });

  it('names the first of several reasons: orders, configuration, time, libvirt, services, disk, space, load, pressure', () => {
    const all: Partial<HostFacts>[] = [
      { ioPressurePercent: 99 },
      { loadAverages: [99, 0, 0] },
      { stateFreeBytes: 0 },
      { services: services({ nfs: NOT_READY }) },
      { hypervisorProblem: { sinceSeconds: NOW, message: '' } },
    ];
    const codes = ['io-pressure', 'overloaded', 'disk-full', 'service-down', 'hypervisor-down'];
    all.forEach((_, index) => {
      expect(onHost(Object.assign({}, ...all.slice(0, index + 1)))).toBe(codes[index]);
    });
    const unheard = (part: number) => ({ spaceHeard: false, host: host(Object.assign({}, ...all.slice(0, part))) });
    expect(refusal(unheard(2))?.code).toBe('space-unheard');
    expect(refusal(unheard(3))?.code).toBe('disk-full');
    const worst = { host: host(Object.assign({}, ...all)) };
    expect(refusal(worst, { shutdownTimeSeconds: NOW })?.code).toBe('shutdown-time');
    expect(refusal(worst, { shutdownTimeSeconds: NOW, draining: true })?.reason).toContain('configuration');
  });
});

describe('load', () => {
  const running = (count: number, ageSeconds: number) =>
    Array.from({ length: count }, (_, slot) =>
      machine({ startedTimeSeconds: NOW - ageSeconds }, { slot, createdTimeSeconds: NOW - ageSeconds - 2 }),
    );

  it.each([
    ['1 minute', [10.1, 0, 0]],
    ['5 minutes', [0, 10.1, 0]],
    ['15 minutes', [0, 0, 10.1]],
  ] as const)('is the largest of the three averages: %s', (_, loadAverages) => {
    expect(onHost({ loadAverages })).toBe('overloaded');
  });

  it('may reach overload_per_processor × host processors exactly', () => {
    expect(onHost({ loadAverages: [10, 0, 0], processors: 8 })).toBeNull();
    expect(onHost({ loadAverages: [10, 0, 0], processors: 8 }, { overloadPerProcessor: 1.2 })).toBe('overloaded');
  });

  it.each([
    [4, null],
    [5, 'overloaded'],
  ])('is compared with running processors once there are 5 of them: %i', (count, code) => {
    const changes = { machines: running(count, 7200), host: host({ loadAverages: [6.3, 0, 0], processors: 64 }) };
    expect(refusal(changes)?.code ?? null).toBe(code);
  });

  it('counts each processor of a machine that boots in full, and less and less as the averages come to show it', () => {
    const load = (ageSeconds: number) =>
      expectedLoad(
        state({
          machines: [
            machine({ startedTimeSeconds: NOW - ageSeconds }, { processors: 4, createdTimeSeconds: NOW - ageSeconds }),
          ],
        }),
      );
    expect(load(0)).toBe(4);
    expect(load(60)).toBeCloseTo(4 / Math.E);
    expect(load(3600)).toBeCloseTo(0);
  });

  it('counts a machine that is only being created, and none that has ended', () => {
    expect(expectedLoad(state({ machines: [machine({ phase: 'starting' }, { processors: 3 })] }))).toBe(3);
    expect(expectedLoad(state({ machines: [machine({ phase: 'ended' }), machine({ phase: 'cleared' })] }))).toBe(0);
  });

  it('counts a machine that seems to start in the future as one that starts now', () => {
    expect(expectedLoad(state({ machines: [machine({ startedTimeSeconds: NOW + 300 }, { processors: 2 })] }))).toBe(2);
  });

  it('counts no machine as one that boots for as long as the clock was set back', () => {
    expect(expectedLoad(state({ machines: [machine({ startedTimeSeconds: NOW + 301 }, { processors: 2 })] }))).toBe(0);
  });
});

describe('I/O pressure', () => {
  it.each([
    ['under the limit', 60, 60, null],
    ['over it', 60.1, 60, 'io-pressure'],
    ['not told by the kernel', null, 60, null],
    ['switched off by 0', 100, 0, null],
  ])('%s', (_, ioPressurePercent, limit, code) => {
    expect(onHost({ ioPressurePercent }, { ioPressurePercent: limit })).toBe(code);
  });
});
