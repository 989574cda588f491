/**
 * A host on virtual time for model tests of the pure core: what directories, libvirt and a daemon's memory hold, and
 * what carrying out actions does to them, one small effect after the other. Any effect may fail, and a crash of vacd
 * may come between any two.
 */

import type { Config } from '../../src/config/types.js';
import type { Action, ActionOf } from '../../src/factory/plan.js';
import { NO_SUSPENSIONS } from '../../src/factory/suspension.js';
import type {
  DomainState,
  DrainOrder,
  FactoryState,
  Machine,
  MachineEnd,
  MachinePhase,
  MachineRecord,
  MachineSuspension,
  StopRequest,
} from '../../src/factory/types.js';
import { FACTORY, host, NOT_READY, NOW, orders, record, service, services, state } from './builders.js';

/** What a machine's directory says, and what its guest has written there. Survives a crash of vacd. */
export interface Directory {
  readonly record: MachineRecord;
  phase: MachinePhase;
  started: number | null;
  heartbeat: number | null;
  shutdownTime: number;
  stop: StopRequest | null;
  suspension: MachineSuspension | null;
  end: MachineEnd | null;
  lastWords: string | null;
  guestBeat: number | null;
}

/** A domain of libvirt's. */
export interface Domain {
  readonly uuid: string;
  readonly slot: number;
  readonly processors: number;
  /** Whether its guest obeys the power button, and writes its heartbeat file. */
  readonly obeys: boolean;
  readonly beats: boolean;
  state: DomainState;
  byIoError: boolean;
  /** Monotonic second at which the guest will have powered off. */
  offAt: number | null;
}

/** What only a running vacd knows of a machine. Gone after a crash. */
interface Memory {
  effects: (() => void)[];
  retryAt: number;
  failures: number;
  gone: boolean;
  goneTime: number | null;
  seen: boolean;
  pausedSince: number | null;
  resumedAt: number | null;
  stopAskedAt: number | null;
  creationProblem: string | null;
  exported: boolean | null;
  throttled: boolean | null;
}

export class FakeHost {
  /** Monotonic seconds, and the wall clock, which may jump. */
  monotonic = 0;
  wall = NOW;
  readonly directories = new Map<string, Directory>();
  readonly domains = new Map<string, Domain>();
  libvirtDownUntil = 0;
  /** Null while the NFS server is down, which cannot be brought up again before `nfsDownUntil`. */
  nfsReadySince: number | null = 0;
  nfsDownUntil = 0;
  stateFreeBytes = 100e9;
  stopAll = false;
  /** What an administrator asked for of single machines, and of all. */
  readonly stopMachines = new Set<string>();
  drain: DrainOrder | null = null;
  /** Of 100 effects, how many fail. */
  failurePercent = 0;
  /** Domains that libvirt makes although vacd no longer waits for them. */
  readonly lateDomains: { at: number; domain: Domain }[] = [];
  /** Message of each machine that was cleared, by its uuid. */
  readonly outcomes = new Map<string, string | null>();
  private memories = new Map<string, Memory>();
  private zombiesBusy = new Set<string>();
  private created = 0;

  constructor(
    readonly processors: number,
    private readonly config: Config,
    private readonly rng: () => number,
  ) {
    this.restartVacd();
  }

  /** What was under way is not finished, and what was only remembered is forgotten. */
  restartVacd(): void {
    this.memories = new Map([...this.directories.keys()].map((id) => [id, freshMemory()]));
    this.zombiesBusy = new Set();
  }

  get libvirtIsUp(): boolean {
    return this.monotonic >= this.libvirtDownUntil;
  }

  domainOf({ record: { uuid } }: Directory): Domain | undefined {
    return this.domains.get(uuid);
  }

  /** One second goes by: guests do what guests do, and every operation under way has its next effect. */
  tick(): void {
    this.monotonic += 1;
    this.wall += 1;
    for (const domain of this.domains.values()) {
      if (domain.offAt !== null && this.monotonic >= domain.offAt) this.powerOff(domain, null);
    }
    for (const late of this.lateDomains.splice(0)) {
      if (this.monotonic < late.at) this.lateDomains.push(late);
      else if (this.libvirtIsUp) this.addDomain(late.domain);
    }
    for (const directory of this.directories.values()) {
      const domain = this.domainOf(directory);
      if (domain?.beats && domain.state === 'running' && this.nfsReadySince !== null && this.monotonic % 20 === 0) {
        directory.guestBeat = this.monotonic;
      }
    }
    for (const [id, memory] of this.memories) this.goOn(id, memory);
    this.observe();
  }

  powerOff(domain: Domain, words: string | null): void {
    this.domains.delete(domain.uuid);
    for (const directory of this.directories.values()) {
      if (directory.record.uuid === domain.uuid) directory.lastWords = words;
    }
  }

  /** Refused, as libvirt does, when the name is in use. */
  addDomain(domain: Domain): boolean {
    if ([...this.domains.values()].some((other) => other.slot === domain.slot)) return false;
    this.domains.set(domain.uuid, domain);
    return true;
  }

