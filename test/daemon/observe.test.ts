import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { MachineMemory } from '../../src/daemon/machine-memory.js';
import { VacError } from '../../src/errors.js';
import type { DomainListing } from '../../src/host/hypervisor.js';
import { NoNfs } from '../../src/host/nfs.js';
import { METADATA_IP } from '../../src/machines/layout.js';
import { nowSeconds, TestFactory, turn, until } from './test-factory.js';

const AWAY = new VacError('hypervisor-unreachable', 'no libvirtd there');

let factory: TestFactory;

beforeEach(async () => {
  factory = await TestFactory.create();
});

afterEach(async () => {
  vi.useRealTimers();
  await factory.dispose();
});

/** The picture that the core gets of the one machine there is. */
function facts() {
  return factory.memory.state(nowSeconds(), performance.now()).machines[0]!;
}

function listings(): number {
  return factory.hypervisor.calls.filter((call) => call === 'listDomains').length;
}

function expectBetween(earliest: number, seconds: number | null, latest: number): void {
  expect(seconds).toBeGreaterThanOrEqual(earliest);
  expect(seconds).toBeLessThanOrEqual(latest);
}

/** The next listing's answer is given by the test, with what there was when it was asked for. */
function holdNextListing(): { answer: (() => void) | null; answerOnceAsked(): Promise<void> } {
  const held: ReturnType<typeof holdNextListing> = {
    answer: null,
    async answerOnceAsked() {
      await until('the listing is asked for', () => held.answer !== null);
      held.answer!();
    },
  };
  vi.spyOn(factory.hypervisor, 'listDomains').mockImplementationOnce(() => {
    const listing: DomainListing = { askedAtMs: performance.now(), domains: [...factory.hypervisor.domains.values()] };
    return new Promise((resolve) => {
      held.answer = () => resolve(listing);
    });
  });
  return held;
}

describe('a domain that a listing lacks', () => {
  test('is gone', async () => {
    const machine = await factory.addMachine();
    await factory.observer.listDomains();
    expect(facts().domain).toBe('running');
    factory.hypervisor.domains.delete(machine.entry.record.uuid);
    await factory.observer.listDomains();
    expect(facts()).toMatchObject({ domain: 'gone', shutdownMessage: null });
  });

  test('is not gone by a listing that was asked for before its creation ended', async () => {
    const held = holdNextListing();
    const listed = factory.observer.listDomains();
    const machine = await factory.addMachine();
    machine.changedAtMs = performance.now();
    await held.answerOnceAsked();
    await listed;
    expect(facts().domain).toBe('unknown');
    await factory.observer.listDomains();
    expect(facts().domain).toBe('running');
  });

  test('is not gone while its machine is being created', async () => {
    const machine = await factory.addMachine({}, { phase: 'starting' }, false);
    machine.busy = true;
    await factory.observer.listDomains();
    expect(machine.gone).toBe(false);
    machine.busy = false;
    await factory.observer.listDomains();
    expect(machine.gone).toBe(true);
  });

  test('is back when a listing has it again', async () => {
    const machine = await factory.addMachine({}, {}, false);
    await factory.observer.listDomains();
    expect(facts().domain).toBe('gone');
    factory.addDomain(machine.entry.record);
    await factory.observer.listDomains();
    expect(facts().domain).toBe('running');
  });

  test('has its last words read before it counts as gone', async () => {
    const machine = await factory.addMachine({}, {}, false);
    await writeFile(factory.joboutput(machine, 'shutdown_message'), '300 No work\nsecond line');
    const pictures = new Set<string>();
    let listed = false;
    const done = factory.observer.listDomains().then(() => {
      listed = true;
    });
    while (!listed) {
      const { domain, shutdownMessage } = facts();
      pictures.add(`${domain}: ${shutdownMessage}`);
      await turn();
    }
    await done;
    pictures.add(`${facts().domain}: ${facts().shutdownMessage}`);
    expect([...pictures]).not.toContain('gone: null');
    expect([...pictures]).toContain('gone: 300 No work');
  });

  test('one machine’s unreadable file does not hold up the others', async () => {
    const first = await factory.addMachine({ slot: 0 }, {}, false);
    const second = await factory.addMachine({ slot: 1 }, {}, false);
    await writeFile(factory.joboutput(second, 'shutdown_message'), '200 Done');
    const { inMachine } = factory.layout;
    const unreadable = vi.spyOn(factory.layout, 'inMachine').mockImplementation((id, name) => {
      if (id === first.entry.record.id) throw new Error('EIO: the disk is broken');
      return inMachine(id, name);
    });
    await factory.observer.listDomains();
    expect(second).toMatchObject({ gone: true, shutdownMessage: '200 Done' });
    expect(first.gone).toBe(false);
    expect(factory.log.with('last words cannot be read: EIO')).toHaveLength(1);
    unreadable.mockRestore();
    await factory.observer.listDomains();
    expect(first.gone).toBe(true);
  });
});

