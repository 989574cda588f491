/** How guests end, and what hostile ones leave behind. */

import { execFileSync } from 'node:child_process';
import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { FaultSite, machineOf, running } from './faults-site.js';

const { concurrent } = test;

/** Guests boot under emulation on a host that other tests load too. */
const TIMEOUT_MS = 600_000;
/** For some of them to boot and to do their work. */
const GUESTS_SECONDS = 250;

concurrent(
  'a type without work sends one scout at a time, while another type keeps running',
  () =>
    FaultSite.use(async (site) => {
      await site.configure({
        idle: await site.demo({
          backoff_seconds: 2,
          // Much longer than a guest takes to boot and to find nothing.
          fizzle_seconds: 600,
          user_data_option_work_seconds: 0,
          user_data_option_result: '300 Nothing to do',
        }),
        // Four processors or none: of six it gets four, and can never take what the other type leaves free.
        steady: site.halting({ min_processors: 4, max_processors: 4 }),
      });
      const daemon = site.start(6, { startsLimit: 5 });
      const first = await daemon.until(
        'no work was found',
        (s) => s.machines.some(({ end }) => end?.message === '300 Nothing to do') && running(s, 'steady').length > 0,
        GUESTS_SECONDS,
      );
      const steady = running(first, 'steady').map(({ uuid }) => uuid);
      const after = await daemon.until(
        'all starts are used up',
        (s) => s.machines.length === 5 && s.machines.every((m) => m.machinetype === 'steady' || m.phase === 'cleared'),
        GUESTS_SECONDS,
      );
      expect(running(after, 'steady').map(({ uuid }) => uuid)).toEqual(steady);

      const abort = Math.min(
        ...after.machines.flatMap(({ end }) => (end?.message?.startsWith('300') ? end.timeSeconds : [])),
      );
      const scouts = after.machines
        .filter(({ machinetype, createdTimeSeconds }) => machinetype === 'idle' && createdTimeSeconds > abort)
        .sort((a, b) => a.createdTimeSeconds - b.createdTimeSeconds);
      expect(scouts.length).toBeGreaterThanOrEqual(2);
      for (const [index, scout] of scouts.entries()) {
        const next = scouts[index + 1];
        // More than backoff_seconds after the end of the one before.
        if (next !== undefined) expect(next.createdTimeSeconds).toBeGreaterThan(scout.end!.timeSeconds + 2);
      }
      await site.host.until('it is told why there was none at times', async () => {
        const codes = (await daemon.why({ machinetype: 'idle' })).map(({ code }) => code);
        return codes.includes('backoff') && codes.includes('scouting');
      });
    }),
  TIMEOUT_MS,
);

concurrent(
  'ends without a word, by a kernel panic and by the power button are told apart',
  () =>
    FaultSite.use(async (site) => {
      const once = { backoff_seconds: 3600, fizzle_seconds: 600 };
      await site.configure({
        silent: await site.demo({ ...once, user_data_option_mode: 'none', user_data_option_work_seconds: 0 }),
        panicking: await site.demo({ ...once, user_data_option_mode: 'crash', user_data_option_work_seconds: 0 }),
        obedient: await site.demo({ fizzle_seconds: 0 }),
      });
      const daemon = site.start(3, { startsLimit: 3 });
      const endOf = (type: string, machines: { machinetype: string; end: unknown }[]) =>
        machines.find(({ machinetype, end }) => machinetype === type && end !== null);
      const status = await daemon.until(
        'two have ended, and the third runs',
        (s) => {
          const machines = [...s.machines];
          const ended = endOf('silent', machines) !== undefined && endOf('panicking', machines) !== undefined;
          return ended && running(s, 'obedient').length === 1;
        },
        GUESTS_SECONDS,
      );
      for (const type of ['silent', 'panicking']) {
        expect(status.machines.find(({ machinetype }) => machinetype === type)?.end).toMatchObject({
          message: expect.stringMatching(/^300 Vac detects fizzle after \d+ seconds$/),
        });
      }
      const [obedient] = running(status, 'obedient');
      await site.untilBeats(obedient!.id, 'it listens to the power button by then', GUESTS_SECONDS);
      daemon.stopMachines();
      const stopped = await daemon.until('it has ended', (s) => machineOf(s, obedient!.uuid)?.phase === 'cleared');
      expect(machineOf(stopped, obedient!.uuid)!.end).toMatchObject({
        message: '100 Shutdown requested',
        reason: 'stopped: this factory is being stopped',
      });
      expect(daemon.output).not.toContain('it did not stop within');
      expect(await site.host.domains()).toEqual([]);
    }),
  TIMEOUT_MS,
);

/** What a guest may leave as joboutputs/shutdown_message, and what its end is known by. */
const LAST_WORDS = {
  link: { make: (path: string, secret: string) => symlink(secret, path), message: null },
  fifo: { make: async (path: string) => execFileSync('mkfifo', [path]), message: null },
  huge: {
    make: async (path: string) => {
      await writeFile(path, '200 Success\n');
      await truncate(path, 2 ** 30);
    },
    message: null,
  },
  directory: { make: (path: string) => mkdir(path), message: null },
  control: {
    make: (path: string) => writeFile(path, '\x1b[2J\x1b]0;owned\x07200 Fine\u202e\x00\x9b31m\r\n300 second line\n'),
    message: '[2J]0;owned200 Fine31m',
  },
  endless: { make: (path: string) => writeFile(path, `200 ${'x'.repeat(4000)}`), message: `200 ${'x'.repeat(196)}` },
  'not-text': { make: (path: string) => writeFile(path, Buffer.from([0xff, 0xfe, 0x00, 0x01])), message: '��' },
} as const;

concurrent(
  'hostile last words are neither followed nor waited for nor passed on as they are',
  () =>
    FaultSite.use(async (site) => {
      const names = Object.keys(LAST_WORDS) as (keyof typeof LAST_WORDS)[];
      const secret = site.file('secret');
      await writeFile(secret, '200 what the guest must not learn', { mode: 0o600 });
      await site.configure({ halt: site.halting() });
      const daemon = site.start(names.length, { startsLimit: names.length });
      const before = await daemon.until('all run', (s) => running(s).length === names.length);
      const machines = running(before);
      for (const [index, name] of names.entries()) {
        const path = site.inMachine(machines[index]!.id, 'joboutputs/shutdown_message');
        await LAST_WORDS[name].make(path, secret);
        if (name !== 'link') execFileSync('chown', ['65534:65534', path]);
      }
      for (const { hostname } of machines) await site.host.virsh('destroy', hostname);

      const after = await daemon.until('all are cleared', (s) => s.machines.every(({ phase }) => phase === 'cleared'));
      for (const [index, name] of names.entries()) {
        expect(machineOf(after, machines[index]!.uuid)!.end, name).toMatchObject({ message: LAST_WORDS[name].message });
      }
      expect(await readFile(secret, 'utf8')).toBe('200 what the guest must not learn');
      expect(daemon.output).not.toContain('must not learn');
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is there is the point
      expect(daemon.output.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
      await rm(secret);
    }),
  TIMEOUT_MS,
);
