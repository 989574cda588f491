/**
 * Observers: each gathers one kind of fact at its own pace, writes it into the Memory and wakes the loop. None of
 * them acts, and none waits for another: a libvirt that hangs leaves the other facts fresh.
 */

import { readFile, stat, statfs } from 'node:fs/promises';
import { availableParallelism, loadavg, totalmem } from 'node:os';
import type { TwoClocks } from '../accounting/use.js';
import type { ServiceName } from '../factory/types.js';
import { readClocks } from '../host/boot-clock.js';
import { firstLineHarmless, hostileFileTimeMs, readHostileFile } from '../host/files.js';
import type { DomainFact, DomainListing, Hypervisor, HypervisorEvent } from '../host/hypervisor.js';
import type { NfsServer } from '../host/nfs.js';
import type { Journal } from '../machines/journal.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
import { keepUse, noteUse, redate } from './machine-use.js';
import type { Memory } from './memory.js';
import type { Service } from './services.js';

/** Between two listings of domains when no event asks for one sooner. */
const LISTING_SECONDS = 5;
/** Between two looks at load, pressure, free space, guests' heartbeat files, and whether servers have ended. */
const HOST_SECONDS = 2;
/** Between two looks at whether network, NFS, metadata and syslog still work. */
const SERVICES_SECONDS = 10;
/** A machine's `heartbeat` file is written at least this often while it runs. */
const HEARTBEAT_SECONDS = 30;
/** What a shutdown message may be at most; the rest of a longer file is not read. */
const MAX_SHUTDOWN_MESSAGE_BYTES = 4096;

export interface ObserverParts {
  readonly memory: Memory;
  readonly hypervisor: Hypervisor;
  readonly nfs: NfsServer;
  readonly services: Readonly<Record<ServiceName, Service>>;
  readonly journal: Journal;
  readonly log: Logger;
  readonly wake: () => void;
  /** A limit on host processors other than the real number; for the demo and tests. */
  readonly hostProcessors: number | undefined;
  /** Other clocks than the host's; for tests. */
  readonly clocks?: () => TwoClocks;
}

export class Observer {
  private readonly timers: NodeJS.Timeout[] = [];
  private listing: Promise<void> | null = null;
  private nextListing: Promise<void> | null = null;
  /** When (Unix seconds) and how libvirt said that a domain stopped, by uuid. */
  private readonly stopped = new Map<string, { readonly timeSeconds: number; readonly detail: string }>();
  private closed = false;

  private readonly clocks: () => TwoClocks;
  private readonly writes = new Set<Promise<void>>();

  constructor(private readonly parts: ObserverParts) {
    this.clocks = parts.clocks ?? readClocks;
  }

  /** Looks once at everything, then keeps looking. */
  async start(): Promise<void> {
    const { hypervisor } = this.parts;
    hypervisor.onEvent((event) => this.onEvent(event));
    hypervisor.onConnectionChange(() => void this.listDomains());
    await this.lookAtHost();
    // Whoever repairs the network wants to know which machines are on it.
    await this.listDomains();
    this.every(LISTING_SECONDS, this.listDomains);
    this.every(HOST_SECONDS, () => this.lookAtHost());
    this.every(HOST_SECONDS, () => this.lookAtHeartbeatFiles());
    this.every(SERVICES_SECONDS, () => this.lookAtServices());
    this.every(HOST_SECONDS, () => this.lookAtEnds());
  }

  stop(): void {
    this.closed = true;
    for (const timer of this.timers) clearInterval(timer);
  }

  private every(seconds: number, look: () => Promise<void>): void {
    let looking = false;
    const timer = setInterval(async () => {
      if (looking) return;
      looking = true;
      try {
        await look();
      } catch (error) {
        this.parts.log.warn(`observing failed: ${(error as Error).message}`);
      } finally {
        looking = false;
      }
    }, seconds * 1000);
    this.timers.push(timer);
  }

  private onEvent(event: HypervisorEvent): void {
    const ours = [...this.parts.memory.machines.values()].some(({ entry }) => entry.record.uuid === event.uuid);
    if (ours && (event.event === 'stopped' || event.event === 'crashed')) {
      this.stopped.set(event.uuid, { timeSeconds: Math.floor(Date.now() / 1000), detail: event.detail });
    }
    void this.listDomains();
  }

  /**
   * Resolves after a listing that was asked for after this call. There is one at a time: a wish that comes while one is
   * under way is granted by the next, together with all others that come meanwhile.
   */
  readonly listDomains = (): Promise<void> => {
    if (this.listing === null) {
      this.listing = this.listOnce().finally(() => {
        this.listing = null;
      });
      return this.listing;
    }
    this.nextListing ??= this.listing.then(() => {
      this.nextListing = null;
      return this.listDomains();
    });
    return this.nextListing;
  };

