import { describe, expect, test } from 'vitest';
import { Memory, retryDelayMs } from '../../src/daemon/memory.js';
import { NO_SUSPENSIONS } from '../../src/factory/suspension.js';
import type { MachineRecord } from '../../src/factory/types.js';
import type { DomainFact } from '../../src/host/hypervisor.js';
import type { JournalEntry } from '../../src/machines/journal.js';
import { slotHostname } from '../../src/machines/layout.js';
import { config, diedEarly, end, FACTORY, machinetype, NOW, record } from '../factory/builders.js';

const DAY = 86_400;

function memoryOf(entries: readonly JournalEntry[] = []): Memory {
  const memory = new Memory(FACTORY, config([machinetype('prod')]));
  memory.hypervisorProblem = null;
  memory.host = { ...memory.host, processors: 8 };
  for (const entry of entries) memory.remember(entry, 0);
  return memory;
}

function entry(phase: JournalEntry['phase'], changes: Partial<MachineRecord> = {}): JournalEntry {
  const made = record(changes);
  const over = phase === 'ended' || phase === 'cleared';
  return {
    record: made,
    phase,
    startedTimeSeconds: phase === 'starting' ? null : made.createdTimeSeconds + 2,
    heartbeatTimeSeconds: null,
    cpuSeconds: 0,
    shutdownTimeSeconds: made.firstShutdownTimeSeconds,
    stop: null,
    suspension: null,
    pastSuspensions: NO_SUSPENSIONS,
    end: over ? end({ timeSeconds: made.createdTimeSeconds + 600 }) : null,
  };
}

function domainOf({ uuid, hostname }: Pick<MachineRecord, 'uuid' | 'hostname'>): DomainFact {
  return { uuid, name: hostname, state: 'running', pausedByIoError: false, cpuSeconds: 1 };
}

test('waits double from one second up to thirty', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 1000].map(retryDelayMs)).toEqual([
    1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000,
  ]);
});

describe('a service', () => {
  test('waits longer after each failure, and begins anew once it was ready', () => {
    const memory = memoryOf();
    const waits = [0, 0, 0].map(() => {
      memory.serviceFailed('nfs', 'it is down', 5000);
      return memory.state(NOW, 5000).host.services.nfs.retryInSeconds;
    });
    expect(waits).toEqual([1, 2, 4]);
    memory.serviceReady('nfs', 6000);
    memory.serviceFailed('nfs', 'down again', 7000);
    expect(memory.state(NOW, 7000).host.services.nfs).toMatchObject({
      ready: false,
      problem: 'down again',
      retryInSeconds: 1,
      readyForSeconds: 0,
    });
  });

  test('has been ready since it first was, not since it was last found so', () => {
    const memory = memoryOf();
    memory.serviceReady('nfs', 1000);
    memory.serviceReady('nfs', 50_000);
    expect(memory.state(NOW, 61_000).host.services.nfs).toMatchObject({
      ready: true,
      problem: '',
      readyForSeconds: 60,
    });
  });

  test('may be tried at once when its wait is over, never in less than no time', () => {
    const memory = memoryOf();
    memory.serviceFailed('nfs', 'it is down', 0);
    expect(memory.state(NOW, 999).host.services.nfs.retryInSeconds).toBeCloseTo(0.001);
    expect(memory.state(NOW, 60_000).host.services.nfs.retryInSeconds).toBe(0);
  });
});

describe('whose address it is', () => {
  test.each(['starting', 'running'] as const)('a %s machine holds its own', (phase) => {
    const memory = memoryOf([entry(phase, { slot: 3 })]);
    expect(memory.holderOfIp('169.254.169.3')?.entry.phase).toBe(phase);
    expect(memory.holderOfIp('169.254.169.4')).toBeNull();
  });

  test.each(['ended', 'cleared'] as const)('one that has %s does not, and its successor does', (phase) => {
    const old = entry(phase, { slot: 3, createdTimeSeconds: NOW - 9000 });
    const memory = memoryOf([old]);
    expect(memory.holderOfIp('169.254.169.3')).toBeNull();
    const next = entry('running', { slot: 3, createdTimeSeconds: NOW - 10 });
    memory.remember(next, 0);
    expect(memory.holderOfIp('169.254.169.3')?.entry.record.id).toBe(next.record.id);
  });
});

