/** Suspended machines of a factory whose owner comes and goes, through the real loop, journal and performer. */

import { mkdir, readFile, rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { returnSteps } from '../../src/config/windows.js';
import type { MachineMemory } from '../../src/daemon/machine-memory.js';
import { recoverMachines } from '../../src/daemon/recover.js';
import { VacError } from '../../src/errors.js';
import type { OwnerFacts } from '../../src/factory/overnight-types.js';
import type { Plan } from '../../src/factory/plan.js';
import { JOURNAL } from '../../src/machines/layout.js';
import { overnightConfig, owner } from '../factory/desk.js';
import { NULL_LOGS, nowSeconds, TestFactory } from './test-factory.js';

const AT_ONCE = returnSteps.parse('suspend 0s, stop 10m')!;

let factory: TestFactory;

beforeEach(async () => {
  factory = await TestFactory.create({ settings: { draining: true } });
  setOvernight(overnightConfig({ use: 'idle', onReturn: AT_ONCE }));
  factory.memory.overnight.owner = owner();
});
afterEach(() => factory.dispose());

function setOvernight(overnight: ReturnType<typeof overnightConfig> | null): void {
  factory.memory.config = { ...factory.memory.config, overnight };
}

const seen = (idleSeconds: number): OwnerFacts => owner({}, idleSeconds);
const states = () => [...factory.hypervisor.domains.values()].map(({ state }) => state);
/** What is done to machines. */
const kinds = ({ actions }: Plan) => actions.flatMap((action) => ('machine' in action ? [action.kind] : []));
const suspendedFile = ({ entry }: MachineMemory, of = factory) =>
  readFile(of.layout.inMachine(entry.record.id, JOURNAL.suspended), 'utf8').catch(() => null);

/** Machines that run, at rest. */
async function machines(count: number): Promise<MachineMemory[]> {
  const made: MachineMemory[] = [];
  for (let slot = 0; slot < count; slot++) made.push(await factory.addMachine({ slot }));
  await factory.settle();
  await factory.drive();
  return made;
}

describe('the owner comes back', () => {
  test('all machines are suspended by one pass, and their directories tell', async () => {
    const made = await machines(4);
    factory.memory.overnight.owner = seen(0);
    expect(await factory.drive()).toEqual(Array(4).fill('suspendMachine'));
    expect(states()).toEqual(Array(4).fill('paused'));
    for (const machine of made) {
      expect(JSON.parse((await suspendedFile(machine))!)).toMatchObject({
        by: 'overnight',
        reason: 'machines are suspended: anna active on seat0',
      });
    }
  });

  test('the file is written before libvirt is asked, and where it cannot be, the machine is suspended all the same', async () => {
    const [machine] = await machines(1);
    const { id } = machine!.entry.record;
    await mkdir(factory.layout.inMachine(id, `${JOURNAL.suspended}/in-the-way`), { recursive: true });
    factory.memory.overnight.owner = seen(0);
    await factory.drive();
    expect(states()).toEqual(['paused']);
    expect(factory.log.with('that it is suspended could not be written down')).toHaveLength(1);
    await rm(factory.layout.inMachine(id, JOURNAL.suspended), { recursive: true });
  });

  test('one that libvirt would not suspend is asked for again', async () => {
    const [machine] = await machines(1);
    factory.hypervisor.failNext('suspendDomain', new VacError('hypervisor-refused', 'trouble'));
    factory.memory.overnight.owner = seen(0);
    factory.pass();
    await factory.settle();
    expect(states()).toEqual(['running']);
    machine!.retryAtMs = 0;
    expect(await factory.drive()).toEqual(['suspendMachine']);
    expect(states()).toEqual(['paused']);
  });
});

test('one that comes back while a machine is made: it begins suspended, and goes on like the others', async () => {
  const starting = await TestFactory.create({ slots: 1 });
  try {
    starting.memory.config = {
      ...starting.memory.config,
      overnight: overnightConfig({ use: 'idle', onReturn: AT_ONCE }),
    };
    starting.memory.overnight.owner = owner();
    starting.listen = (_, step, moment) => {
      if (step !== 'libvirt' || moment !== 'begin') return;
      starting.memory.overnight.owner = seen(0);
      starting.pass();
    };
    starting.pass();
    await starting.settle();
    expect([...starting.hypervisor.domains.values()].map(({ state }) => state)).toEqual(['paused']);
    expect(starting.hypervisor.calls.filter((call) => call.startsWith('suspendDomain'))).toEqual([]);
    const [machine] = [...starting.memory.machines.values()];
    expect(JSON.parse((await suspendedFile(machine!, starting))!)).toMatchObject({ by: 'overnight' });
    starting.memory.overnight.owner = seen(400);
    expect(await starting.drive()).toContain('resumeMachine');
    expect([...starting.hypervisor.domains.values()].map(({ state }) => state)).toEqual(['running']);
  } finally {
    await starting.dispose();
  }
});

describe('the owner is gone', () => {
  test('machines go on, and it is counted how often and how long they were down', async () => {
    const [machine] = await machines(1);
    factory.memory.overnight.owner = seen(0);
    await factory.drive();
    factory.memory.overnight.owner = seen(400);
    expect(await factory.drive()).toEqual(['resumeMachine']);
    expect(states()).toEqual(['running']);
    expect(machine!.entry).toMatchObject({ suspension: null, pastSuspensions: { count: 1 } });
    expect(await suspendedFile(machine!)).toBeNull();
  });

  test('a machine whose libvirt does not answer stays noted as suspended', async () => {
    const [machine] = await machines(1);
    factory.memory.overnight.owner = seen(0);
    await factory.drive();
    factory.hypervisor.failNext('resumeDomain', new VacError('hypervisor-unreachable', 'away'));
    factory.memory.overnight.owner = seen(400);
    factory.pass();
    await factory.settle();
    expect(machine!.entry.suspension).not.toBeNull();
    machine!.retryAtMs = 0;
    expect(await factory.drive()).toEqual(['resumeMachine']);
  });
});

describe('a machine that goes on', () => {
  const clocks = () => factory.hypervisor.calls.filter((call) => call.startsWith('setGuestClock'));

  test('is told for how long it stood still in all, and its clock is set', async () => {
    const [machine] = await machines(1);
    const { record } = machine!.entry;
    factory.hypervisor.agents.add(record.uuid);
    factory.memory.update(machine!, { pastSuspensions: { count: 1, seconds: 100 } });
    factory.memory.overnight.owner = seen(0);
    await factory.drive();
    const sinceSeconds = nowSeconds() - 30;
    factory.memory.update(machine!, { suspension: { ...machine!.entry.suspension!, sinceSeconds } });
    factory.memory.overnight.owner = seen(400);
    const beganSeconds = nowSeconds();
    await factory.drive();
    const told = await readFile(factory.layout.inMachine(record.id, 'jobfeatures/suspended_secs'), 'utf8');
    expect(Number(told)).toBeGreaterThanOrEqual(130);
    expect(Number(told)).toBeLessThanOrEqual(100 + nowSeconds() - sinceSeconds);
    await expect.poll(clocks).toHaveLength(1);
    const seconds = Number(clocks()[0]?.split(' ').at(-1));
    expect(seconds).toBeGreaterThanOrEqual(beganSeconds);
    expect(seconds).toBeLessThanOrEqual(nowSeconds() + 1);
  });

  test('is not held up by agents that hang, and these are asked one after the other', async () => {
    await machines(3);
    factory.memory.overnight.owner = seen(0);
    await factory.drive();
    let asked = 0;
    let answer = () => {};
    factory.hypervisor.setGuestClock = () => {
      asked += 1;
      return new Promise((resolve) => {
        answer = resolve;
      });
    };
    factory.memory.overnight.owner = seen(400);
    await factory.drive();
    expect(states()).toEqual(['running', 'running', 'running']);
    await expect.poll(() => asked).toBe(1);
    answer();
    await expect.poll(() => asked).toBe(2);
    answer();
    await expect.poll(() => asked).toBe(3);
    answer();
  });
});

describe('vacd is killed while machines are suspended', () => {
  async function restart(): Promise<void> {
    factory.memory.machines.clear();
    await recoverMachines(factory.journal, factory.memory, NULL_LOGS, factory.log.logger);
    await factory.observer.listDomains();
  }

  test('the next one knows them, and neither resumes nor ends them while the owner is there', async () => {
    await machines(2);
    factory.memory.overnight.owner = seen(0);
    await factory.drive();
    await restart();
    expect(await factory.drive()).toEqual([]);
    // As after a minute in which a machine that nobody suspended on purpose would be ended.
    expect(kinds(factory.pass(100))).toEqual([]);
    expect(states()).toEqual(['paused', 'paused']);
  });

  test('between writing and asking: the next one asks', async () => {
    const [machine] = await machines(1);
    const suspension = { by: 'overnight' as const, sinceSeconds: Math.floor(Date.now() / 1000), reason: 'x' };
    await factory.journal.suspended(machine!.entry.record, suspension);
    factory.memory.overnight.owner = seen(0);
    await restart();
    expect(await factory.drive()).toEqual(['suspendMachine']);
    expect(states()).toEqual(['paused']);
  });
});

test('overnight mode that is taken out of the configuration lets machines go on', async () => {
  await machines(2);
  factory.memory.overnight.owner = seen(0);
  await factory.drive();
  setOvernight(null);
  expect(await factory.drive()).toEqual(['resumeMachine', 'resumeMachine']);
  expect(states()).toEqual(['running', 'running']);
});

test('before any sensor has answered the host counts as used', async () => {
  const fresh = await TestFactory.create();
  try {
    fresh.memory.config = { ...fresh.memory.config, overnight: overnightConfig({ use: 'idle', onReturn: AT_ONCE }) };
    expect(fresh.pass()).toMatchObject({
      standstill: { code: 'overnight', reason: expect.stringContaining('not known (not looked at yet)') },
    });
  } finally {
    await fresh.dispose();
  }
});

test('throttling that a host cannot do is told, and keeps nothing from being suspended', async () => {
  const steps = [
    { action: 'throttle', afterSeconds: 0 },
    { action: 'suspend', afterSeconds: 10 },
    { action: 'stop', afterSeconds: 600 },
  ] as const;
  await machines(1);
  setOvernight(overnightConfig({ use: 'idle', onReturn: steps }));
  factory.hypervisor.failNext('capDomain', new VacError('hypervisor-refused', 'no CPU controller'));
  factory.memory.overnight.owner = seen(0);
  expect(await factory.drive()).toEqual(['throttleMachine']);
  expect(factory.log.with('could not be throttled: no CPU controller')).toHaveLength(1);
  expect(kinds(factory.pass(11))).toEqual(['suspendMachine']);
  await factory.settle();
  expect(states()).toEqual(['paused']);
});
