/**
 * The daemon's inner parts (memory, observer, performer) composed for tests: a state directory of its own, a hypervisor
 * in memory, no NFS, and a log that can be read. Time passes only by what a test does.
 */

import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config, MachinetypeConfig, Settings } from '../../src/config/types.js';
import { createLogger, type Logger } from '../../src/daemon/log.js';
import type { MachineMemory } from '../../src/daemon/machine-memory.js';
import { Memory } from '../../src/daemon/memory.js';
import { Observer } from '../../src/daemon/observe.js';
import { Performer, type PerformerParts } from '../../src/daemon/perform.js';
import type { Service } from '../../src/daemon/services.js';
import { heldFromStart } from '../../src/daemon/suspending.js';
import { decide } from '../../src/factory/decide.js';
import type { Plan } from '../../src/factory/plan.js';
import { NO_SUSPENSIONS } from '../../src/factory/suspension.js';
import type { MachineRecord, ServiceName } from '../../src/factory/types.js';
import { FileDigests } from '../../src/host/images/file-digests.js';
import { RootImages } from '../../src/host/images/root-images.js';
import { Lvm } from '../../src/host/lvm.js';
import { NoNfs } from '../../src/host/nfs.js';
import { GuestDirectories } from '../../src/machines/guest-directories.js';
import type { JournalEntry } from '../../src/machines/journal.js';
import { Journal } from '../../src/machines/journal.js';
import { METADATA_IP, StateLayout } from '../../src/machines/layout.js';
import { NETWORK_NAME } from '../../src/machines/network-xml.js';
import type { MachineLogs, MachineTools, StepListener } from '../../src/machines/tools.js';
import { MachineVolumes } from '../../src/machines/volumes.js';
import { TrailStore } from '../../src/trail/store.js';
import { Trail } from '../../src/trail/trail.js';
import { config, FACTORY, MODELS, machinetype, record } from '../factory/builders.js';
import { FakeHypervisor } from '../host/fake-hypervisor.js';

export const SERVICES: readonly ServiceName[] = ['firewall', 'network', 'metadata', 'nfs', 'syslog'];

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}

/** Turns of the event loop until a condition holds; its clock is one that tests do not fake. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = process.hrtime.bigint() + 60_000_000_000n;
  for (;;) {
    // Taken before the last question: a process that was held up in between has not waited yet.
    const isLate = process.hrtime.bigint() > deadline;
    if (await condition()) return;
    if (isLate) throw new Error(`this never came: ${what}`);
    await turn();
  }
}

export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A file that passes for a bootable raw disk, of 1 MiB. */
export async function writeRawImage(path: string): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.write(Buffer.from([0x55, 0xaa]), 0, 2, 510);
    await file.truncate(2 ** 20);
  } finally {
    await file.close();
  }
}

/** A log that is kept as lines: `error: words`. */
export class TestLog {
  readonly lines: string[] = [];
  readonly logger: Logger = createLogger('json', (line) => {
    const { level, msg } = JSON.parse(line) as { level: number; msg: string };
    this.lines.push(`${level >= 50 ? 'error' : level >= 40 ? 'warning' : 'info'}: ${msg}`);
  });

  /** The lines with these words in them. */
  with(words: string | RegExp): string[] {
    return this.lines.filter((line) => (typeof words === 'string' ? line.includes(words) : words.test(line)));
  }
}

export const NULL_LOGS: MachineLogs = { async assign() {}, async release() {}, async restore() {} };

/** By state directory. */
const trails = new Map<string, Trail[]>();

/** A trail in the state directory, as a daemon has it; it begins anew without looking at what is there. */
export function testTrail(layout: StateLayout): Trail {
  const trail = new Trail({
    layout,
    store: new TrailStore(layout.trail(), { info() {}, error() {} }),
    digests: new FileDigests(`${layout.root}/image-digests.json`),
    days: () => 0,
    pipeUrl: () => null,
    warn() {},
  });
  trails.set(layout.root, [...(trails.get(layout.root) ?? []), trail]);
  return trail;
}