describe('domains that nothing explains', () => {
  const named = (slot: number) => domainOf({ uuid: `uuid-${slot}`, hostname: slotHostname(FACTORY, slot) });

  function withDomains(domains: readonly DomainFact[], entries: readonly JournalEntry[] = []): Memory {
    const memory = memoryOf(entries);
    memory.listing = { askedAtMs: 0, domains };
    return memory;
  }

  test('are those with a slot’s name that no living machine has', () => {
    const alive = entry('running', { slot: 1 });
    const ended = entry('ended', { slot: 2 });
    const domains = [named(0), domainOf(alive.record), domainOf(ended.record), named(7)];
    const foreign = { ...named(5), name: 'somebody-elses.example.com' };
    const { zombies } = withDomains([...domains, foreign], [alive, ended]).state(NOW, 0);
    expect(zombies.map(({ slot }) => slot)).toEqual([0, 2, 7]);
  });

  test('are left alone in slots whose directory cannot be read', () => {
    const memory = withDomains([named(0), named(1)]);
    memory.blockedSlots = [1];
    expect(memory.state(NOW, 0).zombies.map(({ slot }) => slot)).toEqual([0]);
    expect(memory.state(NOW, 0).blockedSlots).toEqual([1]);
  });

  test('are not judged by an old listing while libvirt does not answer', () => {
    const memory = withDomains([named(0)]);
    memory.hypervisorProblem = { sinceSeconds: NOW, message: 'away' };
    expect(memory.state(NOW, 0).zombies).toEqual([]);
  });

  test('are busy while one is destroyed, and wait after that failed', () => {
    const memory = withDomains([named(0)]);
    memory.zombieEfforts.set('uuid-0', { busy: true, failures: 0, retryAtMs: 0 });
    expect(memory.state(NOW, 0).zombies).toMatchObject([{ busy: true }]);
    memory.zombieEfforts.set('uuid-0', { busy: false, failures: 1, retryAtMs: 3000 });
    expect(memory.state(NOW, 1000).zombies).toMatchObject([{ busy: false, retryInSeconds: 2 }]);
  });
});

describe('cleared machines', () => {
  const old = (index: number, changes: Partial<MachineRecord> = {}) =>
    entry('cleared', { slot: index % 8, createdTimeSeconds: NOW - DAY - index, ...changes });

  test('cost a pass nothing, however many there are', () => {
    const memory = memoryOf(Array.from({ length: 3000 }, (_, index) => old(index)));
    expect(memory.cleared.size).toBe(3000);
    expect(memory.state(NOW, 0).machines).toEqual([]);
  });

  test('come back into the picture when their directory’s time is over', () => {
    const due = old(1, { createdTimeSeconds: NOW - 5 * DAY });
    const forEver = old(2, { createdTimeSeconds: NOW - 50 * DAY, machinesDirDays: 0 });
    const memory = memoryOf([due, forEver, old(3)]);
    expect(memory.state(NOW, 0).machines.map(({ record: { id } }) => id)).toEqual([due.record.id]);
    const itAlone = memoryOf([due]);
    const lastSecond = due.record.createdTimeSeconds + 600 + 3 * DAY - 1;
    expect(itAlone.state(lastSecond, 0).machines).toEqual([]);
    expect(itAlone.state(lastSecond + 1, 0).machines).toHaveLength(1);
  });

  test('are known for the second in which they were created: their name is still taken', () => {
    const fresh = entry('cleared', { createdTimeSeconds: NOW });
    const memory = memoryOf([fresh]);
    expect(memory.state(NOW, 0).machines.map(({ record: { id } }) => id)).toEqual([fresh.record.id]);
    expect(memory.state(NOW + 1, 0).machines).toEqual([]);
  });

  test('are shown in the order of their clearing, the newest last', () => {
    const memory = memoryOf([old(1), old(2)]);
    const [later, sooner] = [entry('ended', { slot: 5 }), entry('ended', { slot: 6 })].map((ended) =>
      memory.remember(ended, 0),
    );
    memory.setCleared(sooner!);
    memory.setCleared(later!);
    expect(memory.lastCleared(3, 0).map(({ record: { slot } }) => slot)).toEqual([2, 6, 5]);
    expect(memory.lastCleared(3, 0).map(({ phase }) => phase)).toEqual(['cleared', 'cleared', 'cleared']);
    expect(memory.machines.size).toBe(0);
  });
});

