/**
 * All that a running vacd knows, in one place with one writer: the loop's own thread. Observers and performers write
 * facts here and wake the loop; `state()` gives the pure core a picture of this moment.
 */

import { isDeepStrictEqual } from 'node:util';
import type { Config, MachinetypeConfig } from '../config/types.js';
import { isCredibleTime } from '../factory/credible-time.js';
import { withEnd, withoutFuture } from '../factory/early-deaths.js';
import { lastEndFrom } from '../factory/news.js';
import { NO_ORDERS } from '../factory/orders.js';
import type { Standstill } from '../factory/plan.js';
import type {
  CreationFailure,
  EarlyDeaths,
  FactoryState,
  ImageState,
  LastEnd,
  Machine,
  MachineEnd,
  MachineRecord,
  MachinetypeNews,
  Quarantine,
  RunOrders,
  ServiceName,
} from '../factory/types.js';
import { sumUses, type Uses } from '../factory/use.js';
import type { DomainListing } from '../host/hypervisor.js';
import type { JournalEntry } from '../machines/journal.js';
import { MAX_SLOTS, slotOfHostname } from '../machines/layout.js';
import type { CredentialFact } from './credentials-problems.js';
import { type MachineMemory, type MonotonicMs, machineFacts, newMachineMemory } from './machine-memory.js';
import { Overnight } from './overnight.js';
import type { PipeFacts } from './pipe-facts.js';

export interface ServiceMemory {
  readySinceMs: MonotonicMs | null;
  problem: string;
  busy: boolean;
  retryAtMs: MonotonicMs;
  failures: number;
}

export interface HostMemory {
  processors: number;
  memoryMiB: number;
  loadAverages: readonly [number, number, number];
  ioPressurePercent: number | null;
  stateFreeBytes: number;
}

export interface ImageFacts {
  /** By machinetype, of those of `types` whose image is a URL. */
  states(types: readonly MachinetypeConfig[]): ReadonlyMap<string, ImageState>;
  /** A changed configuration may have put right what is wrong with them. */
  retryNow(): void;
}

const NO_IMAGES: ImageFacts = { states: () => new Map(), retryNow: () => {} };

const SERVICES: readonly ServiceName[] = ['firewall', 'network', 'metadata', 'nfs', 'syslog'];

export class Memory {
  /** Machines that are not over and done with. */
  readonly machines = new Map<string, MachineMemory>();
  /** Those that are: only their directories are left, in the order of their clearing. There may be thousands. */
  readonly cleared = new Map<string, MachineMemory>();
  /** The one of them that each slot had last. */
  private readonly lastBySlot = new Map<number, MachineMemory>();
  /** Domains that nothing explains, while they are being destroyed (busy) or after that failed. */
  readonly zombieEfforts = new Map<string, { busy: boolean; failures: number; retryAtMs: MonotonicMs }>();
  blockedSlots: readonly number[] = [];
  lastEnds = new Map<string, LastEnd>();
  readonly creationFailures = new Map<string, CreationFailure>();
  readonly slotFailures = new Map<number, CreationFailure>();
  /** Why nothing starts, as the last pass saw it. */
  standstill: Standstill | null = null;
  readonly services: Record<ServiceName, ServiceMemory>;
  host: HostMemory = {
    processors: 1,
    memoryMiB: 0,
    loadAverages: [0, 0, 0],
    ioPressurePercent: null,
    stateFreeBytes: 0,
  };
  listing: DomainListing | null = null;
  /** Null while libvirt answers. */
  hypervisorProblem: { sinceSeconds: number; message: string } | null = { sinceSeconds: 0, message: 'not asked yet' };
  peers: MachinetypeNews[] = [];
  /** There are other factories in the space, and none of them answers. */
  alone = false;
  /** False from the start of a factory with others until these were heard, or waited for. */
  spaceHeard = true;
  /** Why the others cannot ask this factory; null: they can, or there are none. */
  queryProblem: string | null = null;
  /** By machinetype: machines that died early here, one after the other. */
  readonly earlyDeaths = new Map<string, EarlyDeaths>();
  /** Certificates that machines are given, as last looked at. */
  credentials: readonly CredentialFact[] = [];
  orders: RunOrders = NO_ORDERS;
  /** By machine: what administrators hold (quarantine.ts). */
  quarantines: ReadonlyMap<string, Quarantine> = new Map();
  readonly overnight: Overnight;
  /** What is known of images by URL. */
  images: ImageFacts = NO_IMAGES;
  /** The vacuum pipes by prefix. */
  pipes: ReadonlyMap<string, PipeFacts> = new Map();
  /** HS06 × seconds by machinetype of our own machines, decayed to now; null: no history is kept (use-history.ts). */
  ownUses: (nowSeconds: number) => Uses | null = () => null;
  /** The same of all other factories of the space, as last heard. */
  peerUses: Uses = new Map();

  constructor(
    readonly factory: string,
    public config: Config,
  ) {
    const fresh = (): ServiceMemory => ({ readySinceMs: null, problem: '', busy: false, retryAtMs: 0, failures: 0 });
    this.overnight = new Overnight(factory);
    this.services = { firewall: fresh(), network: fresh(), metadata: fresh(), nfs: fresh(), syslog: fresh() };
  }

