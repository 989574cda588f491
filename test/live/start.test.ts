/** `npm start` from the outside: what it runs after the set-up of the host, its ends, and what it says when it cannot. */

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archivedRecords } from '../../src/accounting/archive.js';
import { askDaemon } from '../../src/daemon/control.js';
import type { MachineStatus } from '../../src/daemon/status.js';
import type { MachineEnd, MachineRecord } from '../../src/factory/types.js';
import { readTextIfThere } from '../../src/host/files.js';
import { StateLayout } from '../../src/machines/layout.js';
import { VERSION } from '../../src/version.js';
import { TestHost, until } from './test-host.js';

const program = (name: string) => fileURLToPath(new URL(`../../dist/${name}.js`, import.meta.url));

/** What a demo factory starts on its host, by the names of the processes. */
const HELPERS = ['qemu-system-x86', 'ganesha.nfsd', 'rsyslogd', 'dbus-daemon', 'rpcbind', 'dnsmasq'];
/** Machines that ran for less are not accounted for (fizzle_seconds in etc/demo/vac.conf). */
const FIZZLE_SECONDS = 12;
/** How long the demo's machines work once they are up. */
const WORK_SECONDS = 15;

/** Guests boot under emulation on a host that other tests load too. */
const TIMEOUT_MS = 900_000;
const BOOT_SECONDS = 250;

interface Summary {
  readonly machines: readonly {
    readonly uuid: string;
    readonly machinetype: string;
    readonly shutdownMessage: string | null;
    readonly wallSeconds: number;
    readonly cpuSeconds: number;
  }[];
  readonly accountingRecords: number;
  readonly firstRunningAfterSeconds: number | null;
  readonly stateDir: string;
}

const runs: Run[] = [];

/** A program under test, with pipes and no terminal. */
class Run {
  stdout = '';
  stderr = '';
  /** Fulfilled with its exit code, or the signal that ended it, once all that it said is read. */
  readonly ended: Promise<number | NodeJS.Signals>;
  private isOver = false;

  constructor(readonly child: ChildProcess) {
    runs.push(this);
    child.stdout!.on('data', (part: Buffer) => {
      this.stdout += part;
    });
    child.stderr!.on('data', (part: Buffer) => {
      this.stderr += part;
    });
    this.ended = new Promise((resolve) =>
      child.once('close', (code, signal) => {
        this.isOver = true;
        resolve(code ?? signal!);
      }),
    );
  }

