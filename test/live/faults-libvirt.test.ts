/** libvirtd killed and hung, and domains that the factory has not made. */

import { rm, writeFile } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { askDaemon } from '../../src/daemon/control.js';
import { FaultSite, machineOf, running, slotVerdict, typeVerdict } from './faults-site.js';

/** Guests boot under emulation on a host that other tests load too. */
vi.setConfig({ testTimeout: 500_000 });

const BOOT_SECONDS = 200;

/** An answer that takes longer than this was kept back. */
const MAX_ANSWER_SECONDS = 5;
/** For one more listing after that which told of the hang: 5 s between them, and 10 s for one that gets no answer. */
const HANG_SECONDS = 16;

describe.concurrent('libvirtd killed and started again', () => {
  test('machines go on, the trouble is told, and one that ended meanwhile is accounted once', () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      await site.configure({ guest: await site.demo(), halt: site.halting() });
      const daemon = site.start(2);
      const before = await daemon.until('a machine of each type runs', (s) => running(s).length === 2);
      const [guest] = running(before, 'guest');
      const [doomed] = running(before, 'halt');
      await site.untilBeats(guest!.id, 'it has booted', BOOT_SECONDS);

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
      await site.configure({ halt: site.halting() });
      const daemon = site.start(2);
      const before = await daemon.until('two machines run', (s) => running(s).length === 2);
      const [kept, lost] = running(before);
      // An order keeps the slot free until libvirt hangs, however long it takes to see that it does.
      const order = (request: Parameters<typeof askDaemon>[1]) => askDaemon(`${site.stateDir}/vacd.sock`, request);
      await order({ command: 'drain', reason: 'libvirtd is about to hang' });
      await host.virsh('destroy', lost!.hostname);
      await daemon.until('the slot is free', (s) => slotVerdict(s, lost!.slot)?.code === 'draining');

      const [libvirtd] = await host.pidsOf('libvirtd');
      process.kill(libvirtd!, 'SIGSTOP');
      let askedMs = performance.now();
      const answersSeconds: number[] = [];
      const untilSeen = async (what: string, condition: Parameters<typeof daemon.until>[1]) =>
        daemon.until(what, (s) => {
          answersSeconds.push((performance.now() - askedMs) / 1000);
          askedMs = performance.now();
          return condition(s);
        });
      await untilSeen('vacd says that libvirt hangs', (s) => s.hypervisor.startsWith('libvirt: '));
      await order({ command: 'undrain' });
      askedMs = performance.now();
      // From here on only the hung libvirt keeps it from the slot.
      const during = await untilSeen(
        'the free slot is kept free for libvirt',
        (s) => slotVerdict(s, lost!.slot)?.code === 'hypervisor-down',
      );
      expect(slotVerdict(during, lost!.slot)!.reason).toMatch(/libvirt has not answered for \d+ s: .+/);
      const longer = await untilSeen('the hang goes on', (s) => s.timeSeconds > during.timeSeconds + HANG_SECONDS);
      expect(slotVerdict(longer, lost!.slot)!.code).toBe('hypervisor-down');
      expect(machineOf(longer, kept!.uuid)).toMatchObject({ phase: 'running', domain: 'unknown', stopping: null });
      expect(longer.machines.filter(({ phase }) => phase !== 'cleared')).toHaveLength(1);
      // One slow answer may be this host's, which has other work; a libvirt that hangs would keep back one at each listing.
      expect(answersSeconds.filter((seconds) => seconds > MAX_ANSWER_SECONDS).length).toBeLessThanOrEqual(1);

      process.kill(libvirtd!, 'SIGCONT');
      const after = await daemon.until('the free slot is filled', (s) => running(s).length === 2);
      expect(machineOf(after, kept!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
      expect(await host.pidsOf('qemu-system-x86')).toHaveLength(2);
    }));

  test('a creation that the hang caught leaves one machine in the slot', () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      const holdFile = site.file('hold');
      await site.configure({ halt: site.halting() });
      const daemon = site.start(2, { holdFile });
      const before = await daemon.until('both slots are filled', (s) => running(s).length === 2);
      const [victim, other] = running(before);
      const [libvirtd] = await host.pidsOf('libvirtd');
      // Its successor waits at libvirt's door until libvirt hangs.
      await writeFile(holdFile, '');
      process.kill((await site.qemuOf(victim!.uuid))!, 'SIGKILL');
      await daemon.until('its successor is being made', (s) =>
        s.machines.some(({ slot, phase }) => slot === victim!.slot && phase === 'starting'),
      );
      process.kill(libvirtd!, 'SIGSTOP');
      await rm(holdFile);
      const hung = await daemon.until('vacd says that libvirt hangs', (s) => s.hypervisor.startsWith('libvirt: '));
      expect(hung.machines.filter(({ slot, phase }) => slot === victim!.slot && phase === 'starting')).toHaveLength(1);

      process.kill(libvirtd!, 'SIGCONT');
      const after = await daemon.until('both slots are filled again', (s) => running(s).length === 2);
      expect(machineOf(after, other!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
      await host.until('libvirt has the machines of the slots and no other', async () => {
        const now = await daemon.status();
        const domains = (await host.virsh('list', '--uuid')).split(/\s+/).filter(Boolean).sort();
        const known = now === null ? [] : running(now).map(({ uuid }) => uuid);
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
      await host.until('vac why tells of it', async () =>
        (await daemon.why({ slot: free })).some(
          ({ code, reason }) => code === 'machine' && /destroy: domain f-0\d\.example\.com/.test(reason),
        ),
      );
      await host.until('the log tells of it', () => daemon.output.includes('no machine directory explains it'));
      const after = await daemon.until('the slot is free again', (s) => slotVerdict(s, free)?.code === 'starts-limit');
      expect(machineOf(after, machine!.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
      expect((await host.domains()).sort()).toEqual([...others, machine!.hostname].sort());
    }));
});