describe('a hostile shutdown_message is no message', () => {
  const HOSTILE: Readonly<Record<string, (path: string) => Promise<unknown> | unknown>> = {
    'a link to a file of the host': async (path) => {
      await writeFile(`${factory.layout.root}/secret`, '200 secret');
      await symlink(`${factory.layout.root}/secret`, path);
    },
    'a link to nowhere': (path) => symlink('/nowhere/at/all', path),
    'a FIFO that nobody writes to': (path) => execFileSync('mkfifo', [path]),
    'a huge file': async (path) => {
      await writeFile(path, '200 Success');
      await truncate(path, 2 ** 40);
    },
    'a directory': (path) => mkdir(path),
    'only control characters': (path) => writeFile(path, '\u001b\u0000\u0007\u202e'),
  };

  test.each(Object.keys(HOSTILE))('%s', async (what) => {
    const machine = await factory.addMachine({}, {}, false);
    await HOSTILE[what]!(factory.joboutput(machine, 'shutdown_message'));
    await factory.observer.listDomains();
    expect(facts()).toMatchObject({ domain: 'gone', shutdownMessage: null, lastTraceTimeSeconds: null });
  });

  test('of what can be read only the first line, harmless', async () => {
    const machine = await factory.addMachine({}, {}, false);
    await writeFile(factory.joboutput(machine, 'shutdown_message'), '\u001b[31m200  Success\u202e\r\n600 forged');
    await factory.observer.listDomains();
    expect(facts().shutdownMessage).toBe('[31m200 Success');
  });
});

describe('when and how it went', () => {
  test('is what libvirt’s event said', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'] });
    const machine = await factory.addMachine();
    await factory.observer.start();
    await until('it is seen', () => machine.domain !== null);
    const held = holdNextListing();
    const wentSeconds = nowSeconds();
    factory.hypervisor.powerOff(machine.entry.record.uuid, 'crashed');
    vi.setSystemTime(Date.now() + 7000);
    await held.answerOnceAsked();
    await until('it is gone', () => machine.gone);
    expect(facts()).toMatchObject({ goneTimeSeconds: wentSeconds, goneDetail: 'crashed' });
  });

  test('is not kept where the event comes after the listing', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    await factory.observer.start();
    const kept = (factory.observer as unknown as { stopped: ReadonlyMap<string, unknown> }).stopped;
    for (let slot = 0; slot < 3; slot += 1) {
      const { entry } = await factory.addMachine({ slot }, {}, false);
      await factory.observer.listDomains();
      factory.addDomain(entry.record);
      factory.hypervisor.powerOff(entry.record.uuid);
      expect(kept.size).toBe(1);
      await factory.observer.listDomains();
      expect(kept.size).toBe(0);
    }
  });

  test('is now, and unknown, when there was no event but it was seen running', async () => {
    const machine = await factory.addMachine();
    await factory.observer.listDomains();
    factory.hypervisor.domains.delete(machine.entry.record.uuid);
    const before = nowSeconds();
    await factory.observer.listDomains();
    expect(facts().goneDetail).toBeNull();
    expectBetween(before, facts().goneTimeSeconds, nowSeconds());
  });

  test('is not known when nobody was watching', async () => {
    await factory.addMachine({}, {}, false);
    await factory.observer.listDomains();
    expect(facts()).toMatchObject({ domain: 'gone', goneTimeSeconds: null, goneDetail: null });
  });

  test('a console that was written to is a trace of its guest, an empty one is not', async () => {
    const spoke = await factory.addMachine({ slot: 0 }, {}, false);
    const silent = await factory.addMachine({ slot: 1 }, {}, false);
    const consoleOf = ({ entry }: MachineMemory) => factory.layout.inMachine(entry.record.id, 'console.log');
    await writeFile(consoleOf(spoke), 'booting\n');
    await utimes(consoleOf(spoke), 1_700_000_123, 1_700_000_123);
    await writeFile(consoleOf(silent), '');
    await factory.observer.listDomains();
    expect(spoke.lastTraceTimeSeconds).toBe(1_700_000_123);
    expect(silent.lastTraceTimeSeconds).toBeNull();
  });

  test('a trace is not believed to be of the future', async () => {
    const machine = await factory.addMachine({}, {}, false);
    const console = factory.layout.inMachine(machine.entry.record.id, 'console.log');
    await writeFile(console, 'booting\n');
    await utimes(console, nowSeconds() + 86_400, nowSeconds() + 86_400);
    await factory.observer.listDomains();
    expect(machine.lastTraceTimeSeconds).toBeLessThanOrEqual(nowSeconds());
  });
});