describe('the last machine of a slot', () => {
  const inSlot = (slot: number, createdTimeSeconds: number) => entry('ended', { slot, createdTimeSeconds });

  test('is known however many machines other slots had since', () => {
    const memory = memoryOf([entry('cleared', { slot: 7, createdTimeSeconds: NOW - 2 * DAY })]);
    const idle = memory.remember(inSlot(5, NOW - DAY), 0);
    memory.setCleared(idle);
    for (let index = 0; index < 50; index += 1) memory.setCleared(memory.remember(inSlot(index % 4, NOW - index), 0));
    const last = new Map(memory.lastOfSlots(0).map(({ record }) => [record.slot, record.createdTimeSeconds]));
    expect(last).toEqual(
      new Map([
        [7, NOW - 2 * DAY],
        [5, NOW - DAY],
        [0, NOW - 48],
        [1, NOW - 49],
        [2, NOW - 46],
        [3, NOW - 47],
      ]),
    );
  });

  test('is forgotten with its directory, unless a later one is there', () => {
    const memory = memoryOf();
    const [first, second] = [NOW - 9, NOW - 8].map((created) => memory.remember(inSlot(1, created), 0));
    memory.setCleared(first!);
    memory.setCleared(second!);
    memory.forget(first!);
    expect(memory.lastOfSlots(0).map(({ record }) => record.id)).toEqual([second!.entry.record.id]);
    memory.forget(second!);
    expect(memory.lastOfSlots(0)).toEqual([]);
    expect(memory.cleared.size).toBe(0);
  });
});

describe('a type’s last outcome', () => {
  test('is that of the machine that was created last, whichever ended last', () => {
    const memory = memoryOf();
    const younger = record({ createdTimeSeconds: NOW - 100 });
    const older = record({ createdTimeSeconds: NOW - 200, slot: 1 });
    memory.keepLastEnd(younger, NOW - 90, end({ message: '300 No work' }), NOW);
    memory.keepLastEnd(older, NOW - 190, end({ message: '200 Success' }), NOW);
    expect(memory.lastEnds.get('prod')).toMatchObject({ message: '300 No work', hostname: younger.hostname });
  });

  test('does not come from a machine that never ran', () => {
    const memory = memoryOf();
    memory.keepLastEnd(record(), null, end(), NOW);
    expect(memory.lastEnds.size).toBe(0);
  });

  test('is not one from before the clock was set back: it would hide all others until that time has come', () => {
    const memory = memoryOf();
    memory.keepLastEnd(
      record({ createdTimeSeconds: NOW + 3600 }),
      NOW + 3600,
      end({ message: '200 Success' }),
      NOW + 3700,
    );
    expect(memory.state(NOW + 3700, 0).lastEnds.get('prod')?.message).toBe('200 Success');
    expect(memory.state(NOW, 0).lastEnds.size).toBe(0);
    memory.keepLastEnd(record({ createdTimeSeconds: NOW - 30 }), NOW - 25, end({ message: '300 No work' }), NOW);
    expect(memory.state(NOW, 0).lastEnds.get('prod')?.message).toBe('300 No work');
  });
});

