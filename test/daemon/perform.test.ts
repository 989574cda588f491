import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { archivedRecords } from '../../src/accounting/archive.js';
import type { MachineMemory } from '../../src/daemon/machine-memory.js';
import { type ErrorCode, VacError } from '../../src/errors.js';
import type { Action, ActionOf } from '../../src/factory/plan.js';
import { CommandError } from '../../src/host/exec.js';
import { CREATE_STEPS } from '../../src/machines/create.js';
import { JOURNAL, slotHostname } from '../../src/machines/layout.js';
import { MachineVolumes } from '../../src/machines/volumes.js';
import { actionsOf, drainOrder, end, FACTORY, orders, stopRequest } from '../factory/builders.js';
import { nowSeconds, TestFactory, until } from './test-factory.js';

type CreateMachine = ActionOf<'createMachine'>;

const STEPS = CREATE_STEPS.map(({ name }) => name);

let factory: TestFactory;

beforeEach(async () => {
  factory = await TestFactory.create();
});

afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await factory.dispose();
});

function order(changes: Partial<CreateMachine> = {}): CreateMachine {
  return {
    kind: 'createMachine',
    slot: 0,
    machinetype: 'prod',
    processors: 1,
    shutdownTimeSeconds: nowSeconds() + 86_400,
    reason: 'a test asked for it',
    ...changes,
  };
}

async function perform(...actions: Action[]): Promise<void> {
  for (const action of actions) factory.performer.start(action);
  await factory.performer.settled();
}

/** Every creation fails as it begins this step. */
function failAt(step: string, error: Error = new Error('the host said no')): void {
  factory.listen = (_machine, at, moment) => {
    if (at === step && moment === 'begin') throw error;
  };
}

function onlyMachine(): MachineMemory {
  expect(factory.memory.machines.size).toBe(1);
  return [...factory.memory.machines.values()][0]!;
}

function trouble(code: ErrorCode): VacError {
  return new VacError(code, 'trouble');
}

describe('a creation', () => {
  test('has its subject busy at once, and running at its end', async () => {
    factory.performer.start(order({ slot: 2 }));
    expect(onlyMachine()).toMatchObject({ busy: true, entry: { phase: 'starting', record: { slot: 2 } } });
    await factory.settle();
    const machine = onlyMachine();
    expect(machine).toMatchObject({ busy: false, creationProblem: null, entry: { phase: 'running' } });
    expect([...factory.hypervisor.domains.keys()]).toEqual([machine.entry.record.uuid]);
    expect(machine.domain?.state).toBe('running');
  });

  test('writes the journal in the order of its steps: intent first, domain before libvirt, started last', async () => {
    const seen: string[] = [];
    factory.listen = async (id, step, moment) => {
      if (moment !== 'begin') return;
      const names = await readdir(factory.layout.machine(id)).catch(() => []);
      const journal = names.filter((name) => Object.values<string>(JOURNAL).includes(name)).sort();
      seen.push([step, ...journal, ...[...factory.hypervisor.domains.values()].map(() => '<domain>')].join(' '));
    };
    await perform(order());
    expect(seen).toEqual([
      'intent',
      'slot machine.json',
      'proxy machine.json',
      'image machine.json',
      'disks machine.json',
      'directories machine.json',
      'features machine.json',
      'user-data machine.json',
      'context machine.json',
      'logs machine.json',
      'exports machine.json',
      'domain-xml machine.json',
      'trail domain.xml machine.json',
      'containment domain.xml machine.json',
      'libvirt domain.xml machine.json',
      'started domain.xml machine.json <domain>',
    ]);
    const { record } = onlyMachine().entry;
    expect(await readFile(factory.layout.slot(record.hostname), 'utf8')).toBe(
      `${record.createdTimeSeconds} prod vm-raw`,
    );
    const { entries } = await factory.journal.readAll();
    expect(entries).toMatchObject([{ phase: 'running', record: { uuid: record.uuid } }]);
  });

  test('is not made gone by the listing that it asks for', async () => {
    await perform(order());
    await factory.observer.listDomains();
    expect(factory.memory.state(nowSeconds(), performance.now()).machines[0]!.domain).toBe('running');
  });

  test('of a type that the configuration has lost is an error, and leaves nothing', async () => {
    await perform(order({ machinetype: 'no-more' }));
    expect(factory.memory.machines.size).toBe(0);
    expect(factory.log.with('createMachine of unknown machinetype no-more')).toHaveLength(1);
  });
});