describe('CPU time', () => {
  test('never goes down, and its percentage is of the time since it was last seen', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const machine = await factory.addMachine();
    const see = async (cpuSeconds: number) => {
      factory.hypervisor.change(machine.entry.record.uuid, { cpuSeconds });
      await factory.observer.listDomains();
      vi.setSystemTime(Date.now() + 10_000);
    };
    await see(100);
    await see(105);
    expect(facts()).toMatchObject({ cpuSeconds: 105, cpuPercent: 50 });
    await see(3);
    expect(facts()).toMatchObject({ cpuSeconds: 105, cpuPercent: 0 });
  });

  test('goes on from what an earlier vacd had written', async () => {
    await factory.addMachine({}, { cpuSeconds: 500 });
    await factory.observer.listDomains();
    expect(facts().cpuSeconds).toBe(500);
  });
});

describe('a pause', () => {
  test('lasts from when it was first seen, and its end is remembered', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const { uuid } = (await factory.addMachine()).entry.record;
    factory.hypervisor.change(uuid, { state: 'paused', pausedByIoError: true });
    await factory.observer.listDomains();
    vi.advanceTimersByTime(70_000);
    await factory.observer.listDomains();
    expect(facts()).toMatchObject({
      domain: 'paused',
      pausedForSeconds: 70,
      pausedByIoError: true,
      resumedForSeconds: null,
    });
    factory.hypervisor.change(uuid, { state: 'running', pausedByIoError: false });
    await factory.observer.listDomains();
    vi.advanceTimersByTime(5000);
    expect(facts()).toMatchObject({
      domain: 'running',
      pausedForSeconds: 0,
      resumedForSeconds: 5,
      pausedByIoError: false,
    });
  });
});

describe('the machine’s heartbeat file', () => {
  test('is written when it is seen running, at most every thirty seconds', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    const machine = await factory.addMachine();
    const path = factory.layout.inMachine(machine.entry.record.id, 'heartbeat');
    const text = () => readFile(path, 'utf8').catch(() => null);
    factory.hypervisor.change(machine.entry.record.uuid, { cpuSeconds: 41.6 });
    await factory.observer.listDomains();
    vi.advanceTimersByTime(29_000);
    await factory.observer.listDomains();
    expect(await text()).toBeNull();
    vi.advanceTimersByTime(1000);
    await factory.observer.listDomains();
    await until('it is written', async () => (await text()) === '42 0.0');
  });
});