test('ages are on the monotonic clock, whatever the wall clock says', () => {
  const memory = memoryOf();
  const machine = memory.remember(entry('running'), 0);
  machine.pausedSinceMs = 1000;
  machine.resumedAtMs = 2000;
  machine.stopAskedAtMs = 3000;
  machine.heartbeatFile = { mtimeMs: 4, changedAtMs: 4000 };
  const facts = [NOW, NOW + 7 * DAY, 1].map((wallSeconds) => memory.state(wallSeconds, 64_000).machines[0]!);
  for (const fact of facts) {
    expect(fact).toMatchObject({
      pausedForSeconds: 63,
      resumedForSeconds: 62,
      stopAskedForSeconds: 61,
      heartbeatFileAgeSeconds: 60,
    });
  }
});

test('what libvirt last said of a domain is not believed while it does not answer', () => {
  const memory = memoryOf();
  const machine = memory.remember(entry('running'), 0);
  machine.domain = domainOf(machine.entry.record);
  expect(memory.state(NOW, 0).machines[0]!.domain).toBe('running');
  memory.hypervisorProblem = { sinceSeconds: NOW, message: 'away' };
  expect(memory.state(NOW, 0).machines[0]!.domain).toBe('unknown');
});

test('slots are as many as processors are given to machines', () => {
  const memory = memoryOf();
  expect(memory.state(NOW, 0).slots).toBe(8);
  memory.config = config([], { totalProcessors: 3 });
  expect(memory.state(NOW, 0)).toMatchObject({ slots: 3, totalProcessors: 3 });
});

describe('machines that died early', () => {
  const died = (serial: number, changes: Partial<MachineRecord> = {}) => ({
    ...entry('ended', { createdTimeSeconds: NOW - 9000 + serial, fizzleSeconds: 700, ...changes }),
  });

  test('are known by machinetype, in every picture', () => {
    const memory = memoryOf();
    for (const serial of [1, 2, 3]) memory.noteLife(died(serial), NOW);
    memory.noteLife(died(4, { machinetype: 'user' }), NOW);
    memory.noteLife(entry('running'), NOW);
    const { earlyDeaths } = memory.state(NOW, 0);
    expect([...earlyDeaths].map(([name, { deaths }]) => `${name} ${deaths.length}`)).toEqual(['prod 3', 'user 1']);
    memory.noteLife(died(5, { fizzleSeconds: 100 }), NOW);
    expect(memory.state(NOW, 0).earlyDeaths.get('prod')?.deaths).toEqual([]);
  });

  test('are not hidden by one that lived long before the clock was set back, nor joined by those that died', () => {
    const memory = memoryOf();
    memory.noteLife(died(1, { createdTimeSeconds: NOW + 3600, fizzleSeconds: 0 }), NOW + 3700);
    memory.noteLife(died(2, { createdTimeSeconds: NOW + 3650 }), NOW + 3700);
    for (const serial of [3, 4]) memory.noteLife(died(serial), NOW);
    expect(memory.state(NOW, 0).earlyDeaths.get('prod')).toMatchObject({
      provenTimeSeconds: 0,
      deaths: [{ createdTimeSeconds: NOW - 8996 }, { createdTimeSeconds: NOW - 8997 }],
    });
  });
});

describe('a changed configuration', () => {
  test('has what may have been corrected tried anew', () => {
    const memory = memoryOf();
    memory.config = config([machinetype('prod'), machinetype('user')]);
    const failure = { count: 9, timeSeconds: NOW, message: 'no image' };
    memory.creationFailures.set('prod', failure);
    memory.slotFailures.set(3, failure);
    for (const name of ['prod', 'user']) memory.earlyDeaths.set(name, diedEarly(name, 5, 0).get(name)!);
    memory.serviceReady('network', 0);
    const changed = config([machinetype('prod', { rootImage: 'another.img' }), machinetype('user')]);
    memory.reconfigure(changed);
    expect(memory.config).toBe(changed);
    expect([memory.creationFailures.size, memory.slotFailures.size]).toEqual([0, 0]);
    // Nothing about this one has changed.
    expect([...memory.earlyDeaths.keys()]).toEqual(['user']);
    expect(memory.services.network.readySinceMs).toBeNull();
  });
});
