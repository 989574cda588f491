/**
 * A desktop that is a factory while nobody uses it: real guests, and an owner whom the test plays on a seat made of real
 * parts (host/sessions/desktop.ts). Idle times are seconds here, not minutes.
 */

import { spawn } from 'node:child_process';
import { appendFile, readdir, readFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { askDaemon } from '../../src/daemon/control.js';
import type { OvernightReport } from '../../src/daemon/overnight-report.js';
import { Desktop } from '../host/sessions/desktop.js';
import { FaultSite, machineOf, running } from './faults-site.js';

const { concurrent } = test;

/** Guests boot under emulation on a host that other tests load too. */
const TIMEOUT_MS = 300_000;

/** What is printed at the end: the time in which it happened, which no test may judge on a host that others use. */
const figures: string[] = [];
afterAll(() => {
  for (const figure of figures) console.log(`overnight: ${figure}`);
});

type Options = Readonly<Record<string, string | number>>;

/** SCHED_IDLE of sched.h. */
const IDLE_CLASS = 5;

const OVERNIGHT: Options = {
  use: 'idle',
  idle_minutes: 0.05,
  resume_idle_minutes: 0.05,
  // Other tests run beside this one.
  other_cpu_percent: 100,
  remote_sessions_count: 'no',
  run_on_metered: 'yes',
  on_return: 'suspend 0s, stop 10m',
};

class OvernightSite {
  private touching: NodeJS.Timeout | null = null;

  private constructor(
    readonly site: FaultSite,
    readonly desktop: Desktop,
  ) {}

  static async use(test: (here: OvernightSite) => Promise<void>): Promise<void> {
    const desktop = await Desktop.create();
    try {
      await FaultSite.use(async (site) => {
        const here = new OvernightSite(site, desktop);
        try {
          await test(here);
        } finally {
          here.leaves();
        }
      });
    } finally {
      await desktop.destroy();
    }
  }

  async configure(types: Readonly<Record<string, Options>>, overnight: Options = {}): Promise<void> {
    // Not the lowest weight, by which guests would never boot beside other tests.
    await this.site.configure(types, { cpu_weight: 101 });
    const options = Object.entries({ ...OVERNIGHT, ...overnight }).map(([option, value]) => `${option} = ${value}`);
    await appendFile(this.site.configPath, `[overnight]\n${options.join('\n')}\n`);
  }

  start(processors: number, startsLimit: number) {
    const { busAddress, inputDirectory, powerRoot } = this.desktop;
    return this.site.start(processors, { startsLimit, desktop: { busAddress, inputDirectory, powerRoot } });
  }

  /** The owner sits down and works. */
  returns(): void {
    this.desktop.touch();
    this.touching = setInterval(() => this.desktop.touch(), 200);
  }

  leaves(): void {
    if (this.touching !== null) clearInterval(this.touching);
    this.touching = null;
  }

  async overnight(): Promise<OvernightReport | null> {
    const path = this.site.host.seenInside(`${this.site.stateDir}/vacd.sock`);
    const reply = await askDaemon(path, { command: 'overnight' }).catch(() => null);
    return reply?.ok ? reply.overnight : null;
  }

  /** Host names of machines that libvirt has in this state, as it says itself. */
  async domains(state: 'paused' | 'running'): Promise<string[]> {
    const names = await this.site.host.virsh('list', '--name', `--state-${state}`);
    return names.split(/\s+/).filter((name) => name !== '');
  }

  /**
   * Scheduling classes of the threads of all QEMU processes that do the work, as the kernel numbers them. Others wait: for
   * VNC, for libvirt.
   */
  async schedulingClasses(): Promise<number[]> {
    const pids = await this.site.host.pidsOf('qemu-system-x86');
    const classes: number[] = [];
    for (const pid of pids) {
      for (const thread of await readdir(`/proc/${pid}/task`)) {
        const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => '');
        const close = stat.lastIndexOf(')');
        const name = stat.slice(stat.indexOf('(') + 1, close);
        // proc(5): field 41, counted from behind the name in brackets, which is the second.
        const policy = Number(stat.slice(close + 2).split(' ')[41 - 3]);
        if (thread === String(pid) || /^CPU \d|^IO iothread/.test(name)) classes.push(policy);
      }
    }
    return classes;
  }

  /** Takes all guests out of the idle class, in which one that computes would wait for other tests to end. */
  async hurry(): Promise<void> {
    for (const pid of await this.site.host.pidsOf('qemu-system-x86')) {
      await this.site.host.run('chrt', ['--all-tasks', '--other', '--pid', '0', String(pid)]);
    }
  }

  async record(uuid: string): Promise<string> {
    const archive = `${this.site.stateDir}/apel-archive`;
    for (const entry of await readdir(archive, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const text = await readFile(`${entry.parentPath}/${entry.name}`, 'utf8');
      if (text.includes(uuid)) return text;
    }
    throw new Error(`there is no record of ${uuid}`);
  }
}

concurrent(
  'when the owner returns, all machines are suspended at once, and go on when nobody is there',
  () =>
    OvernightSite.use(async (here) => {
      const count = 8;
      await here.configure({ halt: here.site.halting() });
      const daemon = here.start(count, count);
      await daemon.until('all run', (status) => running(status).length === count);
      expect((await here.overnight())?.verdict).toMatchObject({ state: 'open', mayStart: true });
      // Of each: one for its processor, one for its disks, and one for all the rest.
      expect(await here.schedulingClasses()).toEqual(Array(3 * count).fill(IDLE_CLASS));

      here.returns();
      const beganMs = performance.now();
      await here.site.host.until('all are suspended', async () => (await here.domains('paused')).length === count);
      figures.push(
        `from the owner's first key to ${count} machines suspended: ${Math.round(performance.now() - beganMs)} ms`,
      );
      const during = (await here.overnight())!;
      expect(during.verdict).toMatchObject({
        state: 'suspended',
        reason: expect.stringContaining('owner active on seat0 since'),
      });
      expect(during.machines.every(({ suspension }) => suspension?.by === 'overnight')).toBe(true);

      here.leaves();
      await here.site.host.until('all go on', async () => (await here.domains('running')).length === count);

      // A program at work is as good as its owner. Not from the beginning: other tests run beside this one.
      await daemon.kill();
      await here.configure({ halt: here.site.halting() }, { other_cpu_percent: 5 });
      const burner = spawn('nice', ['-n', '19', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' });
      try {
        const next = here.start(count, count);
        // At first vacd has only just begun to look for its owner.
        await here.site.host.until(
          'work suspends all',
          async () =>
            (await here.overnight())?.verdict.reason.includes('% of the CPU, over other_cpu_percent = 5') === true &&
            (await here.domains('paused')).length === count,
        );
        await next.stop();
      } finally {
        burner.kill('SIGKILL');
      }
    }),
  TIMEOUT_MS,
);

concurrent(
  'work that the owner interrupts is finished, and the time that it stood still is not accounted as work',
  () =>
    OvernightSite.use(async (here) => {
      const type = await here.site.demo({ user_data_option_work_seconds: 12, user_data_option_cpu: 'idle' });
      await here.configure({ demo: type });
      const daemon = here.start(1, 1);
      const [machine] = running(await daemon.until('it runs', (status) => running(status).length === 1));
      await here.hurry();
      await here.site.untilBeats(machine!.id, 'it works');

      here.returns();
      await here.site.host.until('it is suspended', async () => (await here.domains('paused')).length === 1);
      const pausedMs = performance.now();
      // Killed meanwhile, the next vacd neither forgets nor resumes it.
      await daemon.kill();
      const next = here.start(1, 1);
      await next.until('it is found again', (status) => machineOf(status, machine!.uuid)?.domain === 'paused');
      await here.site.host.until(
        'it has judged the owner to be there',
        async () => (await here.overnight())?.verdict.blockers.some(({ code }) => code === 'owner') ?? false,
      );
      expect(await here.domains('paused')).toHaveLength(1);

      here.leaves();
      await here.site.host.until('it goes on', async () => (await here.domains('running')).length === 1);
      const pausedSeconds = (performance.now() - pausedMs) / 1000;
      const told = await readFile(here.site.inMachine(machine!.id, 'jobfeatures/suspended_secs'), 'utf8');
      expect(Math.abs(Number(told) - pausedSeconds)).toBeLessThan(5);
      const after = await next.until('it has ended', (status) => machineOf(status, machine!.uuid)?.phase === 'cleared');
      const { end, startedTimeSeconds } = machineOf(after, machine!.uuid)!;
      expect(end?.message).toBe('200 Success');
      const record = await here.record(machine!.uuid);
      const wallSeconds = Number(/^WallDuration: (\d+)$/m.exec(record)?.[1]);
      const lifeSeconds = end!.timeSeconds - startedTimeSeconds!;
      // Listings are seconds apart: what lies between two of them may be counted either way.
      expect(lifeSeconds - wallSeconds).toBeGreaterThan(pausedSeconds - 12);
      expect(wallSeconds).toBeGreaterThan(12);
      await next.stop();
    }),
  TIMEOUT_MS,
);

concurrent(
  'at the end of the window nothing is left, not even a machine that does not listen',
  () =>
    OvernightSite.use(async (here) => {
      // Machines must be gone a minute before it.
      const end = new Date(Math.ceil((Date.now() + 100_000) / 60_000) * 60_000);
      const begin = new Date(end.getTime() - 600_000);
      const time = (date: Date) => date.toISOString().slice(11, 16);
      await here.configure(
        { halt: here.site.halting({ max_wallclock_seconds: 3600, min_wallclock_seconds: 5 }) },
        { use: 'windows', windows: `daily ${time(begin)}-${time(end)}`, time_zone: 'UTC', quiet_cpu_percent: 60 },
      );
      const daemon = here.start(2, 2);
      const status = await daemon.until('both run', (s) => running(s).length === 2);
      for (const name of await here.domains('running')) {
        // Where libvirt has control groups at all: 60 % of two processors, shared by two machines, of each tenth of a second.
        const schedule = await here.site.host.try('virsh', ['-q', '-c', 'qemu:///system', 'schedinfo', name]);
        if (schedule !== null) expect(schedule).toMatch(/global_quota\s*: 60000\b/);
      }
      for (const machine of running(status)) expect(machine.shutdownTimeSeconds).toBeLessThan(end.getTime() / 1000);
      await daemon.until(
        'both are over',
        (s) => s.machines.length === 2 && s.machines.every(({ phase }) => phase === 'cleared'),
        200,
      );
      expect(Date.now()).toBeLessThan(end.getTime() + 30_000);
      expect(await here.site.host.domains()).toEqual([]);
      expect(daemon.output).not.toContain('ERROR');
      await daemon.stop();
    }),
  TIMEOUT_MS,
);