describe('heartbeats in joboutputs', () => {
  const HEARTBEAT = 'heartbeat_vm';

  beforeEach(() => vi.useFakeTimers({ toFake: ['Date', 'performance', 'setInterval', 'clearInterval'] }));

  /** Lets one round of looking at the host go by; what is being waited for must come of it. */
  async function look(what: string, condition: () => boolean): Promise<void> {
    vi.advanceTimersByTime(2000);
    await until(what, condition);
  }

  const age = () => facts().heartbeatFileAgeSeconds;

  async function machineWithHeartbeat(mtimeMs: number | null): Promise<{ machine: MachineMemory; path: string }> {
    const machine = await factory.addMachine({ heartbeatFile: HEARTBEAT, heartbeatSeconds: 600 });
    const path = factory.joboutput(machine, HEARTBEAT);
    if (mtimeMs !== null) {
      await writeFile(path, '');
      await utimes(path, mtimeMs / 1000, mtimeMs / 1000);
    }
    await factory.observer.start();
    return { machine, path };
  }

  test('age from their last change, also one that was before vacd began', async () => {
    await machineWithHeartbeat(Date.now() - 100_000);
    await look('its age is known', () => age() !== null);
    expect(age()).toBe(102);
    vi.advanceTimersByTime(1000);
    expect(age()).toBe(103);
  });

  test('grow older from look to look while nobody touches them', async () => {
    const { machine } = await machineWithHeartbeat(Date.now() - 100_000);
    // Looked at after the first one, so that its change tells that the round is over.
    const other = await factory.addMachine({ slot: 1, heartbeatFile: HEARTBEAT });
    await writeFile(factory.joboutput(other, HEARTBEAT), '');
    await look('both are known', () => other.heartbeatFile !== null);
    const touchedSeconds = 1_700_000_000;
    await utimes(factory.joboutput(other, HEARTBEAT), touchedSeconds, touchedSeconds);
    await look('the next round is over', () => other.heartbeatFile?.mtimeMs === touchedSeconds * 1000);
    expect(machine.heartbeatFile).not.toBeNull();
    expect(age()).toBe(104);
  });

  test('of the future are of now, and do not stay young for ever', async () => {
    const { machine } = await machineWithHeartbeat(Date.now() + 86_400_000);
    await look('its age is known', () => machine.heartbeatFile !== null);
    expect(age()).toBe(0);
    vi.advanceTimersByTime(60_000);
    expect(age()).toBe(60);
  });

  test.each([86_400_000, -86_400_000])('a wall clock that jumps by %i ms makes them no older', async (jumpMs) => {
    const { machine, path } = await machineWithHeartbeat(Date.now() - 10_000);
    await look('its age is known', () => age() !== null);
    const before = age()!;
    vi.setSystemTime(Date.now() + jumpMs);
    expect(age()).toBe(before);
    const touchedMs = Math.floor(Date.now() / 1000) * 1000 - 3000;
    await utimes(path, touchedMs / 1000, touchedMs / 1000);
    await look('the change is seen', () => machine.heartbeatFile?.mtimeMs === touchedMs);
    expect(age()).toBe(0);
  });

  test.each([
    ['are not there when the guest puts a link in their place', (path: string) => symlink('/etc/hostname', path)],
    ['are not there when the guest puts a directory in their place', (path: string) => mkdir(path)],
    ['are not there any more when the guest removes them', async () => {}],
  ])('%s', async (_, replace) => {
    const { machine, path } = await machineWithHeartbeat(Date.now());
    await look('it is there', () => machine.heartbeatFile !== null);
    await rm(path);
    await replace(path);
    await look('it is not there', () => machine.heartbeatFile === null);
    expect(age()).toBeNull();
  });
});

describe('a hypervisor that fails and comes back', () => {
  function down(): { up: () => void } {
    const spy = vi.spyOn(factory.hypervisor, 'listDomains').mockRejectedValue(AWAY);
    return { up: () => spy.mockRestore() };
  }

  test('is logged once each', async () => {
    const { up } = down();
    const before = nowSeconds();
    for (let times = 0; times < 3; times += 1) await factory.observer.listDomains();
    expect(factory.log.with('libvirt does not answer: no libvirtd there')).toHaveLength(1);
    const { sinceSeconds, message } = factory.memory.hypervisorProblem!;
    expectBetween(before, sinceSeconds, nowSeconds());
    expect(message).toBe(AWAY.message);
    up();
    for (let times = 0; times < 3; times += 1) await factory.observer.listDomains();
    expect(factory.log.with('libvirt answers again')).toHaveLength(1);
    expect(factory.memory.hypervisorProblem).toBeNull();
  });

  test('is logged when it fails from the first, too, and its first answer only then', async () => {
    expect(factory.log.with('libvirt answers again')).toEqual([]);
    factory.memory.listing = null;
    factory.memory.hypervisorProblem = { sinceSeconds: 0, message: 'not asked yet' };
    const { up } = down();
    await factory.observer.listDomains();
    expect(factory.log.with('libvirt does not answer')).toHaveLength(1);
    up();
    await factory.observer.listDomains();
    expect(factory.log.with('libvirt answers again')).toHaveLength(1);
  });

  test('makes no machine gone', async () => {
    const machine = await factory.addMachine();
    await factory.observer.listDomains();
    down();
    await factory.observer.listDomains();
    expect(machine.gone).toBe(false);
    expect(facts().domain).toBe('unknown');
  });

  test('is not asked in a hurry: a listing every five seconds', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const spy = vi.spyOn(factory.hypervisor, 'listDomains').mockRejectedValue(AWAY);
    await factory.observer.start();
    await until('the first listing failed', () => factory.memory.hypervisorProblem !== null);
    const before = spy.mock.calls.length;
    const seconds = 60;
    for (let second = 0; second < seconds; second += 1) {
      vi.advanceTimersByTime(1000);
      await turn();
      await turn();
    }
    expect(spy.mock.calls.length - before).toBe(seconds / 5);
  });
});

