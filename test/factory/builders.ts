/** Pictures of a factory for tests of the pure core: each builder gives a sound default, a test names what it cares about. */

import type { Config, MachinetypeConfig, Settings } from '../../src/config/types.js';
import { decide } from '../../src/factory/decide.js';
import { NO_ORDERS } from '../../src/factory/orders.js';
import type { OvernightVerdict } from '../../src/factory/overnight-types.js';
import type { Action, ActionOf, Decision, Plan } from '../../src/factory/plan.js';
import { NO_SUSPENSIONS } from '../../src/factory/suspension.js';
import type {
  DrainOrder,
  EarlyDeaths,
  FactoryState,
  HostFacts,
  Machine,
  MachineEnd,
  MachineRecord,
  MachinetypeNews,
  RunOrders,
  ServiceName,
  ServiceState,
  StopRequest,
} from '../../src/factory/types.js';
import { machineId, slotHostname, slotIp, slotMac } from '../../src/machines/layout.js';

export const FACTORY = 'factory1.example.com';

/** A moment long after everything, so that ages can be taken off it. */
export const NOW = 1_700_100_000;

export const MODELS: ReadonlySet<string> = new Set(['vm-raw']);

/** A settings section with the defaults of SPEC 2, on a space of one factory. */
export function settings(changes: Partial<Settings> = {}): Settings {
  return {
    vacSpace: 'vac01.example.com',
    factories: [],
    description: null,
    udpTimeoutSeconds: 10,
    queryNetworks: [],
    shareHalfLifeHours: 0,
    spaceKeyFile: null,
    spaceKeyMode: 'mixed',
    totalProcessors: null,
    mibPerProcessor: 2048,
    swapMibPerProcessor: 1024,
    joboutputsMib: 200,
    joboutputsFiles: 2000,
    hs06PerProcessor: null,
    hepscore23PerProcessor: null,
    processorsPerSuperslot: 1,
    overloadPerProcessor: 1.25,
    ioPressurePercent: 60,
    cpuWeight: 100,
    ioWeight: null,
    maxStartingMachines: 8,
    shutdownTimeSeconds: null,
    graceSeconds: 600,
    draining: false,
    volumeGroup: null,
    diskGbPerProcessor: null,
    imageCacheGb: null,
    controlGroup: null,
    rootPublicKeyPath: '/root/.ssh/id_rsa.pub',
    libvirtUri: 'test:///default',
    nfs: 'auto',
    forwardDev: null,
    fixNetworking: true,
    egressDeny: [],
    egressAllow: [],
    gocdbSitename: null,
    accountingFormat: 'apel-v0.3',
    accountingPartial: false,
    accountingInfrastructure: 'grid',
    vacmonHostports: [],
    metricsListen: null,
    syslog: null,
    syslogDays: 90,
    syslogMegabytes: 50,
    syslogRelp: 'auto',
    syslogForward: null,
    trailDays: 180,
    flowLog: 'none',
    flowLogDays: 90,
    flowLogMb: 1000,
    joboutputsArchiveUrl: null,
    joboutputsArchiveAuthFile: null,
    machinefeaturesOptions: {},
    userDataOptions: {},
    userDataFiles: {},
    ...changes,
  };
}

/** A machinetype of one processor that may start at any time. */
export function machinetype(name: string, changes: Partial<MachinetypeConfig> = {}): MachinetypeConfig {
  return {
    name,
    directoryName: name,
    machinegroup: name,
    targetShare: 1,
    machineModel: 'vm-raw',
    rootImage: 'root.img',
    rootDevice: 'vda',
    scratchDevice: 'vdb',
    swapDevice: 'vdc',
    userData: null,
    minProcessors: 1,
    maxProcessors: 1,
    maxWallclockSeconds: 86_400,
    minWallclockSeconds: 86_400,
    fizzleSeconds: 600,
    backoffSeconds: 10,
    heartbeatFile: null,
    heartbeatSeconds: 0,
    machinesDirDays: 3,
    joboutputsArchiveUrl: null,
    diskGbPerProcessor: null,
    rootDiskGb: null,
    mibPerProcessor: 2048,
    totalProcessors: null,
    egressDeny: [],
    egressAllow: [],
    swapMibPerProcessor: 1024,
    joboutputsMib: 200,
    joboutputsFiles: 2000,
    accountingFqan: null,
    imageSigningDn: null,
    rootImageSha256: null,
    userDataProxy: false,
    legacyProxy: false,
    context: ['metadata'],
    earlySyslog: null,
    mjfForm: null,
    diskBus: 'auto',
    cpuMode: null,
    machineType: 'q35',
    firmware: 'bios',
    userDataOptions: {},
    userDataFiles: {},
    cvmfsRepositories: [],
    containerCommand: '/user_data',
    tmpBinds: [],
    ...changes,
  };
}

