/**
 * The facts that decisions are made from: plain data, no behaviour. What comes out is in plan.ts.
 *
 * A machine's life, as its directory tells it (the file whose presence makes the phase in brackets):
 *
 *                  createMachine                 libvirt has it
 *     slot free ────────────────► starting ───────────────────► running
 *         ▲                  [machine.json]                  [started]
 *         │                         │ failed, or vacd died         │ domain gone
 *         │                         ▼                              ▼
 *         │  clearMachine         ended ◄──────────────────────────┘
 *         └─────────────────── [finished]        (a stop is asked for in `running`: [stopping])
 *                                   │ accounted, exports and disks removed
 *                                   ▼
 *                                cleared ───────────────► forgotten (directory removed after machines_dir_days)
 *                               [cleared]
 *
 * In `running` it may be suspended by this factory on purpose: [suspended] is there as long.
 */

import type { AccountingFormat } from '../config/types.js';
import type { OvernightVerdict } from './overnight-types.js';

/** Where a machine is in its life; see the drawing above. */
export type MachinePhase = 'starting' | 'running' | 'ended' | 'cleared';

/** What libvirt says of a domain, reduced to what decisions need. */
export type DomainState = 'running' | 'paused' | 'shutdown' | 'gone' | 'unknown';

/** The recipe a machine was made by, fixed at its creation: a later change of configuration does not touch it. */
export interface MachineRecord {
  /** `<created>_<machinetype>_<hostname>`, also its directory's name (SPEC 5). */
  readonly id: string;
  readonly uuid: string;
  readonly slot: number;
  readonly hostname: string;
  readonly ip: string;
  readonly mac: string;
  readonly machinetype: string;
  readonly machineModel: string;
  readonly processors: number;
  readonly memoryMiB: number;
  /** Benchmark power of the whole machine, in the site's unit; 1.0 a processor when none is configured. */
  readonly hs06: number;
  /** As configured; null when the site has none, and then MJF hs06 and outgoing accounting are not written. */
  readonly hs06PerProcessor: number | null;
  readonly createdTimeSeconds: number;
  /** The shutdowntime promised at creation, Unix seconds; `Machine.shutdownTimeSeconds` may since be earlier. */
  readonly firstShutdownTimeSeconds: number;
  readonly graceSeconds: number;
  readonly maxWallclockSeconds: number;
  readonly fizzleSeconds: number;
  readonly heartbeatFile: string | null;
  readonly heartbeatSeconds: number;
  readonly machinesDirDays: number;
  readonly accountingFqan: string | null;
  /** Left out for `apel-v0.3`, as in records of before there were others. */
  readonly accountingFormat?: AccountingFormat;
  /** As configured, for accounting alone; left out where the site has none. */
  readonly hepscore23PerProcessor?: number;
  /** What it may write into its joboutputs; left out in records of before there were limits. */
  readonly joboutputsMib?: number;
  readonly joboutputsFiles?: number;
  /** `mjf_form` of its machinetype; left out where there was none, as in records of before it existed. */
  readonly mjfForm?: 'paths' | 'urls';
  /** `egress_deny` and `egress_allow` of its machinetype, separated by spaces; left out where there was none. */
  readonly egressDeny?: string;
  readonly egressAllow?: string;
}

/** How a machine ended, as written into its `finished` file. */
export interface MachineEnd {
  readonly timeSeconds: number;
  /** "200 Success", or null when nobody said why. */
  readonly message: string | null;
  readonly cpuSeconds: number;
  /** How much of its life it was paused, as far as that was seen; left out where it never was. */
  readonly suspendedSeconds?: number;
  /** One line for people: who or what ended it. */
  readonly reason: string;
}

/** Why and when a running machine was asked to stop; written to `stopping` before libvirt is asked. */
export interface StopRequest {
  readonly reason: string;
  /** The shutdown message that the machine gets if it says nothing itself, or always when `overrides`. */
  readonly message: string;
  /** True where the factory's verdict outranks what the machine wrote (heartbeat rules, SPEC 2). */
  readonly overrides: boolean;
  /** False: no ACPI first (the machine is known not to answer, or its time is over for good). */
  readonly politely: boolean;
  readonly requestedTimeSeconds: number;
}

/**
 * A machine that this factory has suspended on purpose; written to `suspended` before libvirt is asked. It is not "paused
 * without reason" (SPEC 5), and who suspended it says when it goes on, over restarts of vacd too.
 */
export interface MachineSuspension {
  readonly by: 'overnight' | 'quarantine';
  readonly sinceSeconds: number;
  readonly reason: string;
  /** Who asked for it, where somebody did. */
  readonly who?: string;
}

/** An order to hold a machine as it is (vac quarantine; daemon/quarantine.ts), until it is released. */
export interface Quarantine {
  readonly sinceSeconds: number;
  readonly who: string;
  readonly reason: string;
  /** What became of keeping its memory, in words; null: that is to be done yet. */
  readonly memory: string | null;
  /** What vac release asked for and is not done yet; null: it is held. */
  readonly release: 'resume' | 'destroy' | null;
}

