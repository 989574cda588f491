/** A factory on a host of its own whose parts the fault tests break: images, configuration, state directory, daemon. */

import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import type { FactoryStatus, MachineStatus } from '../../src/daemon/status.js';
import { GUEST_PROCESSOR } from './guest-processor.js';
import { TestHost } from './test-host.js';
import { Worker, type WorkerOptions } from './worker.js';

export const FACTORY = 'f.example.com';
const DEMO = fileURLToPath(new URL('../../etc/demo', import.meta.url));

type Options = Readonly<Record<string, string | number>>;

/** For guests under emulation that are many for their host: nothing waits for load to go down. */
const SETTINGS: Options = {
  vac_space: 'space.example.com',
  mb_per_processor: 256,
  swap_mb_per_processor: 16,
  disk_gb_per_processor: 0.1,
  overload_per_processor: 500,
  io_pressure_percent: 0,
};

const standing = new Set<FaultSite>();

export class FaultSite {
  readonly stateDir: string;
  readonly configPath: string;
  /** A disk whose boot sector halts at once: a machine without an operating system. */
  readonly haltImage: string;
  /** The demo guest (etc/demo), which boots in seconds and does what its `user_data_option_mode` says. */
  readonly demoImage: string;

  private constructor(readonly host: TestHost) {
    this.stateDir = this.file('state');
    this.configPath = this.file('vac.conf');
    this.haltImage = this.file('halt.img');
    this.demoImage = this.file('demo.qcow2');
  }

  /** Makes a site, and takes all of it away when the test is over. */
  static async use(test: (site: FaultSite) => Promise<void>): Promise<void> {
    const site = new FaultSite(await TestHost.create());
    standing.add(site);
    try {
      await mkdir(site.stateDir);
      await site.makeHaltImage(site.haltImage);
      await test(site);
    } finally {
      await site.destroy();
    }
  }

  private async destroy(): Promise<void> {
    if (standing.delete(this)) await this.host.destroy();
  }

  /** Takes away what tests that ran out of time have left. */
  static async destroyAll(): Promise<void> {
    await Promise.all([...standing].map((site) => site.destroy()));
  }

  file(name: string): string {
    return `${this.host.directory}/${name}`;
  }

  async makeHaltImage(path: string): Promise<void> {
    const disk = Buffer.alloc(2 ** 20);
    // cli; hlt; jmp to hlt; and the mark of a boot sector.
    disk.set([0xfa, 0xf4, 0xeb, 0xfd], 0);
    disk.set([0x55, 0xaa], 510);
    await writeFile(path, disk);
  }

  /** A machinetype of machines that run and do nothing. */
  halting(options: Options = {}): Options {
    return { target_share: 1, machine_model: 'vm-raw', root_image: this.haltImage, fizzle_seconds: 0, ...options };
  }

  /** A machinetype of demo guests; builds their image. */
  async demo(options: Options = {}): Promise<Options> {
    await promisify(execFile)('bash', [`${DEMO}/build-guest.sh`, this.demoImage]);
    return {
      target_share: 1,
      machine_model: 'vm-raw',
      root_image: this.demoImage,
      user_data: `${DEMO}/user_data`,
      fizzle_seconds: 0,
      user_data_option_work_seconds: 3600,
      ...GUEST_PROCESSOR,
      ...options,
    };
  }

  /**
   * Writes the configuration file: settings over those above, and machinetypes by name. In one step, so that a vacd that
   * watches it never reads half of it.
   */
  async configure(machinetypes: Readonly<Record<string, Options>>, settings: Options = {}): Promise<void> {
    const sections = Object.entries({
      settings: { ...SETTINGS, ...settings },
      ...Object.fromEntries(Object.entries(machinetypes).map(([name, options]) => [`machinetype ${name}`, options])),
    });
    const text = sections.map(([name, options]) => {
      const lines = Object.entries(options).map(([option, value]) => `${option} = ${value}`);
      return [`[${name}]`, ...lines, ''].join('\n');
    });
    const written = `${this.configPath}.new`;
    await writeFile(written, text.join('\n'));
    await rename(written, this.configPath);
  }

  start(processors: number, options: Partial<WorkerOptions> = {}): Worker {
    const { stateDir, configPath } = this;
    return Worker.start(this.host, { stateDir, configPath, factory: FACTORY, processors, ...options });
  }

  /** The program vacd, which watches the configuration; it has as many slots as `total_processors` says. */
  startVacd(): Worker {
    const { stateDir, configPath } = this;
    return Worker.startVacd(this.host, { stateDir, configPath, factory: FACTORY });
  }

  /** Where the test finds a file of a machine's directory. */
  inMachine(id: string, name: string): string {
    return this.host.seenInside(`${this.stateDir}/machines/${id}/${name}`);
  }

  /** Content of a file of the state directory; null when there is none. */
  async state(name: string): Promise<string | null> {
    return readFile(this.host.seenInside(`${this.stateDir}/${name}`), 'utf8').catch(() => null);
  }

  /** Waits until a guest has written its heartbeat file, be it now or a while ago. */
  async untilBeaten(id: string, seconds?: number): Promise<void> {
    await this.host.until(`the guest ${id} has written its heartbeat`, () => this.lastBeatMs(id) > 0, seconds);
  }

  /** Waits until a guest has written its heartbeat file anew, which it does once a second. */
  async untilBeats(id: string, why: string, seconds?: number): Promise<void> {
    const before = this.lastBeatMs(id);
    await this.host.until(`the guest ${id} writes its heartbeat: ${why}`, () => this.lastBeatMs(id) > before, seconds);
  }

  private lastBeatMs(id: string): number {
    return statSync(this.inMachine(id, 'joboutputs/heartbeat'), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  /** The pid of the QEMU that runs a machine; null when none does. */
  async qemuOf(uuid: string): Promise<number | null> {
    for (const pid of await this.host.pidsOf('qemu-system-x86')) {
      if ((await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(uuid)) return pid;
    }
    return null;
  }

  /** LocalJobIds of all accounting records, sorted. */
  async accountedUuids(): Promise<string[]> {
    const archive = `${this.stateDir}/apel-archive`;
    const files = readdirSync(archive, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const texts = await Promise.all(files.map((entry) => readFile(`${entry.parentPath}/${entry.name}`, 'utf8')));
    return texts.map((text) => /^LocalJobId: (.*)$/m.exec(text)?.[1] ?? text).sort();
  }

  /** Makes a domain that the factory has not made. */
  async createForeignDomain(name: string): Promise<void> {
    const path = this.file(`${name}.xml`);
    await writeFile(
      path,
      `<domain type="qemu"><name>${name}</name><memory unit="MiB">16</memory><os><type arch="x86_64">hvm</type></os></domain>`,
    );
    await this.host.virsh('create', path);
  }
}

afterAll(() => FaultSite.destroyAll());

/** Machines that libvirt runs, by slot. */
export function running(status: FactoryStatus, machinetype?: string): MachineStatus[] {
  return status.machines
    .filter((m) => m.phase === 'running' && m.domain === 'running' && (machinetype ?? m.machinetype) === m.machinetype)
    .sort((a, b) => a.slot - b.slot);
}

export function machineOf(status: FactoryStatus, uuid: string): MachineStatus | undefined {
  return status.machines.find((machine) => machine.uuid === uuid);
}

/** The last verdict on a slot. */
export function slotVerdict(status: FactoryStatus, slot: number) {
  return status.slotDecisions.find((decision) => decision.slot === slot);
}

export function typeVerdict(status: FactoryStatus, machinetype: string) {
  return status.machinetypeDecisions.find((decision) => decision.machinetype === machinetype);
}