  private async listOnce(): Promise<void> {
    if (this.closed) return;
    const { memory, hypervisor, log } = this.parts;
    let listing: DomainListing;
    try {
      listing = await hypervisor.listDomains();
    } catch (error) {
      const { message } = error as Error;
      if (memory.hypervisorProblem === null || memory.hypervisorProblem.sinceSeconds === 0) {
        memory.hypervisorProblem = { sinceSeconds: Math.floor(Date.now() / 1000), message };
        log.error(`libvirt does not answer: ${message}; machines go on, nothing new starts`);
      }
      this.parts.wake();
      return;
    }
    // Before the last words of machines are read: meanwhile the old one would show domains that are gone by now.
    memory.listing = listing;
    try {
      await this.take(listing.domains, listing.askedAtMs);
      // Only a failure that was told of has an end to tell of.
      if ((memory.hypervisorProblem?.sinceSeconds ?? 0) > 0) log.info('libvirt answers again');
      memory.hypervisorProblem = null;
    } catch (error) {
      log.error(`the listing of domains could not be taken in: ${(error as Error).message}`);
    }
    this.parts.wake();
  }

  private async take(domains: readonly DomainFact[], askedAtMs: number): Promise<void> {
    const byUuid = new Map(domains.map((domain) => [domain.uuid, domain]));
    const nowSeconds = Math.floor(Date.now() / 1000);
    const lost: MachineMemory[] = [];
    const watched = new Set<string>();
    for (const machine of this.parts.memory.machines.values()) {
      if (machine.entry.phase !== 'starting' && machine.entry.phase !== 'running') continue;
      if (!machine.gone) watched.add(machine.entry.record.uuid);
      const domain = byUuid.get(machine.entry.record.uuid);
      if (domain !== undefined) this.seen(machine, domain, askedAtMs, nowSeconds);
      else if (askedAtMs >= machine.changedAtMs && !machine.gone && !beingCreated(machine)) lost.push(machine);
    }
    // An event that came after the listing that lacked its domain is of no use any more.
    for (const uuid of this.stopped.keys()) if (!watched.has(uuid)) this.stopped.delete(uuid);
    // What one machine's files do must not hold up the others: it is looked at again with the next listing.
    const problem = (machine: MachineMemory) => (error: Error) =>
      this.parts.log.warn(`${machine.entry.record.id}: its last words cannot be read: ${error.message}`);
    await Promise.all(lost.map((machine) => this.lost(machine, nowSeconds).catch(problem(machine))));
  }

  private seen(machine: MachineMemory, domain: DomainFact, askedAtMs: number, nowSeconds: number): void {
    const now = this.clocks();
    const lookedBefore = machine.domain === null ? null : machine.entry.use;
    if (lookedBefore != null && now.bootSeconds - lookedBefore.bootSeconds >= 1) {
      const used = domain.cpuSeconds - machine.cpuSeconds;
      machine.cpuPercent = Math.max(0, (100 * used) / (now.bootSeconds - lookedBefore.bootSeconds));
    }
    machine.domain = domain;
    machine.gone = false;
    // libvirt counts from the domain's creation, so it stays right over restarts of either daemon.
    machine.cpuSeconds = Math.max(machine.cpuSeconds, domain.cpuSeconds);
    this.inBackground(machine, noteUse(machine, domain.state === 'paused', now, this.parts));
    machine.seenTimeSeconds = nowSeconds;
    if (domain.state === 'paused') machine.pausedSinceMs ??= performance.now();
    else if (machine.pausedSinceMs !== null) {
      machine.pausedSinceMs = null;
      machine.resumedAtMs = performance.now();
    }
    if (machine.entry.phase === 'running' && askedAtMs - machine.heartbeatWrittenAtMs >= HEARTBEAT_SECONDS * 1000) {
      machine.heartbeatWrittenAtMs = askedAtMs;
      const { journal } = this.parts;
      const beat = journal.heartbeat(machine.entry.record, machine.cpuSeconds, machine.cpuPercent);
      this.inBackground(
        machine,
        beat.then(() => keepUse(machine, journal)),
      );
    }
  }

  /** What is written while the look goes on. */
  private inBackground(machine: MachineMemory, work: Promise<void> | null): void {
    if (work === null) return;
    const done = work
      .catch((error: Error) =>
        this.parts.log.warn(`heartbeat of ${machine.entry.record.id} not written: ${error.message}`),
      )
      .finally(() => this.writes.delete(done));
    this.writes.add(done);
  }

  /** Resolves when nothing that was seen is still being written. */
  async settled(): Promise<void> {
    await Promise.all(this.writes);
  }

