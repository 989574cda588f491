/**
 * One factory: composed from its real parts, started, and stopped. `vacd` runs it as a service, `npm start` in the
 * foreground with a view, tests with whatever they need.
 */

import type { Config } from '../config/types.js';
import { isVacError } from '../errors.js';
import { DecisionLog } from '../factory/decision-log.js';
import { MIN_STATE_FREE_BYTES } from '../factory/limits.js';
import type { MachineRecord } from '../factory/types.js';
import { weighableResources } from '../host/cgroup.js';
import { readTextIfThere } from '../host/files.js';
import type { FlowLog } from '../host/flow-log.js';
import type { HypervisorFacts } from '../host/hypervisor.js';
import { RootImages } from '../host/images/root-images.js';
import { Lvm } from '../host/lvm.js';
import { boundWithoutEffect } from '../machines/gentle.js';
import { GuestDirectories } from '../machines/guest-directories.js';
import { JoboutputsWatch } from '../machines/joboutputs-watch.js';
import { Journal } from '../machines/journal.js';
import { NETWORK_NAME } from '../machines/network-xml.js';
import type { MachineTools, StepListener } from '../machines/tools.js';
import { MachineVolumes } from '../machines/volumes.js';
import { weightsWithoutEffect } from '../machines/weights.js';
import type { MemberProcess } from '../space/member-process.js';
import type { Trail } from '../trail/trail.js';
import { steadyClock } from '../vacquery/index.js';
import { type ControlHandlers, ControlServer } from './control.js';
import { controlGroupId } from './control-group.js';
import { Credentials } from './credentials.js';
import { endAll } from './ending.js';
import { HostServices, type HostServicesParts } from './host-services.js';
import { Loop } from './loop.js';
import type { MachineMemory } from './machine-memory.js';
import { Memory } from './memory.js';
import { Metrics } from './metrics.js';
import type { Scrapes } from './metrics-server.js';
import { Observer } from './observe.js';
import { OrderBook } from './orders.js';
import type { OutputsArchive } from './outputs-archive.js';
import { OvernightMode } from './overnight-mode.js';
import type { OwnerWatchParts } from './owner-watch.js';
import { Performer } from './perform.js';
import { pipesDirectory } from './pipe-copies.js';
import { Pipes } from './pipes.js';
import { QuarantineBook } from './quarantine-book.js';
import { closeMachinesDirectory, recoverMachines, sweep, takeStateDirectory } from './recover.js';
import { machineLogs } from './services.js';
import { Space } from './space.js';
import { type FactoryStatus, factoryStatus } from './status.js';
import { StatusFiles } from './status-files.js';
import { gentlenessOf, heldFromStart } from './suspending.js';
import { archiveOfOutputs, connectionLog, machineTrail } from './tracing.js';
import { TrustWatch } from './trust-watch.js';
import { UseHistory } from './use-history.js';

export interface DaemonParts extends Omit<HostServicesParts, 'memory' | 'rootPublicKey'> {
  readonly config: Config;
  /** Where VacQuery is spoken. */
  readonly spaceProcess: MemberProcess;
  /** Where /metrics is served. */
  readonly scrapes: (page: Pick<Metrics, 'contentType' | 'text'>) => Scrapes;
  /** Other than the real number of processors; for the demo and tests. */
  readonly hostProcessors?: number;
  readonly startsLimit?: number;
  readonly listen?: StepListener;
  readonly onCleared?: (machine: MachineMemory) => void;
  /** Instead of those of this host. */
  readonly ownerSensors?: OwnerWatchParts['sensors'];
}

/** Between two writings of the files that site monitoring reads. */
const STATUS_FILES_SECONDS = 10;
/** What is under way at the end may finish within this; what cannot is picked up by the next vacd as after a crash. */
const SETTLE_SECONDS = 10;
/** For sockets and servers, each of which ends at once unless something hangs. */
const CLOSE_SECONDS = 3;

export class Daemon {
  readonly memory: Memory;
  readonly decisions = new DecisionLog();
  readonly metrics: Metrics;
  readonly space: Space;
  readonly trust: TrustWatch;
  private readonly pipes: Pipes;
  private readonly journal: Journal;
  private readonly observer: Observer;
  private readonly performer: Performer;
  private readonly loop: Loop;
  private readonly control: ControlServer;
  private readonly orders: OrderBook;
  private readonly overnight: OvernightMode;
  private readonly statusFiles: StatusFiles;
  private readonly credentials: Credentials;
  private readonly useHistory: UseHistory;
  private readonly trail: Trail;
  private readonly quarantines: QuarantineBook;
  private readonly flowLog: FlowLog | null;
  private readonly outputsArchive: OutputsArchive;
  private readonly directories: GuestDirectories;
  private readonly joboutputsWatch: JoboutputsWatch;
  private readonly tools: MachineTools;
  private readonly images: RootImages;
  private readonly services: HostServices;
  private lock: { release(): void } | null = null;
  private hypervisorFacts: HypervisorFacts | null = null;
  private statusTimer: NodeJS.Timeout | null = null;
  private rootPublicKey: string | null = null;
  private readonly passListeners: (() => void)[] = [];
  private readonly stepListeners: StepListener[] = [];