describe('a creation that fails', () => {
  const begun = STEPS.slice(STEPS.indexOf('intent') + 1, STEPS.indexOf('started'));

  test('before its directory is there leaves nothing at all', async () => {
    failAt('intent');
    await perform(order());
    expect(factory.memory.machines.size).toBe(0);
    expect(await readdir(factory.layout.machines())).toEqual([]);
    expect(factory.memory.creationFailures.get('prod')).toMatchObject({ count: 1 });
  });

  test.each(begun)('at %s is a start that failed; the next decisions end and clear it', async (step) => {
    failAt(step);
    await perform(order());
    const machine = onlyMachine();
    expect(machine).toMatchObject({
      busy: false,
      creationProblem: 'creation failed: the host said no',
      entry: { phase: 'starting' },
    });
    factory.listen = () => {};
    await factory.settle();
    expect(await factory.drive()).toEqual(['endMachine', 'clearMachine']);
    const { record } = machine.entry;
    expect(factory.memory.cleared.get(record.id)?.entry).toMatchObject({
      phase: 'cleared',
      startedTimeSeconds: null,
      end: { message: null, reason: 'creation failed: the host said no' },
    });
    expect(await readdir(factory.layout.slots())).toEqual([]);
    expect(await readdir(factory.layout.apelArchive())).toEqual([]);
    expect(factory.hypervisor.domains.size).toBe(0);
    expect(factory.memory.lastEnds.size).toBe(0);
    expect(factory.memory.creationFailures.get('prod')).toMatchObject({ count: 1 });
  });

  test('when libvirt has it already is found again, and runs', async () => {
    failAt('started');
    await perform(order());
    const { record } = onlyMachine().entry;
    await factory.settle();
    factory.listen = () => {};
    expect(await factory.drive()).toEqual(['recordStarted']);
    expect(onlyMachine().entry.phase).toBe('running');
    expect(Number(await readFile(factory.layout.inMachine(record.id, 'started'), 'utf8'))).toBeGreaterThanOrEqual(
      record.createdTimeSeconds,
    );
    expect([...factory.hypervisor.domains.keys()]).toEqual([record.uuid]);
  });

  test('because libvirt refused it says so in the log, with the step', async () => {
    factory.hypervisor.failNext('createDomain', trouble('hypervisor-refused'));
    await perform(order());
    expect(factory.log.with('prod could not be created: libvirt: trouble')).toHaveLength(1);
  });

  test('because libvirt hung is neither ended nor repeated before libvirt tells', async () => {
    factory.listen = (_machine, step, moment) => {
      if (step === 'libvirt' && moment === 'begin') factory.hypervisor.hang();
    };
    factory.performer.start(order());
    await until('libvirt was asked', () => factory.hypervisor.calls.some((call) => call.startsWith('createDomain')));
    vi.spyOn(factory.hypervisor, 'listDomains').mockRejectedValue(trouble('hypervisor-unreachable'));
    factory.hypervisor.answerAgain();
    await factory.settle();
    expect(onlyMachine().creationProblem).toContain('createDomain got no answer in time');
    expect(actionsOf(factory.pass(), 'endMachine')).toEqual([]);
    // libvirt had made it all the same.
    factory.addDomain(onlyMachine().entry.record);
    vi.restoreAllMocks();
    await factory.observer.listDomains();
    expect(await factory.drive()).toEqual(['recordStarted']);
  });
});