export function config(machinetypes: readonly MachinetypeConfig[], changes: Partial<Settings> = {}): Config {
  return { settings: settings(changes), machinetypes, vacuumPipes: [], overnight: null, files: [], origins: {} };
}

export function record(changes: Partial<MachineRecord> = {}): MachineRecord {
  const slot = changes.slot ?? 0;
  const machinetype = changes.machinetype ?? 'prod';
  const createdTimeSeconds = changes.createdTimeSeconds ?? NOW - 3600;
  const hostname = slotHostname(FACTORY, slot);
  return {
    id: machineId(createdTimeSeconds, machinetype, hostname),
    uuid: `00000000-0000-4000-8000-${String(slot).padStart(4, '0')}${String(createdTimeSeconds % 1e8).padStart(8, '0')}`,
    slot,
    hostname,
    ip: slotIp(slot),
    mac: slotMac(slot),
    machinetype,
    machineModel: 'vm-raw',
    processors: 1,
    memoryMiB: 2048,
    hs06: changes.processors ?? 1,
    hs06PerProcessor: null,
    createdTimeSeconds,
    firstShutdownTimeSeconds: createdTimeSeconds + 86_400,
    graceSeconds: 600,
    maxWallclockSeconds: 86_400,
    fizzleSeconds: 600,
    heartbeatFile: null,
    heartbeatSeconds: 0,
    machinesDirDays: 3,
    accountingFqan: null,
    ...changes,
  };
}

/** A machine that has run well for most of an hour; `recordChanges` go into its recipe. */
export function machine(changes: Partial<Machine> = {}, recordChanges: Partial<MachineRecord> = {}): Machine {
  const made = changes.record ?? record(recordChanges);
  const phase = changes.phase ?? 'running';
  const over = phase === 'ended' || phase === 'cleared';
  return {
    record: made,
    phase,
    startedTimeSeconds: phase === 'starting' ? null : made.createdTimeSeconds + 2,
    heartbeatTimeSeconds: phase === 'starting' ? null : NOW - 5,
    cpuSeconds: phase === 'starting' ? 0 : 3000,
    cpuPercent: 99,
    shutdownTimeSeconds: made.firstShutdownTimeSeconds,
    end: over ? end() : null,
    domain: over ? 'gone' : phase === 'starting' ? 'unknown' : 'running',
    pausedForSeconds: 0,
    resumedForSeconds: null,
    pausedByIoError: false,
    goneTimeSeconds: null,
    goneDetail: null,
    lastTraceTimeSeconds: null,
    stop: null,
    suspension: null,
    pastSuspensions: NO_SUSPENSIONS,
    throttled: null,
    stopAskedForSeconds: null,
    heartbeatFileAgeSeconds: null,
    shutdownMessage: null,
    creationProblem: null,
    busy: false,
    retryInSeconds: 0,
    exported: true,
    ...changes,
  };
}

export function end(changes: Partial<MachineEnd> = {}): MachineEnd {
  return {
    timeSeconds: NOW - 60,
    message: '200 Success',
    cpuSeconds: 3000,
    reason: 'it shut down by itself',
    ...changes,
  };
}

export function stopRequest(changes: Partial<StopRequest> = {}): StopRequest {
  return {
    reason: 'its shutdowntime has come',
    message: '100 Past shutdowntime',
    overrides: false,
    politely: true,
    requestedTimeSeconds: NOW - 10,
    ...changes,
  };
}

export function service(changes: Partial<ServiceState> = {}): ServiceState {
  return { ready: true, problem: '', readyForSeconds: 86_400, busy: false, retryInSeconds: 0, ...changes };
}

export const NOT_READY = service({ ready: false, readyForSeconds: 0 });