  constructor(readonly parts: DaemonParts) {
    const { factory, config, layout, hypervisor, nfs, syslog, log } = parts;
    this.memory = new Memory(factory, config);
    this.images = new RootImages({
      directory: layout.imageCache(),
      log,
      limitBytes: () => bytesOf(this.memory.config.settings.imageCacheGb),
      reserveBytes: MIN_STATE_FREE_BYTES,
    });
    this.memory.images = this.images;
    this.metrics = new Metrics(this.memory);
    if (parts.startsLimit !== undefined) this.memory.orders = { ...this.memory.orders, startsLeft: parts.startsLimit };
    this.journal = new Journal(layout);
    this.trail = machineTrail(this.memory, layout, log);
    this.outputsArchive = archiveOfOutputs(this.memory, layout, this.trail, log);
    const rootPublicKey = () => this.rootPublicKey;
    this.services = new HostServices({ ...parts, memory: this.memory, rootPublicKey });
    const logs = machineLogs(syslog);
    this.metrics.watch({
      syslog: () => (syslog === null ? null : { lost: syslog.lostLines(), forwarding: syslog.forwarding() }),
    });
    this.directories = new GuestDirectories({
      layout,
      guestOwner: parts.guestOwner,
      nfs: nfs.name,
      log,
    });
    const { trail, outputsArchive, directories } = this;
    this.trust = new TrustWatch({ layout, firewall: parts.firewall, syslog, directories, trail, outputsArchive });
    this.trust.watchChild('metadata', () => this.services.child());
    this.metrics.watch({ trust: () => this.trust.facts(), problems: () => this.moreProblems() });
    this.joboutputsWatch = new JoboutputsWatch({ layout, nfs, log });
    this.tools = {
      factory,
      heldFromStart: (record) => heldFromStart(record, this.memory),
      gentleness: () => gentlenessOf(this.memory),
      layout,
      journal: this.journal,
      hypervisor,
      nfs,
      logs,
      images: this.images,
      volumes: new MachineVolumes(new Lvm()),
      trail: this.trail,
      outputsArchive: this.outputsArchive,
      guestOwner: parts.guestOwner,
      directories: this.directories,
      networkName: NETWORK_NAME,
      contain: () => this.services.containment.ensure(),
      rootPublicKey,
      settings: () => this.memory.config.settings,
      hypervisorFacts: async () => {
        this.hypervisorFacts ??= await hypervisor.facts();
        return this.hypervisorFacts;
      },
    };
    const wake = () => this.loop.wake();
    this.observer = new Observer({
      memory: this.memory,
      hypervisor,
      nfs,
      services: this.services.byName,
      journal: this.journal,
      log,
      wake,
      hostProcessors: parts.hostProcessors,
    });
    this.performer = new Performer({
      memory: this.memory,
      tools: this.tools,
      services: this.services.byName,
      log,
      wake,
      relist: () => this.observer.listDomains(),
      listen: async (...step) => {
        this.metrics.step(...step);
        for (const listen of this.stepListeners) listen(...step);
        await parts.listen?.(...step);
      },
      onStarted: ({ entry }) => this.metrics.machineStarted(entry.record.machinetype),
      onCreationFailed: ({ entry }) => this.metrics.creationFailed(entry.record.machinetype),
      onEnded: ({ entry }) => this.metrics.machineEnded(entry),
      onMemoryKept: (id, words) => this.quarantines.noteMemory(id, words),
      onCleared: (machine) => parts.onCleared?.(machine),
    });
    this.loop = new Loop(this.memory, this.performer, this.decisions, log, (plan, milliseconds) => {
      this.metrics.passed(plan, milliseconds);
      this.orders.tidy(Math.floor(Date.now() / 1000));
      this.quarantines.tidy();
      this.useHistory.update();
      this.overnight.passed();
      // What was just begun counts for the others from now on, before it is there.
      this.space.announce();
      for (const listener of this.passListeners) listener();
    });
    this.space = new Space({
      memory: this.memory,
      log,
      stateDir: layout.root,
      wake,
      clock: steadyClock,
      process: parts.spaceProcess,
    });
    this.pipes = new Pipes(
      {
        directory: pipesDirectory(layout.root),
        log,
        onChange: (renewed) => {
          this.memory.renewMachinetypes(renewed);
          wake();
        },
        onFacts: (facts) => {
          this.memory.pipes = facts;
        },
      },
      config,
    );
    this.flowLog = connectionLog(config.settings, layout, log);
    this.quarantines = new QuarantineBook({ memory: this.memory, layout, trail: this.trail, log, wake });
    this.orders = new OrderBook({ memory: this.memory, path: layout.orders(), log, wake });
    this.useHistory = new UseHistory({
      memory: this.memory,
      path: `${layout.root}/share-history.json`,
      log,
      now: () => ({ steadyMs: performance.now(), unixSeconds: Date.now() / 1000 }),
    });
    this.statusFiles = new StatusFiles({ memory: this.memory, decisions: this.decisions, layout, log });
    this.credentials = new Credentials({ memory: this.memory, layout, log });
    const handlers: ControlHandlers = {
      status: () => this.status(),
      why: (about) => this.decisions.about(about),
      drain: (order) => this.orders.drain(order),
      undrain: () => this.orders.undrain(),
      stop: (machine) => this.orders.stop(machine),
      shutdownAt: (timeSeconds) => this.orders.shutdownAt(timeSeconds),
      quarantine: (request) => this.quarantines.hold(request),
      release: (machine, who, destroy) => this.quarantines.release(machine, who, destroy),
      space: async () => {
        await this.space.look();
        return this.space.report();
      },
      overnight: () => this.overnight.report(),
      overnightPause: (pause) => this.overnight.pause(pause),
    };
    this.control = new ControlServer(`${layout.root}/vacd.sock`, handlers);
    this.overnight = new OvernightMode({
      memory: this.memory,
      layout,
      log,
      wake,
      handlers,
      sensors: parts.ownerSensors,
    });
  }