  facts(): FactoryState {
    const known = [...this.directories.values()].filter(({ record: { id } }) => this.memories.has(id));
    const living = new Set(known.filter(isLiving).map((directory) => directory.record.uuid));
    const zombies = [...this.domains.values()].filter(({ uuid }) => this.libvirtIsUp && !living.has(uuid));
    const nfs =
      this.nfsReadySince === null ? NOT_READY : service({ readyForSeconds: this.monotonic - this.nfsReadySince });
    return state({
      nowSeconds: this.wall,
      slots: this.processors,
      totalProcessors: this.processors,
      host: host({
        processors: 1000,
        stateFreeBytes: this.stateFreeBytes,
        hypervisorProblem: this.libvirtIsUp ? null : { sinceSeconds: this.wall, message: 'down' },
        services: services({ nfs }),
      }),
      machines: known.map((directory) => this.machineFacts(directory)),
      zombies: zombies.map(({ uuid, slot }) => ({
        uuid,
        name: `slot-${slot}`,
        slot,
        busy: this.zombiesBusy.has(uuid),
        retryInSeconds: 0,
      })),
      orders: orders({ stopAll: this.stopAll, stopMachines: this.stopMachines, drain: this.drain }),
    });
  }

  /** Begins an action: its effects come one a second. */
  start(action: Action): void {
    switch (action.kind) {
      case 'createMachine':
        this.create(action);
        return;
      case 'destroyZombie':
        if (this.chance(this.failurePercent)) return;
        this.domains.delete(action.uuid);
        return;
      case 'fetchImage':
        return;
      case 'ensureService':
        if (this.monotonic >= this.nfsDownUntil) this.nfsReadySince = this.monotonic;
        return;
      default: {
        const directory = this.directories.get(action.machine)!;
        this.memories.get(action.machine)!.effects = this.effectsOf(action, directory);
      }
    }
  }

  chance(percent: number): boolean {
    return this.rng() * 100 < percent;
  }

  private create(action: ActionOf<'createMachine'>): void {
    const type = this.config.machinetypes.find(({ name }) => name === action.machinetype)!;
    this.created += 1;
    const made = record({
      slot: action.slot,
      machinetype: action.machinetype,
      processors: action.processors,
      createdTimeSeconds: this.wall,
      uuid: `uuid-${this.created}`,
      firstShutdownTimeSeconds: action.shutdownTimeSeconds,
      graceSeconds: this.config.settings.graceSeconds,
      fizzleSeconds: type.fizzleSeconds,
      heartbeatFile: type.heartbeatFile,
      heartbeatSeconds: type.heartbeatSeconds,
      machinesDirDays: type.machinesDirDays,
    });
    const directory: Directory = {
      record: made,
      phase: 'starting',
      started: null,
      heartbeat: null,
      shutdownTime: action.shutdownTimeSeconds,
      stop: null,
      suspension: null,
      end: null,
      lastWords: null,
      guestBeat: null,
    };
    if (this.directories.has(made.id)) throw new Error(`a second machine is named ${made.id}`);
    this.directories.set(made.id, directory);
    const domain: Domain = {
      uuid: made.uuid,
      slot: made.slot,
      processors: made.processors,
      obeys: this.chance(80),
      beats: !this.chance(10),
      state: 'running',
      byIoError: false,
      offAt: null,
    };
    const memory = freshMemory();
    memory.effects = [
      () => {
        this.needLibvirt(() => this.lateDomains.push({ at: this.monotonic + 20, domain }));
        if (!this.addDomain(domain)) throw new Error('the name is in use');
      },
      () => {
        directory.started = this.wall;
        directory.phase = 'running';
      },
    ];
    this.memories.set(made.id, memory);
  }

  private effectsOf(
    action: Exclude<Action, { kind: 'createMachine' | 'fetchImage' | 'ensureService' | 'destroyZombie' }>,
    directory: Directory,
  ): (() => void)[] {
    const { id, uuid } = directory.record;
    const memory = this.memories.get(id)!;
    const domain = this.domains.get(uuid);
    switch (action.kind) {
      case 'recordStarted':
        return [
          () => {
            directory.started = Math.min(this.wall, directory.record.createdTimeSeconds + 1);
            directory.phase = 'running';
          },
        ];
      case 'requestStop':
        return [
          () => {
            directory.stop = action.stop;
            memory.stopAskedAt = this.monotonic;
          },
          () => {
            this.needLibvirt();
            if (domain?.obeys) domain.offAt = this.monotonic + Math.floor(this.rng() * 40);
          },
        ];
      case 'destroyMachine':
        return [
          () => {
            directory.stop ??= action.stop;
          },
          () => {
            this.needLibvirt();
            this.domains.delete(uuid);
          },
        ];
      case 'endMachine':
        return [
          () => {
            directory.end = action.end;
            directory.phase = 'ended';
          },
        ];
      case 'clearMachine':
        return [
          () => {},
          () => {
            this.outcomes.set(uuid, directory.end?.message ?? null);
            directory.phase = 'cleared';
          },
        ];
      case 'forgetMachine':
        return [
          () => {
            this.directories.delete(id);
            this.memories.delete(id);
          },
        ];
      case 'lowerShutdownTime':
        return [
          () => {
            directory.shutdownTime = action.shutdownTimeSeconds;
          },
        ];
      case 'accountMonth':
        return [() => {}];
      case 'exportMachine':
        return [
          () => {
            memory.exported = true;
          },
        ];
      case 'holdMachine':
      case 'keepMemory':
      case 'releaseMachine':
        throw new Error(`${action.kind}: no administrator holds machines here`);
      case 'resumeMachine':
        return [
          () => {
            this.needLibvirt();
            if (domain !== undefined) domain.state = 'running';
          },
          ...(directory.suspension === null
            ? []
            : [
                () => {
                  directory.suspension = null;
                },
              ]),
        ];
      case 'suspendMachine':
        return [
          () => {
            directory.suspension = action.suspension;
          },
          () => {
            this.needLibvirt();
            if (domain !== undefined) domain.state = 'paused';
          },
        ];
      case 'throttleMachine':
        return [
          () => {
            memory.throttled = action.throttled;
          },
        ];
    }
  }