  remember(entry: JournalEntry, nowMs: MonotonicMs): MachineMemory {
    const memory = newMachineMemory(entry, nowMs);
    if (entry.phase === 'cleared') this.addCleared(memory);
    else this.machines.set(entry.record.id, memory);
    return memory;
  }

  /** Slots are as many as there are processors: the smallest machine has one (SPEC 1). */
  totalProcessors(): number {
    return this.config.settings.totalProcessors ?? this.host.processors;
  }

  /** Whether there are processors that no machine has. */
  hasRoom(): boolean {
    let held = 0;
    for (const { entry } of this.machines.values()) {
      if (entry.phase === 'starting' || entry.phase === 'running') held += entry.record.processors;
    }
    return held < this.totalProcessors();
  }

  /** The machine that holds an address now: the one that is neither over nor yet to begin. */
  holderOfIp(ip: string): MachineMemory | null {
    for (const memory of this.machines.values()) {
      const { record, phase } = memory.entry;
      if (record.ip === ip && (phase === 'starting' || phase === 'running')) return memory;
    }
    return null;
  }

  /** Takes a service's trouble down; it is tried again after 1, 2, 4 … 30 s. */
  serviceFailed(service: ServiceName, problem: string, nowMs: MonotonicMs): void {
    const memory = this.services[service];
    memory.readySinceMs = null;
    memory.problem = problem;
    memory.retryAtMs = nowMs + retryDelayMs(memory.failures);
    memory.failures += 1;
  }

  serviceReady(service: ServiceName, nowMs: MonotonicMs): void {
    const memory = this.services[service];
    memory.readySinceMs ??= nowMs;
    memory.problem = '';
    memory.failures = 0;
  }

  /** @param nowSeconds Unix time */
  state(nowSeconds: number, nowMs: MonotonicMs): FactoryState {
    const machines = [...this.machines.values(), ...this.clearedOfInterest(nowSeconds)].map((memory) =>
      this.machineFacts(memory, nowMs),
    );
    return {
      nowSeconds,
      factory: this.factory,
      slots: Math.min(this.totalProcessors(), MAX_SLOTS),
      totalProcessors: this.totalProcessors(),
      host: {
        ...this.host,
        hypervisorProblem: this.hypervisorProblem,
        services: Object.fromEntries(
          SERVICES.map((name) => [name, serviceFacts(this.services[name], nowMs)]),
        ) as FactoryState['host']['services'],
      },
      machines,
      zombies: this.zombies(nowMs),
      blockedSlots: this.blockedSlots,
      peers: this.peers,
      uses: this.spaceUses(nowSeconds),
      lastEnds: credibleEnds(this.lastEnds, nowSeconds),
      creationFailures: this.creationFailures,
      slotFailures: this.slotFailures,
      images: this.images.states(this.config.machinetypes),
      earlyDeaths: this.earlyDeaths,
      spaceHeard: this.spaceHeard,
      queryProblem: this.queryProblem,
      orders: this.orders,
      overnight: this.overnight.verdict(this.config, nowSeconds, nowMs, this.machines.values()),
    };
  }

  private spaceUses(nowSeconds: number): Uses {
    const own = this.ownUses(nowSeconds);
    return own === null ? new Map() : sumUses(own, this.peerUses);
  }

  /** Cleared machines that a decision may still be about: their directory's time is over, or their name is fresh. */
  private clearedOfInterest(nowSeconds: number): MachineMemory[] {
    const due = ({ entry: { record, end } }: MachineMemory) =>
      record.createdTimeSeconds >= nowSeconds ||
      (record.machinesDirDays > 0 && end !== null && nowSeconds >= end.timeSeconds + record.machinesDirDays * 86_400);
    return [...this.cleared.values()].filter(due);
  }

  /** The facts of the machines that were cleared last, for views; newest last. */
  lastCleared(count: number, nowMs: MonotonicMs): Machine[] {
    return [...this.cleared.values()].slice(-count).map((memory) => this.machineFacts(memory, nowMs));
  }

  /** The facts of the cleared machine that each slot had last; none for slots that never had one, as far as is known. */
  lastOfSlots(nowMs: MonotonicMs): Machine[] {
    return [...this.lastBySlot.values()].map((memory) => this.machineFacts(memory, nowMs));
  }

  /** After the last step: from now on it is history. */
  setCleared(memory: MachineMemory): void {
    this.update(memory, { phase: 'cleared' });
    this.machines.delete(memory.entry.record.id);
    this.addCleared(memory);
  }

  /** When the directory of a cleared machine was removed. */
  forget(memory: MachineMemory): void {
    const { id, slot } = memory.entry.record;
    this.cleared.delete(id);
    if (this.lastBySlot.get(slot) === memory) this.lastBySlot.delete(slot);
  }

  private addCleared(memory: MachineMemory): void {
    const { id, slot } = memory.entry.record;
    this.cleared.set(id, memory);
    this.lastBySlot.set(slot, memory);
  }