  /**
   * Takes the state directory, finds the machines that are in it, brings the services up, and begins.
   *
   * @throws VacError what an administrator must change before it makes sense to run at all: `already-running`,
   *   `hypervisor-unreachable` (when there are no machines to look after), `address-in-use`. Other trouble with services
   *   is logged and tried again for ever.
   */
  async start(): Promise<void> {
    const { layout, log } = this.parts;
    this.lock = await takeStateDirectory(layout);
    await this.directories.unmountBelow(layout.tmp());
    await sweep(layout);
    await this.directories.begin();
    this.memory.renewMachinetypes(await this.pipes.load());
    await recoverMachines(this.journal, this.memory, this.tools.logs, log);
    await this.trail.start(this.unclearedMachines().map(({ entry }) => entry.record));
    await this.images.cache.start(new Set(this.memory.machines.keys()));
    await this.orders.restore(Math.floor(Date.now() / 1000));
    await this.quarantines.restore();
    await this.overnight.start(this.memory.config);
    const weighable = await weighableResources();
    const { settings, overnight } = this.memory.config;
    const inVain = [...weightsWithoutEffect(weighable, settings), ...boundWithoutEffect(weighable, overnight)];
    for (const line of inVain) log.warn(line);
    const { rootPublicKeyPath } = this.memory.config.settings;
    const key = await readTextIfThere(rootPublicKeyPath).catch((error: Error) => {
      log.warn(`root_public_key ${rootPublicKeyPath} cannot be read, machines get none: ${error.message}`);
      return null;
    });
    this.rootPublicKey = key?.trim() ?? null;
    try {
      await closeMachinesDirectory(layout, (await this.tools.hypervisorFacts()).emulatorGid);
    } catch (error) {
      // With machines to look after it is better to serve them and wait for libvirt than to be gone as well.
      if (!isVacError(error, 'hypervisor-unreachable') || this.unclearedMachines().length === 0) throw error;
      log.error(`${error.message}; its machines are served meanwhile`);
    }
    await this.observer.start();
    await this.useHistory.restore();
    // The others are heard while services come up, which takes longer; and nothing is made yet, should its port be taken.
    await this.space.start();
    await this.services.bringUp();
    this.flowLog?.start();
    await this.outputsArchive.start([...this.memory.cleared.values()].map(({ entry }) => entry.record));
    await this.control.listen();
    // Not waited for: a directory service may hang, and the socket is open to root meanwhile.
    void this.admitControlGroup();
    log.info(`machines here run by ${this.hypervisorFacts?.domainTypeReason}`);
    const found = this.unclearedMachines().length;
    log.info(
      `factory ${this.parts.factory} of space ${this.memory.config.settings.vacSpace}: ${this.memory.totalProcessors()} slots, ${found === 0 ? 'no machine was' : `${found} found again that were`} left by an earlier vacd`,
    );
    this.credentials.start();
    this.trust.start();
    this.loop.start();
    this.pipes.begin();
    await this.statusFiles.write();
    this.statusTimer = setInterval(() => void this.statusFiles.write(), STATUS_FILES_SECONDS * 1000);
    if (this.directories.areWatched) this.joboutputsWatch.start(() => this.runningRecords());
  }

