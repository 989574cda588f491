/**
 * A desktop that is a factory while nobody uses it: real guests, and an owner whom the test plays on a seat made of real
 * parts (host/sessions/desktop.ts). Idle times are seconds here, not minutes.
 */

import { spawn } from 'node:child_process';
import { appendFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, expect, test } from 'vitest';
import { askDaemon } from '../../src/daemon/control.js';
import type { OvernightReport } from '../../src/daemon/overnight-report.js';
import { Desktop } from '../host/sessions/desktop.js';
import { FaultSite, machineOf, running } from './faults-site.js';

const { concurrent } = test;

/** Guests boot under emulation on a host that other tests load too. */
const TIMEOUT_MS = 900_000;
const PATIENCE_SECONDS = 300;
/** Machines begin, and go on, after so long without input: longer than any process here is held up, so that none is seen to go on early. */
const RESUME_SECONDS = 20;

/** What is printed at the end: the time in which it happened, which no test may judge on a host that others use. */
const figures: string[] = [];
afterAll(() => {
  for (const figure of figures) console.log(`overnight: ${figure}`);
});

type Options = Readonly<Record<string, string | number>>;

/** SCHED_IDLE of sched.h. */
const IDLE_CLASS = 5;

/** Until the test says that it is enough. */
const WORK_TO_ORDER = `#!/bin/sh
. /lib/vac-demo.sh
until [ -e /etc/machineoutputs/finish ]; do
  date +%s | put_output heartbeat
  sleep 1
done
vac-demo-finish '200 Success'
`;