/** Suspensions of a machine that are over. */
export interface PastSuspensions {
  readonly count: number;
  /** Unix seconds in all. */
  readonly seconds: number;
}

/** A machine and all that is known of it now. */
export interface Machine {
  readonly record: MachineRecord;
  readonly phase: MachinePhase;
  readonly startedTimeSeconds: number | null;
  /** Until when it is accounted already, by records of the months it ran in (Unix seconds); null or left out: not yet. */
  readonly accountedUntilSeconds?: number | null;
  /** How much of its life it was paused, whoever paused it, as far as that was seen; left out where nobody looks. */
  readonly suspendedSeconds?: number;
  /** When the factory last saw it run (Unix seconds). */
  readonly heartbeatTimeSeconds: number | null;
  readonly cpuSeconds: number;
  readonly cpuPercent: number;
  readonly shutdownTimeSeconds: number;
  readonly end: MachineEnd | null;
  readonly domain: DomainState;
  /** Seconds since libvirt first showed it paused; 0 when it is not. */
  readonly pausedForSeconds: number;
  /** Seconds since it went on after a pause that this process saw; null: there was none. */
  readonly resumedForSeconds: number | null;
  /** QEMU paused it because a disk could not be written, as when the state directory is full. */
  readonly pausedByIoError: boolean;
  /** When its domain was seen to go (Unix seconds), if it was seen. */
  readonly goneTimeSeconds: number | null;
  /** libvirt's word for how it went (`shutdown`, `destroyed`, `crashed` …), if it told. */
  readonly goneDetail: string | null;
  /** Latest sign that its guest ran (console, last words; Unix seconds), looked at once it is gone; null: there is none. */
  readonly lastTraceTimeSeconds: number | null;
  readonly stop: StopRequest | null;
  /** Null: this factory has not suspended it. */
  readonly suspension: MachineSuspension | null;
  readonly pastSuspensions: PastSuspensions;
  /** Null or left out: it is in none. */
  readonly quarantine?: Quarantine | null;
  /** Whether its CPU is held down for the owner's sake (overnight); null: not known, as after a restart of vacd. */
  readonly throttled: boolean | null;
  /** Seconds on the monotonic clock since this process asked it by ACPI; null: not asked by this process yet. */
  readonly stopAskedForSeconds: number | null;
  /** Age of joboutputs/<heartbeat_file>; null: there is none. Only looked at where a heartbeat file is configured. */
  readonly heartbeatFileAgeSeconds: number | null;
  /** First line of joboutputs/shutdown_message as the machine wrote it, made harmless; only read once it is gone. */
  readonly shutdownMessage: string | null;
  /** Why this process could not finish creating it; null if nothing went wrong. */
  readonly creationProblem: string | null;
  /** An operation on it is under way in this process: nothing else is asked meanwhile. */
  readonly busy: boolean;
  /** An operation on it failed: it is not repeated before this many seconds have passed. */
  readonly retryInSeconds: number;
  /** Whether the NFS server exports its directories now; null: not known, or there is no NFS. */
  readonly exported: boolean | null;
}

/** A libvirt domain with a name of one of this factory's slots that no machine directory explains. */
export interface Zombie {
  readonly uuid: string;
  readonly name: string;
  readonly slot: number;
  readonly busy: boolean;
  /** Destroying it failed: it is not tried again before this many seconds have passed. */
  readonly retryInSeconds: number;
}

/** What one factory says of one machinetype: the decision's view of a machinetype_status (SPEC 3). */
export interface MachinetypeNews {
  readonly factory: string;
  readonly machinetype: string;
  readonly runningHs06: number;
  readonly runningMachines: number;
  readonly runningProcessors: number;
  readonly beforeFizzle: number;
  /** The most recently created machine of the type that has finished. */
  readonly lastEnd: {
    readonly timeSeconds: number;
    readonly message: string | null;
    readonly hostname: string;
  } | null;
}

/** A service of the factory without which no machine may start. */
export type ServiceName = 'firewall' | 'network' | 'metadata' | 'nfs' | 'syslog';

export interface ServiceState {
  readonly ready: boolean;
  /** Why it is not ready, in one line; empty when it is. */
  readonly problem: string;
  /** How long it has been ready without a break; 0 when it is not. */
  readonly readyForSeconds: number;
  readonly busy: boolean;
  /** Seconds until it may be tried again; 0 = now. */
  readonly retryInSeconds: number;
}

export interface HostFacts {
  readonly processors: number;
  /** All that it has. */
  readonly memoryMiB: number;
  /** 1, 5 and 15 minutes. */
  readonly loadAverages: readonly [number, number, number];
  /** /proc/pressure/io "some avg10"; null where the kernel does not tell. */
  readonly ioPressurePercent: number | null;
  readonly stateFreeBytes: number;
  /** Null when libvirt answers; else since when not (Unix seconds; 0 = it was never asked) and the error. */
  readonly hypervisorProblem: { readonly sinceSeconds: number; readonly message: string } | null;
  readonly services: Readonly<Record<ServiceName, ServiceState>>;
}