export function services(changes: Partial<Record<ServiceName, ServiceState>> = {}): HostFacts['services'] {
  return {
    firewall: service(),
    network: service(),
    metadata: service(),
    nfs: service(),
    syslog: service(),
    ...changes,
  };
}

export function host(changes: Partial<HostFacts> = {}): HostFacts {
  return {
    processors: 8,
    memoryMiB: 32_768,
    loadAverages: [0, 0, 0],
    ioPressurePercent: 0,
    stateFreeBytes: 100e9,
    hypervisorProblem: null,
    services: services(),
    ...changes,
  };
}

/** An empty, healthy factory of eight slots with one processor each. */
export function state(changes: Partial<FactoryState> = {}): FactoryState {
  return {
    nowSeconds: NOW,
    factory: FACTORY,
    slots: 8,
    totalProcessors: 8,
    host: host(),
    machines: [],
    zombies: [],
    blockedSlots: [],
    peers: [],
    uses: new Map(),
    lastEnds: new Map(),
    creationFailures: new Map(),
    slotFailures: new Map(),
    images: new Map(),
    earlyDeaths: new Map(),
    spaceHeard: true,
    queryProblem: null,
    orders: NO_ORDERS,
    overnight: null,
    ...changes,
  };
}

/** Nobody is there, and machines may run. */
export function overnight(changes: Partial<OvernightVerdict> = {}): OvernightVerdict {
  return {
    state: 'open',
    sinceSeconds: NOW - 3600,
    reason: 'nobody has used this host for 20 min',
    blockers: [],
    windowOpen: true,
    windowChangeSeconds: null,
    next: null,
    mayStart: true,
    machines: 'run',
    goneBySeconds: null,
    maxSuspensions: 20,
    maxSuspendedSeconds: 7200,
    ...changes,
  };
}

export function orders(changes: Partial<RunOrders>): RunOrders {
  return { ...NO_ORDERS, ...changes };
}

/** Draining since a minute ago, for ever. */
export function drainOrder(changes: Partial<DrainOrder> = {}): DrainOrder {
  return { reason: 'asked to', sinceSeconds: NOW - 60, untilSeconds: null, byTimeSeconds: null, ...changes };
}

/** So many machines of a type in a row that said all is well and died early, the last one so many seconds ago. */
export function diedEarly(machinetype: string, count: number, agoSeconds: number): Map<string, EarlyDeaths> {
  const deaths = Array.from({ length: count }, (_, index) => ({
    createdTimeSeconds: NOW - agoSeconds - 20 - 10 * index,
    timeSeconds: NOW - agoSeconds - 10 * index,
    message: '200 Success',
    hostname: slotHostname(FACTORY, index),
  }));
  return new Map([[machinetype, { provenTimeSeconds: 0, deaths, olderDeaths: 0 }]]);
}

export function news(machinetype: string, changes: Partial<MachinetypeNews> = {}): MachinetypeNews {
  return {
    factory: 'factory2.example.com',
    machinetype,
    runningHs06: 0,
    runningMachines: 0,
    runningProcessors: 0,
    beforeFizzle: 0,
    lastEnd: null,
    ...changes,
  };
}

/** What a factory says of a type whose newest finished machine ended so many seconds ago. */
export function endNews(machinetype: string, agoSeconds: number, message: string | null, beforeFizzle = 0) {
  const lastEnd = { timeSeconds: NOW - agoSeconds, message, hostname: 'factory2-00.example.com' };
  return news(machinetype, { lastEnd, beforeFizzle });
}

/** A generator of random numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function seededRng(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function plan(of: FactoryState, by: Config, rng: () => number = seededRng(1)): Plan {
  return decide(of, by, rng, MODELS);
}

export function actionsOf<Kind extends Action['kind']>(made: Plan, kind: Kind): ActionOf<Kind>[] {
  return made.actions.filter((action): action is ActionOf<Kind> => action.kind === kind);
}

export function slotDecision(made: Plan, slot: number): Decision | undefined {
  return made.decisions.findLast((decision) => decision.slot === slot && decision.machine === null);
}

/** The last word on a machinetype as a whole, the one that `vac why TYPE` ends with. */
export function typeDecision(made: Plan, name: string): Decision | undefined {
  return made.decisions.findLast((decision) => decision.machinetype === name && decision.slot === null);
}