const OVERNIGHT: Options = {
  use: 'idle',
  idle_minutes: RESUME_SECONDS / 60,
  resume_idle_minutes: RESUME_SECONDS / 60,
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

  /** He presses a last key: machines go on so long after this, and not before. */
  leaves(): void {
    if (this.touching === null) return;
    clearInterval(this.touching);
    this.touching = null;
    this.desktop.touch();
  }

  async overnight(): Promise<OvernightReport | null> {
    const path = this.site.host.seenInside(`${this.site.stateDir}/vacd.sock`);
    const reply = await askDaemon(path, { command: 'overnight' }).catch(() => null);
    return reply?.ok ? reply.overnight : null;
  }

  /** Waits until libvirt has so many machines in this state. */
  untilDomains(state: 'paused' | 'running', count: number): Promise<void> {
    return this.site.host.until(
      `${count} machines are ${state}`,
      async () => (await this.domains(state)).length === count,
      PATIENCE_SECONDS,
    );
  }

  /** Waits until overnight mode says what is wanted. */
  async untilReport(what: string, condition: (report: OvernightReport) => boolean): Promise<void> {
    let last: OvernightReport | null = null;
    await this.site.host
      .until(
        what,
        async () => {
          last = await this.overnight();
          return last !== null && condition(last);
        },
        PATIENCE_SECONDS,
      )
      .catch((error: Error) => {
        throw new Error(`${error.message}; it said: ${JSON.stringify(last)}`);
      });
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
      await daemon.until('all run', (status) => running(status).length === count, PATIENCE_SECONDS);
      await here.untilReport('it is open', ({ verdict }) => verdict.state === 'open' && verdict.mayStart);
      // Of each: one for its processor, one for its disks, and one for all the rest.
      expect(await here.schedulingClasses()).toEqual(Array(3 * count).fill(IDLE_CLASS));

      here.returns();
      const beganMs = performance.now();
      await here.untilDomains('paused', count);
      figures.push(
        `from the owner's first key to ${count} machines suspended: ${Math.round(performance.now() - beganMs)} ms`,
      );
      await here.untilReport(
        'it tells why, of all machines',
        ({ verdict: { state, reason }, machines }) =>
          state === 'suspended' &&
          reason.includes('owner active on seat0 since') &&
          machines.length === count &&
          machines.every(({ suspension }) => suspension?.by === 'overnight'),
      );

      here.leaves();
      await here.untilDomains('running', count);

      // A program at work is as good as its owner. Not from the beginning: other tests run beside this one.
      await daemon.kill();
      await here.configure({ halt: here.site.halting() }, { other_cpu_percent: 5 });
      const burner = spawn('nice', ['-n', '19', 'sh', '-c', 'while :; do :; done'], { stdio: 'ignore' });
      try {
        const next = here.start(count, count);
        // At first vacd has only just begun to look for its owner.
        await here.untilReport('work is in the way', ({ verdict: { reason } }) =>
          reason.includes('% of the CPU, over other_cpu_percent = 5'),
        );
        await here.untilDomains('paused', count);
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
      await writeFile(here.site.file('user_data'), WORK_TO_ORDER);
      const type = await here.site.demo({ user_data: here.site.file('user_data') });
      await here.configure({ demo: type });
      const daemon = here.start(1, 1);
      const [machine] = running(
        await daemon.until('it runs', (status) => running(status).length === 1, PATIENCE_SECONDS),
      );
      await here.hurry();
      await here.site.untilBeats(machine!.id, 'it works', PATIENCE_SECONDS);

      const beganMs = performance.now();
      const sinceBeganSeconds = () => (performance.now() - beganMs) / 1000;
      here.returns();
      await here.untilDomains('paused', 1);
      // Killed meanwhile, the next vacd neither forgets nor resumes it.
      await daemon.kill();
      const next = here.start(1, 1);
      await next.until('it is found again', (status) => machineOf(status, machine!.uuid)?.domain === 'paused');
      await here.untilReport('it has judged the owner to be there', ({ verdict: { blockers } }) =>
        blockers.some(({ code }) => code === 'owner'),
      );
      expect(await here.domains('paused')).toHaveLength(1);

      here.leaves();
      await here.untilDomains('running', 1);
      const told = Number(await readFile(here.site.inMachine(machine!.id, 'jobfeatures/suspended_secs'), 'utf8'));
      // Of times in whole seconds.
      expect(told).toBeGreaterThanOrEqual(RESUME_SECONDS - 2);
      expect(told).toBeLessThan(sinceBeganSeconds() + 2);
      await next.until('it is seen to go on', (status) => machineOf(status, machine!.uuid)?.domain === 'running');
      const mostSeconds = sinceBeganSeconds() + 2;
      await writeFile(here.site.inMachine(machine!.id, 'joboutputs/finish'), '');
      const after = await next.until(
        'it has ended',
        (status) => machineOf(status, machine!.uuid)?.phase === 'cleared',
        PATIENCE_SECONDS,
      );
      const { end, startedTimeSeconds } = machineOf(after, machine!.uuid)!;
      expect(end?.message).toBe('200 Success');
      const record = await here.record(machine!.uuid);
      const wallSeconds = Number(/^WallDuration: (\d+)$/m.exec(record)?.[1]);
      const lifeSeconds = end!.timeSeconds - startedTimeSeconds!;
      expect(lifeSeconds - wallSeconds).toBeGreaterThanOrEqual(RESUME_SECONDS - 2);
      expect(lifeSeconds - wallSeconds).toBeLessThan(mostSeconds);
      await next.stop();
    }),
  TIMEOUT_MS,
);

concurrent(
  'at the end of the window nothing is left, not even a machine that does not listen',
  () =>
    OvernightSite.use(async (here) => {
      // Machines must be gone a minute before it, and must have begun by then.
      const end = new Date(Math.ceil((Date.now() + 140_000) / 60_000) * 60_000);
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
      const over = await daemon.until(
        'both are over',
        (s) => s.machines.length === 2 && s.machines.every(({ phase }) => phase === 'cleared'),
        PATIENCE_SECONDS,
      );
      for (const { end: ended } of over.machines) expect(ended!.timeSeconds).toBeLessThan(end.getTime() / 1000 + 30);
      expect(await here.site.host.domains()).toEqual([]);
      // A service or libvirtd that is held up is told of too, and is no fault of how machines end.
      const isOfHost = / is not ready: | no longer works: |libvirt does not answer: /;
      const errors = daemon.output.split('\n').filter((line) => line.includes('ERROR') && !isOfHost.test(line));
      expect(errors).toEqual([]);
      await daemon.stop();
    }),
  TIMEOUT_MS,
);