describe('the count of failures', () => {
  const count = () => factory.memory.creationFailures.get('prod')?.count;

  /** The clock of the wall goes on, as between two waves. */
  function later(seconds: number): void {
    const time = Date.now() + seconds * 1000;
    vi.spyOn(Date, 'now').mockReturnValue(time);
  }

  test('grows by one for a wave, by the next for the next', async () => {
    failAt('disks');
    await perform(order({ slot: 0 }), order({ slot: 1 }), order({ slot: 2 }), order({ slot: 3 }));
    expect(count()).toBe(1);
    later(5);
    await perform(order({ slot: 0 }), order({ slot: 1 }));
    expect(count()).toBe(2);
  });

  test('begins anew after one that went well', async () => {
    failAt('disks');
    await perform(order({ slot: 0 }));
    factory.listen = () => {};
    await perform(order({ slot: 1 }));
    expect(count()).toBeUndefined();
  });

  test('is kept for each slot, too, when libvirt refused what only that slot has', async () => {
    failAt('disks', trouble('image-missing'));
    await perform(order({ slot: 2 }));
    expect(factory.memory.slotFailures.size).toBe(0);
    factory.listen = () => {};
    factory.hypervisor.failNext('createDomain', trouble('hypervisor-refused'));
    await perform(order({ slot: 3 }));
    expect([...factory.memory.slotFailures].map(([slot, failure]) => [slot, failure.count])).toEqual([[3, 1]]);
    later(5);
    await perform(order({ slot: 3 }));
    expect(factory.memory.slotFailures.size).toBe(0);
  });

  /** Every creation fails in this step, as the step itself would fail. */
  function failIn(name: string, error: Error): void {
    vi.spyOn(CREATE_STEPS.find((step) => step.name === name)!, 'run').mockRejectedValue(error);
  }

  test.each([
    ...(['hypervisor-unreachable', 'nfs-unavailable', 'nfs-refused', 'syslog-unavailable'] as const).map(trouble),
    Object.assign(new Error('no space is left'), { code: 'ENOSPC' }),
    new CommandError('command-failed', 'xorriso: No space left on device', { exitCode: 1, stdout: '', stderr: '' }),
  ])('does not grow by what is the host’s trouble ($code)', async (error) => {
    failIn('slot', error);
    for (let times = 0; times < 3; times += 1) {
      await perform(order({ slot: times }));
      later(5);
    }
    expect(count()).toBe(1);
    failIn('slot', new Error('the image is torn'));
    await perform(order({ slot: 3 }));
    expect(count()).toBe(2);
  });
});

describe('starts that were ordered by number', () => {
  const left = () => factory.memory.orders.startsLeft;

  beforeEach(() => {
    factory.memory.orders = { ...factory.memory.orders, startsLeft: 2 };
  });

  test('are used up at the beginning of a creation', async () => {
    factory.performer.start(order());
    expect(left()).toBe(1);
    await factory.performer.settled();
    expect(left()).toBe(1);
  });

  test.each(['intent', 'disks', 'libvirt'])('one that failed at %s is given back, once', async (step) => {
    failAt(step);
    await perform(order());
    factory.listen = () => {};
    await factory.settle();
    await factory.drive();
    expect(left()).toBe(2);
  });

  test('one that ran is not, nor one that an earlier vacd left half made', async () => {
    await factory.addMachine({ slot: 3 }, { phase: 'starting' }, false);
    factory.memory.orders = { ...factory.memory.orders, stopAll: true };
    await perform(order());
    const { uuid } = [...factory.memory.machines.values()].at(-1)!.entry.record;
    factory.hypervisor.domains.delete(uuid);
    await factory.settle();
    await factory.drive();
    expect(factory.memory.cleared.size).toBe(2);
    expect(left()).toBe(1);
  });
});

describe('a machine whose stop cannot be written down', () => {
  test.each(['requestStop', 'destroyMachine'] as const)('is stopped all the same (%s)', async (kind) => {
    const { id, uuid } = (await factory.addMachine()).entry.record;
    // In the way of the file.
    await mkdir(factory.layout.inMachine(id, JOURNAL.stopping));
    const stop = stopRequest({ politely: kind === 'requestStop' });
    await perform({ kind, machine: id, stop, reason: stop.reason });
    expect(factory.hypervisor.domains.has(uuid)).toBe(false);
    expect(onlyMachine().entry.stop).toEqual(stop);
    expect(factory.log.with('why it is stopped could not be written down')).toHaveLength(1);
  });
});

describe('a machine that ends within fizzle_seconds', () => {
  test('is remembered as that, once', async () => {
    const machine = await factory.addMachine({ createdTimeSeconds: nowSeconds() - 60 });
    factory.memory.orders = orders({ drain: drainOrder() });
    await factory.observer.listDomains();
    factory.hypervisor.domains.clear();
    await factory.observer.listDomains();
    expect(await factory.drive()).toEqual(['endMachine', 'clearMachine']);
    expect(factory.memory.earlyDeaths.get('prod')?.deaths).toMatchObject([
      { hostname: machine.entry.record.hostname, message: expect.stringMatching(/^300 Vac detects fizzle/) },
    ]);
  });
});

