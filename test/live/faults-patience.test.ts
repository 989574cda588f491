/** Rules that wait for a minute: heartbeat files, machines paused from outside, the NFS server's absence. */

import { expect, test } from 'vitest';
import { FaultSite, machineOf, running } from './faults-site.js';

const { concurrent } = test;

/** Waits of a minute, and guests that boot under emulation on a host that other tests load too. */
const TIMEOUT_MS = 600_000;

/** More than a guest or its NFS server may be held up by what else the host does. */
const HEARTBEAT_SECONDS = 30;
/**
 * Time for a guest to boot on a loaded host, as fizzle_seconds; the heartbeat rules wait for it. They wait for 60 s anyway
 * after the NFS server began.
 */
const BOOT_SECONDS = 100;

concurrent(
  'hung guests and a paused machine are ended, while other slots are filled again',
  () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      const hung = { heartbeat_file: 'heartbeat', backoff_seconds: 3600 };
      await site.configure({
        // Hears no power button either.
        mute: site.halting({ ...hung, fizzle_seconds: 5 }),
        stuck: await site.demo({
          ...hung,
          user_data_option_mode: 'hang',
          fizzle_seconds: BOOT_SECONDS,
          heartbeat_seconds: HEARTBEAT_SECONDS,
          user_data_option_work_seconds: 3,
        }),
        frozen: site.halting({ backoff_seconds: 3600 }),
        // By its share it gets every slot that the first machine of each type leaves.
        halt: site.halting({ target_share: 100 }),
      });
      const daemon = site.start(5);
      const before = await daemon.until('all slots are filled', (s) => running(s).length === 5);
      const [mute] = running(before, 'mute');
      const [stuck] = running(before, 'stuck');
      const [paused] = running(before, 'frozen');
      const [resumed, ended] = running(before, 'halt');
      await host.virsh('suspend', paused!.hostname);
      await host.virsh('suspend', resumed!.hostname);
      await daemon.until('vacd sees them paused', (s) =>
        [paused!, resumed!].every(({ uuid }) => machineOf(s, uuid)?.domain === 'paused'),
      );
      await host.virsh('resume', resumed!.hostname);
      await site.untilBeaten(stuck!.id, BOOT_SECONDS);

      for (const guest of [mute!, stuck!]) {
        await daemon.until('it is asked to stop', (s) => machineOf(s, guest.uuid)?.stopping !== null, 200);
        if (guest === mute) {
          // Its 30 s run; meanwhile another slot is freed and filled.
          await host.virsh('destroy', ended!.hostname);
          const refilled = await daemon.until('the slot is filled', (s) =>
            running(s, 'halt').some(({ slot, uuid }) => slot === ended!.slot && uuid !== ended!.uuid),
          );
          expect(machineOf(refilled, mute.uuid)).toMatchObject({ phase: 'running', domain: 'running' });
        }
      }

      const after = await daemon.until(
        'all three are over, and libvirt tells of the others',
        (s) =>
          [mute!, stuck!, paused!].every(({ uuid }) => machineOf(s, uuid)?.phase === 'cleared') &&
          machineOf(s, resumed!.uuid)?.domain !== 'unknown',
      );
      expect(machineOf(after, mute!.uuid)!.end!.message).toBe('700 Heartbeat file not created');
      expect(machineOf(after, stuck!.uuid)!.end!.message).toBe('700 Heartbeat file not updated');
      // Told at each attempt, of which a libvirt that is held up may need two.
      const deaf = [...daemon.output.matchAll(/(\S+): destroyed: .*it did not stop within 30 s/g)];
      expect(new Set(deaf.map(([, hostname]) => hostname))).toEqual(new Set([mute!.hostname, stuck!.hostname]));
      expect(machineOf(after, paused!.uuid)!.end).toMatchObject({
        message: '700 Paused from outside',
        reason: 'stopped: paused for 60 s, and not by this factory',
      });
      expect(machineOf(after, resumed!.uuid)).toMatchObject({ phase: 'running', domain: 'running', stopping: null });
    }),
  TIMEOUT_MS,
);

concurrent(
  'the NFS server away for longer than heartbeat_seconds is not held against the machines',
  () =>
    FaultSite.use(async (site) => {
      const { host } = site;
      const heartbeat = {
        heartbeat_file: 'heartbeat',
        heartbeat_seconds: HEARTBEAT_SECONDS,
        fizzle_seconds: BOOT_SECONDS,
      };
      await site.configure({ guest: await site.demo(heartbeat) });
      const daemon = site.start(1);
      const [guest] = running(await daemon.until('a machine runs', (s) => running(s).length === 1));
      await site.untilBeats(guest!.id, 'it has booted', BOOT_SECONDS);
      await daemon.until(
        'the heartbeat rules apply',
        (s) => s.services.nfs.readyForSeconds > 62 && s.timeSeconds > guest!.startedTimeSeconds! + BOOT_SECONDS + 2,
        250,
      );

      const program = (await host.run('which', ['ganesha.nfsd'])).trim();
      await host.run('mount', ['--bind', '/bin/false', program]);
      for (const pid of await host.pidsOf('ganesha.nfsd')) process.kill(pid, 'SIGKILL');
      const gone = await daemon.until('vacd notices', (s) => !s.services.nfs.ready);
      await daemon.until(
        'the outage is longer than any heartbeat may be old',
        (s) => {
          expect(machineOf(s, guest!.uuid)).toMatchObject({ phase: 'running', stopping: null });
          return s.timeSeconds > gone.timeSeconds + HEARTBEAT_SECONDS + 5;
        },
        120,
      );
      await daemon.until('it runs still', (s) => running(s).length === 1);

      // Lazily: vacd may be trying the program at this very moment, which keeps it busy.
      await host.run('umount', ['--lazy', program]);
      await daemon.until('NFS is back', (s) => s.services.nfs.ready);
      await site.untilBeats(guest!.id, 'through the mount that it had');
      const back = await daemon.until('vacd answers', () => true);
      expect(machineOf(back, guest!.uuid)).toMatchObject({ phase: 'running', stopping: null });
      expect(await host.pidsOf('ganesha.nfsd')).toHaveLength(1);
    }),
  TIMEOUT_MS,
);
