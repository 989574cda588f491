/** libvirtd killed and hung, and domains that the factory has not made. */

import { rm } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { FaultSite, machineOf, running, slotVerdict, typeVerdict } from './faults-site.js';

/** Guests boot under emulation on a host that other tests load too. */
vi.setConfig({ testTimeout: 240_000 });

/** An answer that takes longer than this was kept back by something that blocks the daemon. */
const MAX_ANSWER_SECONDS = 5;
/** Longer than the daemon takes to see that libvirt hangs: 5 s between listings, 10 s for one that gets no answer. */
const BACKOFF_SECONDS = 18;

describe.concurrent('libvirtd killed and started again', () => {
  test('machines go on, the trouble is told, and one that ended meanwhile is accounted once', () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      await site.configure({ guest: await site.demo(), halt: site.halting() });
      const daemon = site.start(2);
      const before = await daemon.until('a machine of each type runs', (s) => running(s).length === 2);
      const [guest] = running(before, 'guest');
      const [doomed] = running(before, 'halt');
      await site.untilBeats(guest!.id, 'it has booted');

      for (const pid of await host.pidsOf('libvirtd')) process.kill(pid, 'SIGKILL');
      await daemon.until('vacd says that libvirt is away', (s) => s.hypervisor.startsWith('libvirt: '));
      process.kill((await site.qemuOf(doomed!.uuid))!, 'SIGKILL');
      await host.until('factory-error says so', async () =>
        ((await site.state('factory-error')) ?? '').startsWith('libvirt does not answer'),
      );
      const during = await daemon.until(
        'no type may start',
        (s) =>
          typeVerdict(s, 'halt')?.code === 'hypervisor-down' && typeVerdict(s, 'guest')?.code === 'hypervisor-down',
      );
      expect(typeVerdict(during, 'halt')!.reason).toMatch(/libvirt has not answered for \d+ s/);
      // Nothing is judged by what nobody can tell now.
      for (const machine of [guest!, doomed!]) {
        expect(machineOf(during, machine.uuid)).toMatchObject({ phase: 'running', domain: 'unknown', stopping: null });
      }
      await site.untilBeats(guest!.id, 'while libvirtd is away');

      await host.startLibvirtd();
      const after = await daemon.until(
        'the lost machine is replaced',
        (s) => machineOf(s, doomed!.uuid)?.phase === 'cleared' && running(s).length === 2,
      );
      expect(machineOf(after, guest!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
      expect((await host.virsh('list', '--uuid')).split(/\s+/).filter(Boolean).sort()).toEqual(
        running(after)
          .map(({ uuid }) => uuid)
          .sort(),
      );
      expect(await host.pidsOf('qemu-system-x86')).toHaveLength(2);
      expect(await site.accountedUuids()).toEqual([doomed!.uuid]);
      await site.untilBeats(guest!.id, 'after the return of libvirtd');
      await host.until('factory-error is gone', async () => (await site.state('factory-error')) === null);
    }));
});