describe('destroyMachine', () => {
  test('is over only after a fresh listing, so that the next pass sees that it is gone', async () => {
    const machine = await factory.addMachine();
    await factory.observer.listDomains();
    let answer = () => {};
    factory.relist = () =>
      new Promise<void>((resolve) => {
        answer = () => void factory.observer.listDomains().then(resolve);
      });
    const { id, uuid } = machine.entry.record;
    const relist = vi.spyOn(factory, 'relist');
    factory.performer.start({ kind: 'destroyMachine', machine: id, stop: stopRequest(), reason: 'its time is over' });
    await until('a listing was asked for', () => relist.mock.calls.length > 0);
    expect(factory.hypervisor.domains.has(uuid)).toBe(false);
    expect(machine).toMatchObject({ busy: true, gone: false });
    answer();
    await factory.performer.settled();
    expect(machine).toMatchObject({ busy: false, gone: true });
    expect(actionsOf(factory.pass(), 'endMachine')).toMatchObject([{ end: { message: '100 Past shutdowntime' } }]);
  });
});

describe('an operation that fails', () => {
  test('is logged once, and waits longer each time', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const machine = await factory.addMachine();
    const { id } = machine.entry.record;
    const waits: number[] = [];
    for (let times = 0; times < 3; times += 1) {
      factory.hypervisor.failNext('resumeDomain', trouble('hypervisor-refused'));
      await perform({ kind: 'resumeMachine', machine: id, reason: 'space is back' });
      const { retryInSeconds } = factory.memory.state(nowSeconds(), performance.now()).machines[0]!;
      waits.push(retryInSeconds);
    }
    expect(waits).toEqual([1, 2, 4]);
    expect(factory.log.with('resumeMachine failed, will be tried again: trouble')).toHaveLength(1);
    await perform({ kind: 'resumeMachine', machine: id, reason: 'space is back' });
    expect(machine).toMatchObject({ failures: 0, retryAtMs: 0, busy: false });
  });

  test('on one machine leaves the others alone', async () => {
    const [bad, good] = [await factory.addMachine({ slot: 0 }), await factory.addMachine({ slot: 1 })];
    const resume = (machine: MachineMemory) =>
      perform({ kind: 'resumeMachine', machine: machine.entry.record.id, reason: 'space is back' });
    factory.hypervisor.failNext('resumeDomain', trouble('hypervisor-refused'));
    await resume(bad);
    await resume(good);
    expect([bad.failures, good.failures]).toEqual([1, 0]);
  });
});

describe('a directory that somebody removed', () => {
  test.each(['running', 'ended'] as const)('of a machine that is %s: it is forgotten, and said', async (phase) => {
    const machine = await factory.addMachine({}, { phase, end: phase === 'ended' ? end() : null }, false);
    await factory.observer.listDomains();
    await rm(factory.layout.machine(machine.entry.record.id), { recursive: true });
    const removeStray = vi.spyOn(MachineVolumes.prototype, 'removeStray');
    factory.memory.orders = orders({ drain: drainOrder() });
    expect(await factory.drive()).toEqual([phase === 'running' ? 'endMachine' : 'clearMachine']);
    expect(factory.memory.machines.has(machine.entry.record.id)).toBe(false);
    expect(factory.memory.cleared.size).toBe(0);
    expect(factory.log.with('was removed by somebody; it is not accounted')).toHaveLength(1);
    expect(removeStray).toHaveBeenCalledWith(null, machine.entry.record.uuid);
  });

  test('of a start that was interrupted, after its traces were read: it is forgotten', async () => {
    const machine = await factory.addMachine({}, { phase: 'starting' }, false);
    machine.gone = true;
    machine.lastTraceTimeSeconds = nowSeconds() - 60;
    await rm(factory.layout.machine(machine.entry.record.id), { recursive: true });
    factory.memory.orders = orders({ drain: drainOrder() });
    expect(await factory.drive()).toEqual(['recordStarted']);
    expect(factory.memory.machines.size).toBe(0);
    expect(factory.log.with('will be tried again')).toEqual([]);
  });

  test('of a machine that runs: its domain is not taken for nobody’s', async () => {
    const machine = await factory.addMachine();
    await factory.observer.listDomains();
    await rm(factory.layout.machine(machine.entry.record.id), { recursive: true });
    await factory.settle();
    expect(actionsOf(factory.pass(), 'destroyZombie')).toEqual([]);
    expect(factory.hypervisor.domains.has(machine.entry.record.uuid)).toBe(true);
  });
});

