import { describe, expect, it } from 'vitest';
import { freeSlots } from '../../src/factory/starts.js';
import type { FactoryState, Machine, Zombie } from '../../src/factory/types.js';
import {
  actionsOf,
  config,
  endNews,
  host,
  machine,
  machinetype,
  NOT_READY,
  NOW,
  news,
  orders,
  plan,
  seededRng,
  service,
  services,
  slotDecision,
  state,
  typeDecision,
} from './builders.js';

const zombie = (slot: number, busy = false): Zombie => ({
  uuid: `zombie-${slot}`,
  name: `zombie${slot}`,
  slot,
  busy,
  retryInSeconds: 0,
});
const started = (...args: Parameters<typeof plan>) => actionsOf(plan(...args), 'createMachine');
const prod = machinetype('prod');

/** Machines of each type that are started in one pass. */
function countsByType(...args: Parameters<typeof plan>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { machinetype: name } of started(...args)) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

describe('filling an empty factory', () => {
  it('gives every slot a machine in one pass', () => {
    const made = plan(state(), config([prod]));
    expect(actionsOf(made, 'createMachine').map((action) => action.slot)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(made.actions[0]).toMatchObject({
      kind: 'createMachine',
      slot: 0,
      machinetype: 'prod',
      processors: 1,
      shutdownTimeSeconds: NOW + 86_400,
      reason: expect.stringContaining('power per share'),
    });
    expect(slotDecision(made, 7)).toMatchObject({ code: 'started', machinetype: 'prod' });
  });

  it.each([1, 2, 3, 4, 5])('keeps shares of 2:1 within one machine, seed %i', (seed) => {
    const types = [machinetype('large', { targetShare: 2 }), machinetype('small', { targetShare: 1 })];
    for (const slots of [3, 4, 8, 30]) {
      const full = state({ slots, totalProcessors: slots, host: host({ processors: slots }) });
      const counts = countsByType(full, config(types, { maxStartingMachines: 1000 }), seededRng(seed));
      expect(Math.abs((counts.large ?? 0) - (2 * slots) / 3)).toBeLessThan(1);
      expect((counts.large ?? 0) + (counts.small ?? 0)).toBe(slots);
    }
  });

  it('evens out what runs already, here and elsewhere', () => {
    const types = [machinetype('a'), machinetype('b')];
    const peers = [news('a', { runningHs06: 6 })];
    const machines = [machine({}, { slot: 0, machinetype: 'a' }), machine({}, { slot: 1, machinetype: 'a' })];
    expect(countsByType(state({ machines, peers }), config(types))).toEqual({ b: 6 });
  });

  it('ends machines by shutdown_time, where that comes before max_wallclock_seconds', () => {
    const short = machinetype('prod', { minWallclockSeconds: 1000 });
    const [first] = started(state(), config([short], { shutdownTimeSeconds: NOW + 5000 }));
    expect(first?.shutdownTimeSeconds).toBe(NOW + 5000);
  });

  it('gives a type max_processors, and what is left to the last machine', () => {
    const wide = machinetype('wide', { minProcessors: 2, maxProcessors: 3 });
    expect(started(state(), config([wide])).map(({ processors }) => processors)).toEqual([3, 3, 2]);
    const made = plan(state({ totalProcessors: 7, slots: 7 }), config([wide]));
    expect(actionsOf(made, 'createMachine').map(({ processors }) => processors)).toEqual([3, 3]);
    expect(slotDecision(made, 2)).toMatchObject({
      code: 'nothing-eligible',
      reason: 'wide needs 2 processors, 1 are free',
    });
    expect(typeDecision(made, 'wide')?.code).toBe('too-big');
  });

  it('keeps a type within its own total_processors, and says so', () => {
    const few = machinetype('few', { maxProcessors: 2, totalProcessors: 3, targetShare: 100 });
    const other = machinetype('other');
    const made = plan(state(), config([few, other]));
    const sizes = actionsOf(made, 'createMachine').map(({ machinetype: name, processors }) => `${name} ${processors}`);
    expect(sizes.toSorted()).toEqual(['few 1', 'few 2', 'other 1', 'other 1', 'other 1', 'other 1', 'other 1']);
    const full = plan(state({ machines: [machine({}, { machinetype: 'few', processors: 3 })] }), config([few]));
    expect(actionsOf(full, 'createMachine')).toEqual([]);
    expect(typeDecision(full, 'few')).toMatchObject({
      code: 'type-full',
      reason: 'its machines here have all of its total_processors, 3',
    });
  });

  it('counts processors of machines that start or run, and of no others', () => {
    const machines: Machine[] = [
      machine({ phase: 'starting' }, { slot: 0, processors: 2 }),
      machine({}, { slot: 1, processors: 3 }),
      machine({ phase: 'ended' }, { slot: 2, processors: 8 }),
      machine({ phase: 'cleared' }, { slot: 3, processors: 8 }),
    ];
    expect(started(state({ machines }), config([prod])).map(({ slot }) => slot)).toEqual([3, 4, 5]);
  });

  it('starts nothing when machines hold more processors than there are by now', () => {
    const made = plan(
      state({ totalProcessors: 4, slots: 4, machines: [machine({}, { processors: 8 })] }),
      config([prod]),
    );
    expect(actionsOf(made, 'createMachine')).toEqual([]);
    expect(slotDecision(made, 1)?.code).toBe('all-taken');
  });

  it('sends one scout of a type whose work may be back, and fills the rest with others', () => {
    const types = [machinetype('maybe', { targetShare: 100 }), machinetype('sure', { targetShare: 1 })];
    const peers = [endNews('maybe', 60, '300 No more work')];
    expect(countsByType(state({ peers }), config(types))).toEqual({ maybe: 1, sure: 7 });
  });
});

describe('limits on starts', () => {
  it('creates max_starting_machines at once, those under way counted', () => {
    const machines = [machine({ phase: 'starting', busy: true }, { slot: 0 })];
    const made = plan(state({ machines }), config([prod], { maxStartingMachines: 3 }));
    expect(actionsOf(made, 'createMachine').map(({ slot }) => slot)).toEqual([1, 2]);
    expect(slotDecision(made, 3)).toMatchObject({
      code: 'starting-limit',
      reason: '3 machines are being created at once (max_starting_machines)',
    });
  });

  it('starts as many as were asked for', () => {
    const made = plan(state({ orders: orders({ startsLeft: 2 }) }), config([prod]));
    expect(actionsOf(made, 'createMachine')).toHaveLength(2);
    expect(slotDecision(made, 2)?.code).toBe('starts-limit');
    expect(started(state({ orders: orders({ startsLeft: 0 }) }), config([prod]))).toEqual([]);
  });

  it('waits a second where a machine of the same name was made this second', () => {
    const machines = [machine({ phase: 'cleared' }, { slot: 0, createdTimeSeconds: NOW })];
    const made = plan(state({ machines }), config([prod]));
    expect(actionsOf(made, 'createMachine').map(({ slot }) => slot)).not.toContain(0);
    expect(slotDecision(made, 0)?.code).toBe('same-second');
    expect(started(state({ machines, nowSeconds: NOW + 1 }), config([prod]))[0]?.slot).toBe(0);
  });

  it('explains a refusal for each free slot and each type', () => {
    const made = plan(
      state({ machines: [machine({}, { slot: 0 })], slots: 2 }),
      config([prod, machinetype('test')], { draining: true }),
    );
    expect(made.actions).toEqual([]);
    expect(made.decisions.map(({ slot, machinetype, code }) => [slot, machinetype, code])).toEqual([
      [1, null, 'draining'],
      [null, 'prod', 'draining'],
      [null, 'test', 'draining'],
    ]);
  });

  it.each([
    ['no machinetype is configured', []],
    [
      'every machinetype has target_share 0',
      [machinetype('a', { targetShare: 0 }), machinetype('b', { targetShare: 0 })],
    ],
  ])('says why nothing is eligible: %s', (reason, types) => {
    expect(slotDecision(plan(state(), config(types)), 0)).toMatchObject({ code: 'nothing-eligible', reason });
  });

  it('says of each type what stands against it', () => {
    const made = plan(
      state({ peers: [endNews('a', 0, '300 No work')] }),
      config([machinetype('a'), machinetype('b', { machineModel: 'docker' })]),
    );
    const { reason } = slotDecision(made, 0)!;
    expect(reason).toContain('a backs off for 11 s more after "300 No work"');
    expect(reason).toContain('b machine_model docker cannot be created');
    expect(typeDecision(made, 'a')?.code).toBe('backoff');
    expect(typeDecision(made, 'b')?.code).toBe('unsupported-model');
  });

  it('tells each type that it may start where only processors are lacking', () => {
    const machines = [machine({}, { processors: 8 })];
    expect(typeDecision(plan(state({ machines }), config([prod])), 'prod')).toMatchObject({
      code: 'all-taken',
      reason: expect.stringContaining('all processors are given to machines'),
    });
  });
});

describe('free slots', () => {
  it('are those without a machine that still holds address, name or disks, and without a zombie', () => {
    const machines = [
      machine({ phase: 'starting' }, { slot: 0 }),
      machine({}, { slot: 1 }),
      machine({ phase: 'ended' }, { slot: 2 }),
      machine({ phase: 'cleared' }, { slot: 3 }),
    ];
    expect(freeSlots(state({ slots: 6, machines, zombies: [zombie(4)] }))).toEqual([3, 5]);
  });

  it('end with the number of slots, whatever runs in slots beyond', () => {
    expect(freeSlots(state({ slots: 1, machines: [machine({}, { slot: 5 })] }))).toEqual([0]);
  });
});

describe('zombies', () => {
  it('are destroyed, and block their slots until they are seen to be gone', () => {
    const made = plan(state({ slots: 2, zombies: [zombie(0), zombie(1, true)] }), config([prod]));
    expect(made.actions).toEqual([
      {
        kind: 'destroyZombie',
        uuid: 'zombie-0',
        name: 'zombie0',
        reason: expect.stringContaining('no machine directory'),
      },
    ]);
    expect(made.decisions[0]).toMatchObject({ slot: 0, code: 'machine', reason: expect.stringMatching(/^destroy: /) });
  });
});

describe('machines', () => {
  it('get their action, with a line for the log', () => {
    const made = plan(state({ machines: [machine({ shutdownTimeSeconds: NOW })] }), config([]));
    expect(made.actions).toMatchObject([{ kind: 'requestStop' }]);
    expect(made.decisions[0]).toMatchObject({
      slot: 0,
      machinetype: 'prod',
      machine: machine().record.id,
      code: 'machine',
      reason: expect.stringMatching(/^ask to stop: its shutdowntime/),
    });
  });

  it('are looked after while nothing may start', () => {
    const down: Partial<FactoryState> = { host: host({ stateFreeBytes: 0 }), orders: orders({ stopAll: true }) };
    const made = plan(
      state({ machines: [machine(), machine({ phase: 'ended' }, { slot: 1 })], ...down }),
      config([prod]),
    );
    expect(made.actions.map(({ kind }) => kind)).toEqual(['requestStop', 'clearMachine']);
  });
});

describe('services', () => {
  const ensured = (changes: Parameters<typeof services>[0], more: Partial<FactoryState['host']> = {}) =>
    actionsOf(plan(state({ host: host({ services: services(changes), ...more }) }), config([])), 'ensureService').map(
      ({ service: name }) => name,
    );
  const all = { firewall: service(), network: NOT_READY, metadata: NOT_READY, nfs: NOT_READY, syslog: NOT_READY };

  it('begin with the network, on whose addresses the others are', () => {
    expect(ensured(all)).toEqual(['network']);
    expect(ensured({ ...all, network: service() })).toEqual(['metadata', 'nfs', 'syslog']);
  });

  it('are left alone while ready, busy or waiting for a retry', () => {
    expect(ensured({})).toEqual([]);
    expect(
      ensured({ nfs: service({ ...NOT_READY, busy: true }), syslog: service({ ...NOT_READY, retryInSeconds: 0.5 }) }),
    ).toEqual([]);
  });

  it("wait for libvirt where they are libvirt's, and only there", () => {
    const hypervisorProblem = { sinceSeconds: NOW, message: 'down' };
    expect(ensured(all, { hypervisorProblem })).toEqual([]);
    expect(ensured({ nfs: NOT_READY }, { hypervisorProblem })).toEqual(['nfs']);
  });

  it('say what was wrong with them', () => {
    const nfs = service({ ...NOT_READY, problem: 'port taken' });
    expect(plan(state({ host: host({ services: services({ nfs }) }) }), config([])).actions).toEqual([
      { kind: 'ensureService', service: 'nfs', reason: 'port taken' },
    ]);
  });
});