  /** Asks for a pass soon. */
  wake(): void {
    this.loop.wake();
  }

  /** Calls back after each pass of the loop. */
  onPass(listener: () => void): void {
    this.passListeners.push(listener);
  }

  /** Calls back at each step of making and ending a machine. */
  onStep(listener: StepListener): void {
    this.stepListeners.push(listener);
  }

  status(): FactoryStatus {
    const hypervisor = this.hypervisorFacts?.domainTypeReason ?? 'not asked yet';
    const status = factoryStatus(this.memory, this.decisions, hypervisor);
    return { ...status, problems: [...status.problems, ...this.moreProblems()] };
  }

  /** One line each: what is wrong besides what the memory tells. */
  private moreProblems(): string[] {
    const flows = this.flowLog?.problem() ?? null;
    const archive = this.outputsArchive.problem();
    const tracing = [
      ...(flows === null ? [] : [`flow_log: connections of machines are not logged: ${flows}`]),
      ...(archive === null ? [] : [archive]),
    ];
    return [...this.trust.problems(), ...this.directories.problems(), ...tracing, ...this.space.problems()];
  }

  /** Takes a changed configuration into use; machines that run keep what they were made with. */
  reconfigure(config: Config): void {
    this.memory.reconfigure(this.pipes.reconfigure(config));
    this.space.configure();
    void this.credentials.look();
    void this.admitControlGroup();
    void this.overnight.configure(config);
    this.loop.wake();
  }

  /** Asks every machine to stop, and starts nothing more. */
  stopMachines(): void {
    this.memory.orders = { ...this.memory.orders, stopAll: true };
    this.loop.wake();
  }

  /** Machines that are not yet accounted for and cleaned up. */
  unclearedMachines(): MachineMemory[] {
    return [...this.memory.machines.values()];
  }

  /**
   * Ends this daemon and leaves its machines as they are: the next one finds them again. From this call on nothing new
   * begins.
   */
  async stop(): Promise<void> {
    const { log } = this.parts;
    this.loop.stop();
    this.observer.stop();
    await endAll({ 'overnight.sock': () => this.overnight.close() }, CLOSE_SECONDS, log);
    this.credentials.stop();
    this.trust.stop();
    if (this.statusTimer !== null) clearInterval(this.statusTimer);
    this.joboutputsWatch.stop();
    const leaveSpace = endAll({ VacQuery: () => this.space.close() }, CLOSE_SECONDS, log);
    const stopFetching = endAll({ 'fetching images': () => this.images.cache.close() }, CLOSE_SECONDS, log);
    await endAll({ 'what is being done to machines': () => this.performer.settled() }, SETTLE_SECONDS, log);
    await leaveSpace;
    await stopFetching;
    await endAll({ 'the archive of joboutputs': () => this.outputsArchive.close() }, CLOSE_SECONDS, log);
    const tracing = { 'the trail': () => this.trail.close(), flow_log: async () => this.flowLog?.close() };
    await endAll(tracing, CLOSE_SECONDS, log);
    await endAll({ 'share-history.json': () => this.useHistory.close() }, CLOSE_SECONDS, log);
    await endAll({ 'vacuum pipes': () => this.pipes.close() }, CLOSE_SECONDS, log);
    const servers = { metadata: () => this.services.close(), 'vacd.sock': () => this.control.close() };
    await endAll(servers, CLOSE_SECONDS, log);
    this.metrics.close();
    this.lock?.release();
  }

  private runningRecords(): MachineRecord[] {
    const running = this.unclearedMachines().filter(({ entry }) => entry.phase === 'running');
    return running.map(({ entry }) => entry.record);
  }

  private async admitControlGroup(): Promise<void> {
    const { config } = this.memory;
    try {
      const gid = await controlGroupId(config, this.parts.log);
      // A later configuration has its own say.
      if (config === this.memory.config) await this.control.admit(gid);
    } catch (error) {
      this.parts.log.error(`vacd.sock: ${(error as Error).message}`);
    }
  }
}

function bytesOf(gb: number | null): number | null {
  return gb === null ? null : gb * 1e9;
}