describe('a listing that is wished for', () => {
  test('begins after the wish; many wishes while one is under way make one more', async () => {
    const before = listings();
    factory.hypervisor.hang();
    const first = factory.observer.listDomains();
    const wishes = Array.from({ length: 20 }, () => factory.observer.listDomains());
    let granted = 0;
    for (const wish of wishes) void wish.then(() => (granted += 1));
    const listed = vi.spyOn(factory.hypervisor, 'listDomains');
    const held = holdNextListing();
    factory.hypervisor.answerAgain();
    await first;
    await until('the second has begun', () => held.answer !== null);
    expect(granted).toBe(0);
    await held.answerOnceAsked();
    await Promise.all(wishes);
    expect(granted).toBe(20);
    expect(listed).toHaveBeenCalledTimes(1);
    expect(listings() - before).toBe(1);
  });

  test('comes true when the one under way fails, and after it another may be wished for', async () => {
    factory.hypervisor.hang();
    const first = factory.observer.listDomains();
    const wish = factory.observer.listDomains();
    factory.hypervisor.answerAgain();
    await Promise.all([first, wish]);
    expect(factory.memory.hypervisorProblem).toBeNull();
    const before = listings();
    await factory.observer.listDomains();
    expect(listings()).toBe(before + 1);
  });

  test('wakes the loop', async () => {
    const before = factory.wakes;
    await factory.observer.listDomains();
    expect(factory.wakes).toBe(before + 1);
  });
});

describe('services', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }));

  test('that no longer work are said to be so once, and may be brought up at once', async () => {
    factory.serviceWork.syslog = async () => {
      throw new Error('nobody listens on 514');
    };
    await factory.observer.start();
    vi.advanceTimersByTime(10_000);
    await until('it is noticed', () => factory.memory.services.syslog.readySinceMs === null);
    const { services } = factory.memory.state(nowSeconds(), performance.now()).host;
    expect(services.syslog).toMatchObject({ ready: false, problem: 'nobody listens on 514', retryInSeconds: 0 });
    expect(services.metadata.ready).toBe(true);
    const others = vi.spyOn(factory.serviceWork, 'metadata');
    vi.advanceTimersByTime(10_000);
    await until('all were looked at again', () => others.mock.calls.length > 0);
    await turn();
    expect(factory.log.with('syslog no longer works')).toHaveLength(1);
  });

  test('whose server has ended are looked at before it is their turn', async () => {
    await factory.observer.start();
    const syslog = vi.spyOn(factory.serviceWork, 'syslog');
    const others = vi.spyOn(factory.serviceWork, 'metadata');
    factory.ended.add('syslog');
    const { wakes } = factory;
    vi.advanceTimersByTime(2_000);
    await until('it was looked at', () => syslog.mock.calls.length > 0 && factory.wakes > wakes);
    vi.advanceTimersByTime(2_000);
    await turn();
    expect([syslog.mock.calls.length, others.mock.calls.length]).toEqual([1, 0]);
    expect(factory.log.with('syslog: its server has ended')).toHaveLength(1);
  });

  test('the network is not judged while libvirt is away', async () => {
    const check = vi.fn().mockRejectedValue(AWAY);
    factory.serviceWork.network = check;
    vi.spyOn(factory.hypervisor, 'listDomains').mockRejectedValue(AWAY);
    await factory.observer.start();
    await until('libvirt is known to be away', () => factory.memory.hypervisorProblem !== null);
    const others = vi.spyOn(factory.serviceWork, 'metadata');
    vi.advanceTimersByTime(10_000);
    await until('all were looked at', () => others.mock.calls.length > 0);
    expect(check).not.toHaveBeenCalled();
    expect(factory.memory.services.network.readySinceMs).not.toBeNull();
  });
});

test('machines that the NFS server no longer exports are noticed', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const exported = new Set<string>();
  const nfs = new NoNfs({ address: METADATA_IP });
  Object.assign(nfs, { name: 'ganesha', list: async () => exported });
  const withNfs = await TestFactory.create({ tools: { nfs } });
  try {
    const kept = await withNfs.addMachine({ slot: 0 });
    const lost = await withNfs.addMachine({ slot: 1 });
    exported.add(kept.entry.record.id);
    await withNfs.observer.start();
    vi.advanceTimersByTime(10_000);
    await until('the exports were looked at', () => kept.exported !== null);
    expect([kept.exported, lost.exported]).toEqual([true, false]);
  } finally {
    await withNfs.dispose();
  }
});