  /** Its last words are read before it counts as gone, so that the decision has them. */
  private async lost(machine: MachineMemory, nowSeconds: number): Promise<void> {
    const { record } = machine.entry;
    const { layout } = this.parts.journal;
    const joboutputs = layout.inMachine(record.id, 'joboutputs');
    const text = await readHostileFile(`${joboutputs}/shutdown_message`, MAX_SHUTDOWN_MESSAGE_BYTES);
    machine.shutdownMessage = text === null ? null : firstLineHarmless(text);
    // QEMU makes the console's file before the guest runs: only what was written there is a trace of it.
    const console = await stat(layout.inMachine(record.id, 'console.log')).catch(() => null);
    const spoke = console !== null && console.size > 0;
    // The times of files in joboutputs are the guest's to set, so they are no evidence of when.
    if (spoke) machine.lastTraceTimeSeconds = Math.min(nowSeconds, Math.floor(console.mtimeMs / 1000));
    else machine.lastTraceTimeSeconds = machine.shutdownMessage === null ? null : record.createdTimeSeconds;
    this.inBackground(machine, redate(machine, this.clocks(), this.parts));
    const stopped = this.stopped.get(record.uuid);
    this.stopped.delete(record.uuid);
    machine.goneTimeSeconds = stopped?.timeSeconds ?? (machine.domain === null ? null : nowSeconds);
    machine.goneDetail = stopped?.detail ?? null;
    machine.domain = null;
    machine.gone = true;
  }

  private async lookAtHost(): Promise<void> {
    const { memory, journal, hostProcessors } = this.parts;
    const disk = await statfs(journal.layout.root);
    const [one = 0, five = 0, fifteen = 0] = loadavg();
    memory.host = {
      processors: hostProcessors ?? availableParallelism(),
      memoryMiB: Math.floor(totalmem() / 2 ** 20),
      loadAverages: [one, five, fifteen],
      ioPressurePercent: await readIoPressure(),
      stateFreeBytes: disk.bavail * disk.bsize,
    };
  }

  private async lookAtHeartbeatFiles(): Promise<void> {
    for (const machine of this.parts.memory.machines.values()) {
      const { record, phase } = machine.entry;
      if (phase !== 'running' || record.heartbeatFile === null) continue;
      const directory = this.parts.journal.layout.inMachine(record.id, 'joboutputs');
      const mtimeMs = await hostileFileTimeMs(directory, record.heartbeatFile).catch((error: Error) => {
        this.parts.log.warn(`${record.id}: its heartbeat file cannot be looked at: ${error.message}`);
        return machine.heartbeatFile?.mtimeMs ?? null;
      });
      const nowMs = performance.now();
      if (mtimeMs === null) machine.heartbeatFile = null;
      // First seen after a restart of vacd: then the wall clock is all there is to tell its age.
      else if (machine.heartbeatFile === null) {
        machine.heartbeatFile = { mtimeMs, changedAtMs: nowMs - Math.max(0, Date.now() - mtimeMs) };
      } else if (machine.heartbeatFile.mtimeMs !== mtimeMs) machine.heartbeatFile = { mtimeMs, changedAtMs: nowMs };
    }
  }

  /** Services that were ready may have stopped being so; then machines' exports are compared with what should be. */
  private async lookAtServices(): Promise<void> {
    const { memory, services } = this.parts;
    await Promise.all(Object.values(services).map((service) => this.lookAtService(service)));
    if (memory.services.nfs.readySinceMs !== null) await this.lookAtExports();
    this.parts.wake();
  }

  /** Machines that mount and log wait for a server that has ended, or lose lines: it is not left to the next look. */
  private async lookAtEnds(): Promise<void> {
    for (const service of Object.values(this.parts.services)) {
      if (!(await service.hasEnded?.())) continue;
      this.parts.log.warn(`${service.name}: its server has ended by itself`);
      await this.lookAtService(service);
      this.parts.wake();
    }
  }

  private async lookAtService(service: Service): Promise<void> {
    const { memory, log } = this.parts;
    const state = memory.services[service.name];
    if (state.readySinceMs === null || state.busy) return;
    // The network is libvirt's: while it does not answer, nothing is known, and nothing to be repaired.
    if (service.name === 'network' && memory.hypervisorProblem !== null) return;
    try {
      await service.check();
    } catch (error) {
      const { message } = error as Error;
      log.error(`${service.name} no longer works: ${message}`);
      memory.serviceFailed(service.name, message, performance.now());
      state.retryAtMs = 0;
    }
  }

  private async lookAtExports(): Promise<void> {
    const { memory, nfs } = this.parts;
    if (nfs.name === 'none') return;
    const exported = await nfs.list();
    for (const machine of memory.machines.values()) {
      const { phase, record } = machine.entry;
      if (phase === 'running' && !machine.busy) machine.exported = exported.has(record.id);
    }
  }
}

function beingCreated(machine: MachineMemory): boolean {
  return machine.entry.phase === 'starting' && machine.busy;
}

/** "some avg10" of /proc/pressure/io in percent; null where the kernel does not tell. */
async function readIoPressure(): Promise<number | null> {
  try {
    const match = /^some avg10=([\d.]+)/m.exec(await readFile('/proc/pressure/io', 'utf8'));
    return match ? Number(match[1]) : null;
  } catch {
    return null;
  }
}