/** Parts that making and ending a machine needs, on a state directory whose directories are there. */
export function machineTools(
  layout: StateLayout,
  hypervisor: FakeHypervisor,
  settings: () => Settings,
  changes: Partial<MachineTools> = {},
): MachineTools {
  return {
    factory: FACTORY,
    layout,
    journal: new Journal(layout),
    hypervisor,
    nfs: new NoNfs({ address: METADATA_IP }),
    logs: NULL_LOGS,
    images: new RootImages({
      directory: layout.imageCache(),
      log: { info() {}, warn() {} },
      limitBytes: () => null,
      reserveBytes: 0,
    }),
    volumes: new MachineVolumes(new Lvm({ activate: false })),
    trail: testTrail(layout),
    guestOwner: { uid: 65534, gid: 65534 },
    directories: new GuestDirectories({
      layout,
      guestOwner: changes.guestOwner ?? { uid: 65534, gid: 65534 },
      nfs: 'none',
      log: { info() {}, warn() {} },
    }),
    contain: async () => {},
    networkName: NETWORK_NAME,
    rootPublicKey: () => null,
    settings,
    hypervisorFacts: () => hypervisor.facts(),
    ...changes,
  };
}

/** An empty state directory. */
export async function makeStateDirectory(): Promise<StateLayout> {
  const layout = new StateLayout(await mkdtemp(join(tmpdir(), 'vac-daemon-')));
  for (const directory of layout.directories()) await mkdir(directory, { recursive: true });
  return layout;
}

/** Removes it when nothing more is written there: digests of images come into it from the background. */
export async function removeStateDirectory(layout: StateLayout): Promise<void> {
  await Promise.all((trails.get(layout.root) ?? []).map((trail) => trail.close()));
  trails.delete(layout.root);
  await rm(layout.root, { recursive: true, force: true });
}

export interface TestFactoryOptions {
  readonly machinetypes?: readonly Partial<MachinetypeConfig>[];
  readonly settings?: Partial<Settings>;
  readonly tools?: Partial<MachineTools>;
  readonly slots?: number;
}

/** A healthy factory that has heard from its hypervisor and has no machines yet. */
export class TestFactory {
  readonly memory: Memory;
  readonly journal: Journal;
  readonly log = new TestLog();
  readonly observer: Observer;
  readonly performer: Performer;
  readonly cleared: string[] = [];
  /** What each service does when it is looked at or brought up; throw to have it down. */
  readonly serviceWork: Record<ServiceName, () => Promise<void>>;
  /** Services whose server has ended by itself, which is told once. */
  readonly ended = new Set<ServiceName>();
  wakes = 0;
  /** How far the calendar's clock was set, against the host's own. */
  clockSetSeconds = 0;
  listen: StepListener = () => {};
  hooks: Partial<Pick<PerformerParts, 'onStarted' | 'onCreationFailed' | 'onEnded' | 'onMemoryKept'>> = {};
  relist: () => Promise<void> = () => this.observer.listDomains();

  private constructor(
    readonly layout: StateLayout,
    readonly hypervisor: FakeHypervisor,
    configuration: Config,
    options: TestFactoryOptions,
  ) {
    this.memory = new Memory(FACTORY, configuration);
    const nothing = async () => {};
    this.serviceWork = { firewall: nothing, network: nothing, metadata: nothing, nfs: nothing, syslog: nothing };
    const services = Object.fromEntries(
      SERVICES.map((name) => {
        const work = () => this.serviceWork[name]();
        const hasEnded = async () => this.ended.delete(name);
        return [name, { name, ensure: work, check: work, hasEnded } satisfies Service];
      }),
    ) as unknown as Record<ServiceName, Service>;
    const tools = machineTools(layout, hypervisor, () => this.memory.config.settings, {
      heldFromStart: (record) => heldFromStart(record, this.memory),
      ...options.tools,
    });
    this.journal = tools.journal;
    this.memory.images = tools.images;
    const wake = () => {
      this.wakes += 1;
    };
    const common = { memory: this.memory, services, log: this.log.logger, wake };
    this.observer = new Observer({
      ...common,
      hypervisor,
      nfs: tools.nfs,
      journal: this.journal,
      hostProcessors: options.slots ?? 4,
      clocks: () => ({
        unixSeconds: Date.now() / 1000,
        bootId: 'a boot',
        bootSeconds: Date.now() / 1000 - this.clockSetSeconds,
      }),
    });
    this.performer = new Performer({
      ...common,
      tools,
      relist: () => this.relist(),
      listen: (...step) => this.listen(...step),
      onStarted: (machine) => this.hooks.onStarted?.(machine),
      onCreationFailed: (machine) => this.hooks.onCreationFailed?.(machine),
      onEnded: (machine) => this.hooks.onEnded?.(machine),
      onMemoryKept: async (id, words) => this.hooks.onMemoryKept?.(id, words),
      onCleared: ({ entry }) => this.cleared.push(entry.record.id),
    });
  }