  private needLibvirt(instead: () => void = () => {}): void {
    if (this.libvirtIsUp) return;
    instead();
    throw new Error('libvirt does not answer');
  }

  /** The next effect of what is under way on a machine; a failure ends it, to be tried again after a growing wait. */
  private goOn(id: string, memory: Memory): void {
    const effect = memory.effects.shift();
    if (effect === undefined) return;
    try {
      if (this.chance(this.failurePercent)) throw new Error('it failed');
      effect();
      if (memory.effects.length === 0) memory.failures = 0;
    } catch (error) {
      memory.effects = [];
      if (this.directories.get(id)?.phase === 'starting') memory.creationProblem = (error as Error).message;
      memory.retryAt = this.monotonic + Math.min(30, 2 ** memory.failures);
      memory.failures += 1;
    }
  }

  /** What a listing of domains tells, as the daemon's observer takes it. */
  private observe(): void {
    if (!this.libvirtIsUp) return;
    for (const [id, memory] of this.memories) {
      const directory = this.directories.get(id)!;
      if (!isLiving(directory)) continue;
      const domain = this.domainOf(directory);
      if (domain !== undefined) {
        memory.seen = true;
        memory.gone = false;
        if (domain.state === 'paused') memory.pausedSince ??= this.monotonic;
        else if (memory.pausedSince !== null) {
          memory.pausedSince = null;
          memory.resumedAt = this.monotonic;
        }
        if (directory.phase === 'running') directory.heartbeat = this.wall;
      } else if (!memory.gone && memory.effects.length === 0) {
        memory.gone = true;
        memory.goneTime = memory.seen ? this.wall : null;
      }
    }
  }

  private machineFacts(directory: Directory): Machine {
    const { record: recipe, phase } = directory;
    const memory = this.memories.get(recipe.id)!;
    const domain = this.domainOf(directory);
    return {
      record: recipe,
      phase,
      startedTimeSeconds: directory.started,
      heartbeatTimeSeconds: directory.heartbeat,
      cpuSeconds: 0,
      cpuPercent: 0,
      shutdownTimeSeconds: directory.shutdownTime,
      end: directory.end,
      domain: !this.libvirtIsUp
        ? 'unknown'
        : memory.gone
          ? 'gone'
          : memory.seen
            ? (domain?.state ?? 'unknown')
            : 'unknown',
      pausedForSeconds: memory.pausedSince === null ? 0 : this.monotonic - memory.pausedSince,
      resumedForSeconds: memory.resumedAt === null ? null : this.monotonic - memory.resumedAt,
      pausedByIoError: domain?.byIoError ?? false,
      goneTimeSeconds: memory.goneTime,
      goneDetail: null,
      lastTraceTimeSeconds: null,
      stop: directory.stop,
      suspension: directory.suspension,
      pastSuspensions: NO_SUSPENSIONS,
      throttled: memory.throttled,
      stopAskedForSeconds: memory.stopAskedAt === null ? null : this.monotonic - memory.stopAskedAt,
      heartbeatFileAgeSeconds: directory.guestBeat === null ? null : this.monotonic - directory.guestBeat,
      shutdownMessage: memory.gone ? directory.lastWords : null,
      creationProblem: memory.creationProblem,
      busy: memory.effects.length > 0,
      retryInSeconds: Math.max(0, memory.retryAt - this.monotonic),
      exported: memory.exported,
    };
  }
}

export function isLiving(directory: Directory): boolean {
  return directory.phase === 'starting' || directory.phase === 'running';
}

/** A domain with a slot's name that no directory explains. */
export const zombieDomain = (slot: number, serial: number): Domain => ({
  uuid: `zombie-${FACTORY}-${serial}`,
  slot,
  processors: 1,
  obeys: false,
  beats: false,
  state: 'running',
  byIoError: false,
  offAt: null,
});

function freshMemory(): Memory {
  return {
    effects: [],
    retryAt: 0,
    failures: 0,
    gone: false,
    goneTime: null,
    seen: false,
    pausedSince: null,
    resumedAt: null,
    stopAskedAt: null,
    creationProblem: null,
    exported: null,
    throttled: null,
  };
}