describe.concurrent('libvirtd hung', () => {
  test('the daemon answers all the time, starts and judges nothing, and goes on afterwards', () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      const late = site.file('late.img');
      await site.configure({ late: site.halting({ root_image: late, backoff_seconds: BACKOFF_SECONDS }) });
      await site.makeHaltImage(late);
      const daemon = site.start(2);
      const before = await daemon.until('two machines run', (s) => running(s).length === 2);
      const [kept, lost] = running(before);
      // The type, whose image is away for the moment, waits for its next try: the slot stays free.
      await rm(late);
      await host.virsh('destroy', lost!.hostname);
      const failed = await daemon.until(
        'the slot is free after a failure',
        (s) => slotVerdict(s, lost!.slot)?.code === 'nothing-eligible',
      );
      await site.makeHaltImage(late);

      const [libvirtd] = await host.pidsOf('libvirtd');
      process.kill(libvirtd!, 'SIGSTOP');
      let askedMs = performance.now();
      let slowestSeconds = 0;
      const untilSeen = async (what: string, condition: Parameters<typeof daemon.until>[1]) =>
        daemon.until(what, (s) => {
          slowestSeconds = Math.max(slowestSeconds, (performance.now() - askedMs) / 1000);
          askedMs = performance.now();
          return condition(s);
        });
      const during = await untilSeen(
        'the free slot is kept free for libvirt',
        (s) => slotVerdict(s, lost!.slot)?.code === 'hypervisor-down',
      );
      expect(slotVerdict(during, lost!.slot)!.reason).toMatch(/libvirt has not answered for \d+ s: .+/);
      // By then the type's wait is over: only the hung libvirt keeps it from the slot.
      const longer = await untilSeen(
        'the hang goes on',
        (s) => s.timeSeconds > failed.timeSeconds + BACKOFF_SECONDS + 3,
      );
      expect(slotVerdict(longer, lost!.slot)!.code).toBe('hypervisor-down');
      expect(machineOf(longer, kept!.uuid)).toMatchObject({ phase: 'running', domain: 'unknown', stopping: null });
      expect(slowestSeconds).toBeLessThan(MAX_ANSWER_SECONDS);

      process.kill(libvirtd!, 'SIGCONT');
      const after = await daemon.until('the free slot is filled', (s) => running(s).length === 2);
      expect(machineOf(after, kept!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
      expect(await host.pidsOf('qemu-system-x86')).toHaveLength(2);
    }));

  test('a creation that the hang caught leaves one machine in the slot', () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      await site.configure({ halt: site.halting() });
      const daemon = site.start(2);
      const before = await daemon.until('both slots are filled', (s) => running(s).length === 2);
      const [victim, other] = running(before);
      const [libvirtd] = await host.pidsOf('libvirtd');
      // Once libvirt told of the end it hangs: the successor is created into the hang.
      process.kill((await site.qemuOf(victim!.uuid))!, 'SIGKILL');
      await daemon.until('the end is known', (s) => machineOf(s, victim!.uuid)?.phase !== 'running');
      process.kill(libvirtd!, 'SIGSTOP');
      const hung = await daemon.until('vacd says that libvirt hangs', (s) => s.hypervisor.startsWith('libvirt: '));
      expect(hung.machines.filter(({ slot, phase }) => slot === victim!.slot && phase === 'starting')).toHaveLength(1);

      process.kill(libvirtd!, 'SIGCONT');
      const after = await daemon.until('both slots are filled again', (s) => running(s).length === 2);
      expect(machineOf(after, other!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
      await host.until('libvirt has the machines of the slots and no other', async () => {
        const now = await daemon.status();
        const domains = (await host.virsh('list', '--uuid')).split(/\s+/).filter(Boolean).sort();
        const known = running(now!).map(({ uuid }) => uuid);
        return known.length === 2 && domains.join() === known.sort().join();
      });
      expect(await host.pidsOf('qemu-system-x86')).toHaveLength(2);
    }));
});

describe.concurrent('domains that the factory has not made', () => {
  test('one with the name of a slot is destroyed and reported, another is left alone', () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      await site.configure({ halt: site.halting() });
      const daemon = site.start(2, { startsLimit: 1 });
      const before = await daemon.until('one slot is filled', (s) => running(s).length === 1);
      const [machine] = running(before);
      const free = 1 - machine!.slot;
      // One zero too few, and of another host: no slot has these names.
      const others = ['f-1.example.com', 'f-01.example.org', 'database'];
      for (const name of others) await site.createForeignDomain(name);
      // It may be destroyed before virsh is done with creating it, at any point of that; that it was there is told by vacd.
      await site.createForeignDomain(`f-0${free}.example.com`).catch(() => {});

      await host.until('the domain in the slot is destroyed', async () => {
        return !(await host.domains()).includes(`f-0${free}.example.com`);
      });
      expect(await daemon.why({ slot: free })).toContainEqual(
        expect.objectContaining({
          code: 'machine',
          reason: expect.stringMatching(/destroy: domain f-0\d\.example\.com/),
        }),
      );
      expect(daemon.output).toContain('no machine directory explains it');
      const after = await daemon.until('the slot is free again', (s) => slotVerdict(s, free)?.code === 'starts-limit');
      expect(machineOf(after, machine!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
      expect((await host.domains()).sort()).toEqual([...others, machine!.hostname].sort());
    }));
});