  static inside(host: TestHost, name: 'start' | 'vacd', ...args: string[]): Run {
    // On two processors at most: with the three slots that it then has, which types are started is no draw.
    const placed = ['--cpu-list', twoProcessors(), process.execPath, program(name), ...args];
    const [command, commandArgs] = host.inside('taskset', placed);
    return new Run(spawn(command, commandArgs, { stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Waits for a condition; fails at once, with all that was said, when the program has ended instead. */
  async until(what: string, condition: () => Promise<boolean> | boolean, seconds?: number): Promise<void> {
    const holds = async () => {
      if (this.isOver) throw new Error(`the program ended before ${what}:\n${this.stdout}\n${this.stderr}`);
      return condition();
    };
    await until(what, holds, seconds);
  }

  summary(): Summary {
    return JSON.parse(this.stdout.trimEnd().split('\n').at(-1)!) as Summary;
  }

  async kill(): Promise<void> {
    if (!this.isOver) this.child.kill('SIGKILL');
    await this.ended;
  }
}

/** Two factories run beside each other, and mostly wait. */
let hosts: [TestHost, TestHost];
let networksBefore: readonly string[];

beforeAll(async () => {
  hosts = await Promise.all([TestHost.create(), TestHost.create()]);
  networksBefore = await hosts[0].networks();
});
afterAll(async () => {
  for (const run of runs) await run.kill();
  for (const host of hosts ?? []) await host.destroy();
});

/** Of those that this process may use, by their numbers. */
function twoProcessors(): string {
  const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
  const numbers = list.split(',').flatMap((range) => {
    const [first, last] = range.split('-').map(Number);
    return Array.from({ length: (last ?? first!) - first! + 1 }, (_, index) => first! + index);
  });
  return numbers.slice(0, 2).join(',');
}

/** The machines that the demo factory has now; none while it does not answer. */
async function machinesOf(stateDir: string): Promise<readonly MachineStatus[]> {
  const reply = await askDaemon(`${stateDir}/vacd.sock`, { command: 'status' }).catch(() => null);
  return reply?.ok ? reply.status.machines : [];
}

async function recordsIn(stateDir: string): Promise<MachineRecord[]> {
  const ids = await readdir(`${stateDir}/machines`);
  const read = (id: string) => readFile(`${stateDir}/machines/${id}/machine.json`, 'utf8');
  return Promise.all(ids.map(async (id) => JSON.parse(await read(id)) as MachineRecord));
}

/** How each machine ended that ran, by uuid. */
async function endsIn(stateDir: string): Promise<Map<string, { message: string | null; wallSeconds: number }>> {
  const ends = new Map<string, { message: string | null; wallSeconds: number }>();
  for (const { id, uuid } of await recordsIn(stateDir)) {
    const started = await readTextIfThere(`${stateDir}/machines/${id}/started`);
    if (started === null) continue;
    const end = JSON.parse(await readFile(`${stateDir}/machines/${id}/finished`, 'utf8')) as MachineEnd;
    ends.set(uuid, { message: end.message, wallSeconds: end.timeSeconds - Number(started) });
  }
  return ends;
}

async function reportOf(stateDir: string, id: string): Promise<Record<string, string>> {
  const text = await readFile(`${stateDir}/machines/${id}/joboutputs/demo-report`, 'utf8').catch(() => '');
  return Object.fromEntries([...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, key, value]) => [key, value]));
}

async function expectAsFound(host: TestHost): Promise<void> {
  expect(await host.domains()).toEqual([]);
  expect(await host.networks()).toEqual(networksBefore);
  expect(await host.run('nft', ['list', 'tables'])).not.toContain(' vac');
  // Libvirt asks a network's dnsmasq to end, and does not wait for it.
  await host.until(`none of ${HELPERS.join(', ')} is left`, async () => {
    const left = await Promise.all(HELPERS.map((name) => host.pidsOf(name)));
    return left.flat().length === 0;
  });
}

describe.concurrent('npm start -- --machines 6 --json', () => {
  let host: TestHost;
  let stateDir: string;
  let run: Run;
  let summary: Summary;
  let records: readonly MachineRecord[];

  beforeAll(async () => {
    host = hosts[0];
    stateDir = `${host.directory}/six`;
    run = Run.inside(host, 'start', '--machines', '6', '--json', '--state-dir', stateDir);
    // The code is what the first test looks at; a run that was no run has no summary for the others.
    await run.ended;
    expect(run.stderr).toBe('');
    summary = run.summary();
    records = await recordsIn(stateDir);
  }, TIMEOUT_MS);

  it('ends by itself, and well', async () => {
    expect(await run.ended).toBe(0);
    await expectAsFound(host);
  });

  it('sums up in its last line: six machines that did their work, two of one type for each of the other', () => {
    expect(summary).toMatchObject({ accountingRecords: 6, stateDir });
    expect(summary.firstRunningAfterSeconds).toBeGreaterThan(0);
    expect(summary.machines.map(({ machinetype }) => machinetype).sort()).toEqual([
      ...Array<string>(4).fill('demo-a'),
      ...Array<string>(2).fill('demo-b'),
    ]);
    expect(new Set(summary.machines.map(({ uuid }) => uuid))).toEqual(new Set(records.map(({ uuid }) => uuid)));
    for (const machine of summary.machines) {
      expect(machine.shutdownMessage).toBe('200 Success');
      // Each works for 15 s, and an emulated processor is busy while it boots.
      expect(machine.wallSeconds).toBeGreaterThanOrEqual(15);
      expect(machine.cpuSeconds).toBeGreaterThan(0);
    }
  });

  it('gave each machine its features, disks and user_data', async () => {
    for (const { id, uuid, hostname, ip, machinetype } of records) {
      expect(await reportOf(stateDir, id)).toMatchObject({
        uuid,
        hostname,
        address: ip,
        nfs_version: '4.1',
        ro_refused: 'yes',
        scratch: 'ok',
        swap: 'ok',
        syslog: 'sent',
        machinefeatures_total_cpu: '1',
        jobfeatures_job_id: uuid,
        user_data_space: 'demo.localdomain',
        user_data_machinetype: machinetype,
        user_data_machine_hostname: hostname,
        user_data_manager_hostname: 'vac-demo.localdomain',
        user_data_manager_version: `Vac ${VERSION}`,
        user_data_uuid: uuid,
        user_data_machinefeatures_url: 'http://169.254.169.253/machinefeatures',
        user_data_jobfeatures_url: 'http://169.254.169.253/jobfeatures',
        user_data_joboutputs_url: 'http://169.254.169.253/joboutputs',
        user_data_unknown: '',
      });
    }
  });

  it('kept the log of each machine apart', async () => {
    for (const { id, ip, uuid } of records) {
      const lines = (await readFile(`${stateDir}/logs/${id}.log`, 'utf8')).trimEnd().split('\n');
      expect(lines.filter((line) => line.split(' ')[1] !== ip)).toEqual([]);
      expect(lines.some((line) => line.includes(`metadata: uuid ${uuid}`))).toBe(true);
      expect(lines.some((line) => line.includes('running user_data'))).toBe(true);
    }
  });
});

describe.concurrent('Ctrl-C', { timeout: TIMEOUT_MS }, () => {
  it('twice ends at once; once asks the machines to stop, those found again too, and ends well', async () => {
    const host = hosts[1];
    const stateDir = `${host.directory}/ctrl-c`;
    const first = Run.inside(host, 'start', '--json', '--state-dir', stateDir);
    let worker: MachineStatus | undefined;
    await first.until(
      'a machine works',
      async () => {
        const machines = await machinesOf(stateDir);
        for (const machine of machines) if ('demo_mode' in (await reportOf(stateDir, machine.id))) worker = machine;
        return worker !== undefined;
      },
      BOOT_SECONDS,
    );
    // Held, so that the first Ctrl-C has something to wait for until the second comes, however late.
    const held = await host.pidsOf('qemu-system-x86');
    for (const pid of held) process.kill(pid, 'SIGSTOP');
    first.child.kill('SIGINT');
    // Two signals at the same moment would be one.
    await first.until('Ctrl-C is seen', () => first.stdout.includes('a second Ctrl-C ends at once'));
    first.child.kill('SIGINT');
    expect(await first.ended).toBe(1);
    expect(first.stderr).toBe('ended at once; machines go on until the next npm start finds them\n');
    for (const pid of held) process.kill(pid, 'SIGCONT');

    const second = Run.inside(host, 'start', '--json', '--state-dir', stateDir);
    await second.until('it knows the machines', async () => (await machinesOf(stateDir)).length > 0);
    second.child.kill('SIGINT');
    expect(await second.ended).toBe(0);
    expect(second.stderr).toBe('');

    const { machines, accountingRecords } = second.summary();
    expect(accountingRecords).toBe(machines.filter(({ wallSeconds }) => wallSeconds >= FIZZLE_SECONDS).length);
    const ends = await endsIn(stateDir);
    const { message: workers, wallSeconds: workedSeconds } = ends.get(worker!.uuid)!;
    // On a slow host its work may be over by the time that it is asked.
    expect(workers, second.stdout).toMatch(workedSeconds < WORK_SECONDS ? /^100 / : /^(100|200) /);
    // One that was still booting does not hear the power button, and may be done before its 30 s are over.
    for (const { message } of ends.values()) expect(message).toMatch(/^(100|200) /);
    const accountable = [...ends].filter(([, { wallSeconds }]) => wallSeconds >= FIZZLE_SECONDS);
    const layout = new StateLayout(stateDir);
    expect(await archivedRecords(layout, await readdir(layout.apelArchive()))).toEqual(
      new Map(accountable.map(([uuid]) => [uuid, 1])),
    );
    await expectAsFound(host);
  });
});

describe('what stands in the way is said in one line', () => {
  let host: TestHost;
  beforeAll(() => {
    host = hosts[0];
  });
  const config = async (name: string, settings: string): Promise<string[]> => {
    const path = `${host.directory}/${name}.conf`;
    await writeFile(path, `[settings]\nvac_space = vac01.example.com\n${settings}\n`);
    await mkdir(`${host.directory}/${name}`);
    return ['--config', path, '--state-dir', `${host.directory}/${name}`, '--factory', 'vac.example.com'];
  };
  const expectRefusal = async (run: Run, line: RegExp) => {
    expect(await run.ended).toBe(1);
    expect(run.stderr).toMatch(/^[^\n]+\n$/);
    expect(run.stderr).toMatch(line);
  };

  it.each(['start', 'vacd'])('%s without root', async (name) => {
    // The right to read files stays, so that it finds its own program wherever that is.
    const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    const mayRead = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search'];
    const args = [...nobody, ...mayRead, process.execPath, program(name)];
    const run = new Run(spawn('setpriv', args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    await expectRefusal(run, /must be run as root/);
  });

  it('no libvirt', async () => {
    const args = await config('no-libvirt', 'libvirt_uri = qemu+unix:///system?socket=/run/no-such-socket');
    await expectRefusal(Run.inside(host, 'vacd', ...args), /\/run\/no-such-socket.*is libvirtd running\?/);
  });

  it('port 80 of the metadata address taken', async () => {
    const server = "require('http').createServer().listen(80, () => console.log('listens'))";
    const [command, args] = host.inside(process.execPath, ['-e', server]);
    const other = new Run(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
    await other.until('it listens', () => other.stdout !== '');
    const run = Run.inside(host, 'vacd', ...(await config('port-taken', '')));
    await expectRefusal(run, /169\.254\.169\.254:80 is in use/);
  });
});
