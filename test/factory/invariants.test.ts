import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../src/factory/invariants.js';
import type { Action, ActionOf, Plan } from '../../src/factory/plan.js';
import {
  config,
  diedEarly,
  drainOrder,
  end,
  endNews,
  host,
  MODELS,
  machine,
  machinetype,
  NOT_READY,
  NOW,
  orders,
  plan,
  record,
  services,
  settings,
  state,
  stopRequest,
} from './builders.js';

const of = (...actions: Action[]): Plan => ({ actions, decisions: [], standstill: null });
const create = (changes: Partial<ActionOf<'createMachine'>> = {}): Action => ({
  kind: 'createMachine',
  slot: 0,
  machinetype: 'prod',
  processors: 1,
  shutdownTimeSeconds: NOW + 86_400,
  reason: 'because',
  ...changes,
});
const prod = config([machinetype('prod', { minWallclockSeconds: 1000 })]);
const own = machine({ domain: 'running' });
const id = own.record.id;
const reason = 'because';

describe('checkInvariants', () => {
  it('finds nothing in what decide makes', () => {
    const facts = state({ machines: [own] });
    expect(checkInvariants(facts, plan(facts, prod), prod)).toEqual([]);
  });

  it('finds nothing wrong with one sound start', () => {
    expect(checkInvariants(state(), of(create()), prod)).toEqual([]);
  });

  it.each<[string, Parameters<typeof state>[0], Plan, Parameters<typeof config>[1]]>([
    [
      '7 processors held and 2 given are more than 8',
      { machines: [machine({}, { processors: 7 })] },
      of(create({ slot: 1 }), create({ slot: 2 })),
      {},
    ],
    ['slot 0 is given twice', {}, of(create(), create()), {}],
    ['there is no slot 8', {}, of(create({ slot: 8 })), {}],
    ['there is no slot 1.5', {}, of(create({ slot: 1.5 })), {}],
    [`slot 0 is given while ${id} is running in it`, { machines: [own] }, of(create()), {}],
    [
      'slot 0 is given twice in a second',
      { machines: [machine({ phase: 'cleared' }, { createdTimeSeconds: NOW })] },
      of(create()),
      {},
    ],
    [
      'slot 0 is given while a zombie is in it',
      { zombies: [{ uuid: 'z', name: 'z', slot: 0, busy: true, retryInSeconds: 0 }] },
      of(create()),
      {},
    ],
    ['other is started and not configured', {}, of(create({ machinetype: 'other' })), {}],
    ['prod gets 2 processors, not 1 to 1', {}, of(create({ processors: 2 })), {}],
    [
      'prod is started although backs off for 11 s more after "300 x" of factory2-00.example.com, 0 s ago',
      { peers: [endNews('prod', 0, '300 x')] },
      of(create()),
      {},
    ],
    [
      'prod is started although a scout is out to see if work is back after "300 x" of factory2-00.example.com, 60 s ago; others wait up to 551 s',
      { peers: [endNews('prod', 60, '300 x')] },
      of(create(), create({ slot: 1 })),
      {},
    ],
    ['2 of prod are tried at once', { earlyDeaths: diedEarly('prod', 3, 3600) }, of(create(), create({ slot: 1 })), {}],
    ['prod may live beyond shutdown_time', { orders: orders({ shutdownTimeSeconds: NOW + 5000 }) }, of(create()), {}],
    ['a start unheard by the others', { queryProblem: 'taken' }, of(create()), {}],
    ['a start before the space was heard', { spaceHeard: false }, of(create()), {}],
    ['prod may live for 86401 s', {}, of(create({ shutdownTimeSeconds: NOW + 86_401 })), {}],
    ['prod has only 999 s to live', {}, of(create({ shutdownTimeSeconds: NOW + 999 })), {}],
    ['prod may live beyond shutdown_time', {}, of(create()), { shutdownTimeSeconds: NOW + 86_399 }],
    ['2 machines are being created at once', {}, of(create(), create({ slot: 1 })), { maxStartingMachines: 1 }],
    ['more starts than the 0 left', { orders: orders({ startsLeft: 0 }) }, of(create()), {}],
    ['a start while draining', { orders: orders({ drain: drainOrder() }) }, of(create()), {}],
    ['a start while draining', {}, of(create()), { draining: true }],
    [
      'a start without libvirt',
      { host: host({ hypervisorProblem: { sinceSeconds: NOW, message: '' } }) },
      of(create()),
      {},
    ],
    ['a start without a service', { host: host({ services: services({ syslog: NOT_READY }) }) }, of(create()), {}],
    ['a start on a full disk', { host: host({ stateFreeBytes: 1e9 - 1 }) }, of(create()), {}],
    [
      `more than one action on machine ${id}`,
      { machines: [own] },
      of({ kind: 'exportMachine', machine: id, reason }, { kind: 'exportMachine', machine: id, reason }),
      {},
    ],
    [
      'exportMachine of machine nobody, which is not there',
      {},
      of({ kind: 'exportMachine', machine: 'nobody', reason }),
      {},
    ],
    [
      `exportMachine of machine ${id}, which is busy`,
      { machines: [machine({ busy: true })] },
      of({ kind: 'exportMachine', machine: id, reason }),
      {},
    ],
    [
      `exportMachine of machine ${id} before its retry is due`,
      { machines: [machine({ retryInSeconds: 1 })] },
      of({ kind: 'exportMachine', machine: id, reason }),
      {},
    ],
    [
      'destroyZombie of zombie z, which is busy',
      { zombies: [{ uuid: 'z', name: 'z', slot: 0, busy: true, retryInSeconds: 0 }] },
      of({ kind: 'destroyZombie', uuid: 'z', name: 'z', reason }),
      {},
    ],
    [
      'ensureService of service nfs before its retry is due',
      { host: host({ services: services({ nfs: { ...NOT_READY, retryInSeconds: 1 } }) }) },
      of({ kind: 'ensureService', service: 'nfs', reason }),
      {},
    ],
    [
      `endMachine of ${id}, whose domain is unknown`,
      { machines: [machine({ domain: 'unknown' })] },
      of({ kind: 'endMachine', machine: id, end: end(), reason }),
      {},
    ],
    [
      `endMachine of ${id}, dated before its start`,
      { machines: [machine({ domain: 'gone' })] },
      of({ kind: 'endMachine', machine: id, end: end({ timeSeconds: NOW - 3599 }), reason }),
      {},
    ],
    [
      `destroyMachine of ${id}, whose domain is unknown`,
      { machines: [machine({ domain: 'unknown' })] },
      of({ kind: 'destroyMachine', machine: id, stop: stopRequest(), reason }),
      {},
    ],
    [
      `lowerShutdownTime of ${id}, which would raise it`,
      { machines: [machine({ shutdownTimeSeconds: NOW + 5000 })] },
      of({ kind: 'lowerShutdownTime', machine: id, shutdownTimeSeconds: NOW + 5000, reason }),
      {},
    ],
    [
      `lowerShutdownTime of ${id}, at too short notice`,
      { machines: [machine({ shutdownTimeSeconds: NOW + 5000 })] },
      of({ kind: 'lowerShutdownTime', machine: id, shutdownTimeSeconds: NOW + 599, reason }),
      {},
    ],
    [
      `clearMachine of ${id}, which is running`,
      { machines: [own] },
      of({ kind: 'clearMachine', machine: id, reason }),
      {},
    ],
    [
      `forgetMachine of ${id}, which is ended`,
      { machines: [machine({ phase: 'ended' })] },
      of({ kind: 'forgetMachine', machine: id, reason }),
      {},
    ],
    ['exportMachine without a reason', { machines: [own] }, of({ kind: 'exportMachine', machine: id, reason: '' }), {}],
    [
      'decision started without a reason',
      {},
      {
        actions: [],
        decisions: [{ timeSeconds: NOW, slot: 0, machinetype: 'prod', machine: null, code: 'started', reason: '' }],
        standstill: null,
      },
      {},
    ],
  ])('finds: %s', (problem, facts, violated, by) => {
    expect(checkInvariants(state(facts), violated, { ...prod, settings: settings(by) })).toEqual([problem]);
  });

  it('finds a machine model that the program cannot create, when told which it can', () => {
    const docker = config([machinetype('prod', { machineModel: 'docker' })]);
    expect(checkInvariants(state(), of(create()), docker, MODELS)).toEqual([
      'prod is started although machine_model docker cannot be created by this version',
    ]);
  });

  it('lets machines that were made under a higher limit live on', () => {
    const facts = state({ totalProcessors: 2, slots: 2, machines: [machine({ record: record({ processors: 8 }) })] });
    expect(checkInvariants(facts, of(), prod)).toEqual([]);
  });
});