/** How often in a row, and when last, machines of a type could not be created on this factory. */
export interface CreationFailure {
  readonly count: number;
  readonly timeSeconds: number;
  readonly message: string;
}

/** Starting nothing more, as an administrator asked for it (`vac drain`). */
export interface DrainOrder {
  readonly reason: string;
  readonly sinceSeconds: number;
  /** When it ends by itself (Unix seconds); null: when it is lifted. */
  readonly untilSeconds: number | null;
  /** By when the machines that run must be gone (`--by`); lifted with the order. Null: they go on to their end. */
  readonly byTimeSeconds: number | null;
}

/**
 * What an administrator or the caller asked of the daemon, beyond the configuration. `drain`, `shutdownTimeSeconds` and
 * `stopMachines` outlive a restart of vacd (daemon/orders.ts).
 */
export interface RunOrders {
  readonly drain: DrainOrder | null;
  /** As the setting shutdown_time (`vac shutdown-at`); the earlier of all that are given holds. */
  readonly shutdownTimeSeconds: number | null;
  /** Machines that may still be started (`npm start -- --machines N`); null = no limit. */
  readonly startsLeft: number | null;
  /** Stop every machine now (Ctrl-C of a foreground run). */
  readonly stopAll: boolean;
  /** Ids of machines to stop as soon as they can be asked (`vac stop`), until they are over. */
  readonly stopMachines: ReadonlySet<string>;
}

/** A machine that ended within fizzle_seconds and did not say why it had nothing to do. */
export interface EarlyDeath {
  readonly createdTimeSeconds: number;
  readonly timeSeconds: number;
  readonly message: string;
  readonly hostname: string;
}

/** Machines of one type that died early on this factory, one after the other (early-deaths.ts). */
export interface EarlyDeaths {
  /** Creation of the newest machine that outlived fizzle_seconds: deaths of older ones tell nothing. 0: none is known. */
  readonly provenTimeSeconds: number;
  /** Newest creation first; the newest ones only, when there are many. */
  readonly deaths: readonly EarlyDeath[];
  /** How many older ones of the same run are not in `deaths` any more. */
  readonly olderDeaths: number;
}

/** What is known of the image that a machinetype has by URL; one by path is looked at when a machine is made from it. */
export interface ImageState {
  /**
   * `ready`: a machine may be started from the copy on this host, which is the server's newest, or has to do while the
   * server is away. `checking`: there is a copy, and comparing it with the server's is under way or due: a matter of
   * seconds. `fetching`: it is on its way, or yet to be fetched: a matter of minutes. `unavailable`: it cannot be had now.
   */
  readonly phase: 'ready' | 'checking' | 'fetching' | 'unavailable';
  readonly busy: boolean;
  /** What is done about it, or wrong with it, in words that follow "its image"; empty when it is ready. */
  readonly doing: string;
  /** Nothing is tried before so many seconds have passed. */
  readonly retryInSeconds: number;
}

export interface FactoryState {
  /** Unix time, whole seconds. */
  readonly nowSeconds: number;
  /** This factory's FQDN. */
  readonly factory: string;
  readonly slots: number;
  readonly totalProcessors: number;
  readonly host: HostFacts;
  readonly machines: readonly Machine[];
  readonly zombies: readonly Zombie[];
  /** Slots of machine directories that cannot be read: left alone, with whatever domain they have. */
  readonly blockedSlots: readonly number[];
  /** News of the other factories; empty for a factory on its own. */
  readonly peers: readonly MachinetypeNews[];
  /** HS06 × seconds by machinetype over the whole space, decayed to now (use.ts); empty: no history is kept. */
  readonly uses: ReadonlyMap<string, number>;
  /** Outcomes of this factory's machines whose directories are gone already, by machinetype. */
  readonly lastEnds: ReadonlyMap<string, LastEnd>;
  readonly creationFailures: ReadonlyMap<string, CreationFailure>;
  /** The same by slot, where libvirt refused what only that slot has (its VNC port, say). */
  readonly slotFailures: ReadonlyMap<number, CreationFailure>;
  /** By machinetype, of those whose image is a URL. */
  readonly images: ReadonlyMap<string, ImageState>;
  /** By machinetype. */
  readonly earlyDeaths: ReadonlyMap<string, EarlyDeaths>;
  /** False while the other factories of the space have not been heard since vacd started, nor waited for long enough. */
  readonly spaceHeard: boolean;
  /** Why the other factories of the space cannot ask this one, in one line; null: they can, or there are none. */
  readonly queryProblem: string | null;
  readonly orders: RunOrders;
  /** The word of overnight mode; null: this host has none, and belongs to the space by day and night. */
  readonly overnight: OvernightVerdict | null;
}

/** What `finishes/<machinetype>` keeps: the last outcome of a type outlives its machines' directories. */
export interface LastEnd {
  readonly createdTimeSeconds: number;
  readonly timeSeconds: number;
  readonly message: string | null;
  readonly hostname: string;
}