  static async create(options: TestFactoryOptions = {}): Promise<TestFactory> {
    const layout = await makeStateDirectory();
    const image = join(layout.root, 'image.raw');
    await writeRawImage(image);
    const types = (options.machinetypes ?? [{}]).map((changes) =>
      // No scratch and no swap: what they take is of no interest here.
      machinetype(changes.name ?? 'prod', {
        rootImage: image,
        diskGbPerProcessor: 0,
        swapMibPerProcessor: 0,
        ...changes,
      }),
    );
    const factory = new TestFactory(layout, new FakeHypervisor(), config(types, options.settings), options);
    factory.memory.host = {
      processors: options.slots ?? 4,
      memoryMiB: 65_536,
      loadAverages: [0, 0, 0],
      ioPressurePercent: 0,
      stateFreeBytes: 100e9,
    };
    for (const name of SERVICES) factory.memory.serviceReady(name, performance.now());
    await factory.observer.listDomains();
    return factory;
  }

  async dispose(): Promise<void> {
    this.observer.stop();
    await this.performer.settled();
    await this.observer.settled();
    await removeStateDirectory(this.layout);
  }

  /** One pass of the loop at this moment, or as it would be so many seconds later on both clocks. */
  pass(laterSeconds = 0): Plan {
    const state = this.memory.state(nowSeconds() + laterSeconds, performance.now() + laterSeconds * 1000);
    const plan = decide(state, this.memory.config, () => 0.5, MODELS);
    for (const action of plan.actions) this.performer.start(action);
    return plan;
  }

  /** Everything under way is done, and the hypervisor was looked at once more. */
  async settle(): Promise<void> {
    await this.performer.settled();
    await this.observer.listDomains();
  }

  /** Passes until nothing is left to do; the kinds of actions in their order. */
  async drive(): Promise<string[]> {
    const kinds: string[] = [];
    for (let passes = 0; passes < 20; passes += 1) {
      const { actions } = this.pass();
      if (actions.length === 0) return kinds;
      kinds.push(...actions.map(({ kind }) => kind));
      await this.settle();
    }
    throw new Error(`the factory does not come to rest: ${kinds.join(' ')}`);
  }

  /** Puts a machine into the state directory and the memory, and its domain into the hypervisor. */
  async addMachine(
    recordChanges: Partial<MachineRecord> = {},
    entryChanges: Partial<JournalEntry> = {},
    withDomain = true,
  ): Promise<MachineMemory> {
    const made = record({ createdTimeSeconds: nowSeconds() - 3600, ...recordChanges });
    const phase = entryChanges.phase ?? 'running';
    const startedTimeSeconds = phase === 'starting' ? null : made.createdTimeSeconds + 2;
    await this.journal.open(made);
    await this.journal.takeSlot(made);
    await mkdir(this.layout.inMachine(made.id, 'joboutputs'));
    if (startedTimeSeconds !== null) await this.journal.started(made, startedTimeSeconds);
    if (withDomain) this.addDomain(made);
    return this.memory.remember(
      {
        record: made,
        phase,
        startedTimeSeconds,
        heartbeatTimeSeconds: null,
        cpuSeconds: 0,
        shutdownTimeSeconds: made.firstShutdownTimeSeconds,
        stop: null,
        suspension: null,
        pastSuspensions: NO_SUSPENSIONS,
        end: null,
        ...entryChanges,
      },
      performance.now(),
    );
  }

  addDomain({ uuid, hostname }: Pick<MachineRecord, 'uuid' | 'hostname'>): void {
    this.hypervisor.domains.set(uuid, {
      uuid,
      name: hostname,
      state: 'running',
      pausedByIoError: false,
      cpuSeconds: 0,
    });
  }

  joboutput(machine: MachineMemory, name: string): string {
    return `${this.layout.inMachine(machine.entry.record.id, 'joboutputs')}/${name}`;
  }
}