describe('a domain that nothing explains', () => {
  const UUID = '11111111-2222-4333-8444-555555555555';

  beforeEach(async () => {
    factory.memory.orders = orders({ drain: drainOrder() });
    factory.addDomain({ uuid: UUID, hostname: slotHostname(FACTORY, 2) });
    await factory.observer.listDomains();
  });

  test('is destroyed, and that is all', async () => {
    expect(await factory.drive()).toEqual(['destroyZombie']);
    expect(factory.hypervisor.domains.size).toBe(0);
    expect(factory.memory.zombieEfforts.size).toBe(0);
  });

  test('is waited for before it is tried again, longer each time, and logged once', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    for (const waitSeconds of [1, 2, 4]) {
      factory.hypervisor.failNext('destroyDomain', trouble('hypervisor-refused'));
      expect(factory.pass(1000).actions.map(({ kind }) => kind)).toEqual(['destroyZombie']);
      await factory.settle();
      expect(factory.pass().actions).toEqual([]);
      const [zombie] = factory.memory.state(nowSeconds(), performance.now()).zombies;
      expect(zombie!.retryInSeconds).toBe(waitSeconds);
    }
    expect(factory.log.with('could not be destroyed, will be tried again: trouble')).toHaveLength(1);
    expect(factory.pass(5).actions.map(({ kind }) => kind)).toEqual(['destroyZombie']);
    await factory.settle();
    expect(factory.hypervisor.domains.size).toBe(0);
  });

  test('is not seen again in the listing that was before its end', async () => {
    let listed = () => {};
    factory.relist = () =>
      new Promise((resolve) => {
        listed = resolve;
      });
    const relist = vi.spyOn(factory, 'relist');
    factory.pass();
    await until('a listing was asked for', () => relist.mock.calls.length > 0);
    expect(factory.pass(1000).actions).toEqual([]);
    listed();
  });

  test('is not asked for twice while it is being destroyed', async () => {
    factory.hypervisor.hang();
    expect(factory.pass().actions).toHaveLength(1);
    expect(factory.pass(1000).actions).toHaveLength(0);
    factory.hypervisor.answerAgain();
    await factory.settle();
  });
});

describe('a service', () => {
  test('that does not come up is logged once a problem, and is ready when it does', async () => {
    const ensure = vi.fn<() => Promise<void>>().mockRejectedValue(new Error('no bridge'));
    factory.serviceWork.network = ensure;
    const action = { kind: 'ensureService', service: 'network', reason: 'not brought up yet' } as const;
    await perform(action);
    await perform(action);
    expect(factory.log.with('network is not ready: no bridge')).toHaveLength(1);
    expect(factory.memory.services.network).toMatchObject({ readySinceMs: null, busy: false, failures: 2 });
    ensure.mockResolvedValue();
    await perform(action);
    expect(factory.memory.services.network).toMatchObject({ problem: '', busy: false, failures: 0 });
    expect(factory.memory.services.network.readySinceMs).not.toBeNull();
  });
});

test('a machine’s whole life, driven by decisions: created, ended by itself, accounted once, forgotten', async () => {
  factory.memory.orders = { ...factory.memory.orders, startsLeft: 1 };
  factory.memory.config = {
    ...factory.memory.config,
    machinetypes: factory.memory.config.machinetypes.map((type) => ({ ...type, fizzleSeconds: 0 })),
  };
  expect(await factory.drive()).toEqual(['createMachine']);
  const { id, uuid, hostname } = onlyMachine().entry.record;
  await mkdir(factory.layout.inMachine(id, 'joboutputs'), { recursive: true });
  factory.hypervisor.domains.delete(uuid);
  await factory.observer.listDomains();
  expect(await factory.drive()).toEqual(['endMachine', 'clearMachine']);
  expect(factory.cleared).toEqual([id]);
  const days = await readdir(factory.layout.apelArchive());
  expect([...(await archivedRecords(factory.layout, days))]).toEqual([[uuid, 1]]);
  expect(factory.memory.lastEnds.get('prod')).toMatchObject({ hostname });
  expect(factory.pass(3 * 86_400 + 10).actions.map(({ kind }) => kind)).toEqual(['forgetMachine']);
  await factory.settle();
  expect(factory.memory.cleared.size).toBe(0);
  expect(await readdir(factory.layout.machines())).toEqual([]);
});