  /** The facts of one machine; null: it is not known, or not any more. */
  factsOf(id: string, nowMs: MonotonicMs): Machine | null {
    const memory = this.machines.get(id) ?? this.cleared.get(id);
    return memory === undefined ? null : this.machineFacts(memory, nowMs);
  }

  private machineFacts(memory: MachineMemory, nowMs: MonotonicMs): Machine {
    const quarantine = this.quarantines.get(memory.entry.record.id) ?? null;
    return machineFacts(memory, nowMs, { quarantine, isHypervisorKnown: this.hypervisorProblem === null });
  }

  /** Domains with one of our slots' names that no living machine's directory explains. */
  private zombies(nowMs: MonotonicMs): FactoryState['zombies'] {
    if (this.listing === null || this.hypervisorProblem !== null) return [];
    const living = new Set<string>();
    for (const { entry } of this.machines.values()) {
      if (entry.phase === 'starting' || entry.phase === 'running') living.add(entry.record.uuid);
    }
    return this.listing.domains.flatMap(({ uuid, name }) => {
      if (living.has(uuid)) return [];
      const slot = slotOfHostname(this.factory, name);
      if (slot === null || this.blockedSlots.includes(slot)) return [];
      const { busy = false, retryAtMs = 0 } = this.zombieEfforts.get(uuid) ?? {};
      return [{ uuid, name, slot, busy, retryInSeconds: Math.max(0, (retryAtMs - nowMs) / 1000) }];
    });
  }

  /**
   * A type's last outcome outlives the machine's directory, here as in `finishes/`. One from before the clock was set back
   * gives way to any: else no abort would be known, and every machine started anew at once, until that time has come.
   */
  keepLastEnd(record: MachineRecord, startedTimeSeconds: number | null, end: MachineEnd, nowSeconds: number): void {
    if (startedTimeSeconds === null) return;
    const known = credibleEnds(this.lastEnds, nowSeconds).get(record.machinetype);
    if ((known?.createdTimeSeconds ?? 0) > record.createdTimeSeconds) return;
    this.lastEnds.set(record.machinetype, lastEndFrom(record, end));
  }

  /** Takes note of how long a machine lived that has ended: of its ends, each once. */
  noteLife({ record, startedTimeSeconds, end }: JournalEntry, nowSeconds: number): void {
    if (end === null) return;
    const run = this.earlyDeaths.get(record.machinetype);
    const known = run === undefined ? run : withoutFuture(run, nowSeconds);
    this.earlyDeaths.set(record.machinetype, withEnd(known, record, startedTimeSeconds, end));
  }

  /**
   * Takes a changed configuration into use. What may have been corrected by it is tried anew: types that could not be
   * created, and those of changed types whose machines died early.
   */
  reconfigure(config: Config): void {
    const known = new Map(this.config.machinetypes.map((type) => [type.name, type]));
    for (const type of config.machinetypes) {
      if (!isDeepStrictEqual(known.get(type.name), type)) this.earlyDeaths.delete(type.name);
    }
    this.config = config;
    this.creationFailures.clear();
    this.slotFailures.clear();
    this.images.retryNow();
    // The number of slots may have changed, and with it the leases that the network must have, and the ports.
    this.services.firewall.readySinceMs = null;
    this.services.network.readySinceMs = null;
  }

  /**
   * Takes what pipes now say into use. Other than the site's own files they lift no backoff, so that nobody far away can
   * have this host try again and again; but of a type that is gone, with its machines, nothing is kept.
   */
  renewMachinetypes(config: Config): void {
    this.config = config;
    const known = new Set(config.machinetypes.map(({ name }) => name));
    for (const { entry } of this.machines.values()) known.add(entry.record.machinetype);
    for (const failures of [this.creationFailures, this.earlyDeaths]) {
      for (const name of failures.keys()) if (!known.has(name)) failures.delete(name);
    }
  }

  /** Replaces parts of a machine's journal entry after its directory was written. */
  update(memory: MachineMemory, change: Partial<JournalEntry>): void {
    memory.entry = { ...memory.entry, ...change };
  }
}

/** Without the outcomes of machines that seem to have been created in the future. */
function credibleEnds(ends: ReadonlyMap<string, LastEnd>, nowSeconds: number): ReadonlyMap<string, LastEnd> {
  const isCredible = ({ createdTimeSeconds }: LastEnd) => isCredibleTime(createdTimeSeconds, nowSeconds);
  return [...ends.values()].every(isCredible) ? ends : new Map([...ends].filter(([, end]) => isCredible(end)));
}

function serviceFacts(memory: ServiceMemory, nowMs: MonotonicMs) {
  return {
    ready: memory.readySinceMs !== null,
    problem: memory.problem,
    readyForSeconds: memory.readySinceMs === null ? 0 : Math.floor((nowMs - memory.readySinceMs) / 1000),
    busy: memory.busy,
    retryInSeconds: Math.max(0, (memory.retryAtMs - nowMs) / 1000),
  };
}

/** 1, 2, 4 … 30 s. */
export function retryDelayMs(failures: number): number {
  return Math.min(30_000, 1000 * 2 ** Math.min(failures, 5));
}
