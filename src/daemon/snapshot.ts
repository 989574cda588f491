/** This factory in the words of VacQuery: what the responder tells of machines, machinetypes and the host (SPEC 3). */

import { readFile, statfs } from 'node:fs/promises';
import { loadavg, release } from 'node:os';
import { holdsProcessors, ownNews } from '../factory/news.js';
import type { FactoryState, Machine } from '../factory/types.js';
import { readTextIfThere } from '../host/files.js';
import { slotHostname } from '../machines/layout.js';
import {
  emptySlot,
  type FactorySnapshot,
  type MachineStatus,
  UNASKED_COOKIE,
  VACQUERY_VERSION,
} from '../vacquery/index.js';
import { VERSION } from '../version.js';
import type { Memory } from './memory.js';

export type HostStatus = Pick<
  FactorySnapshot['facts'],
  | 'root_disk_avail_kb'
  | 'root_disk_avail_inodes'
  | 'vac_disk_avail_kb'
  | 'vac_disk_avail_inodes'
  | 'load_average'
  | 'kernel_version'
  | 'os_issue'
  | 'boot_time'
  | 'swap_used_kb'
  | 'swap_free_kb'
  | 'mem_used_kb'
  | 'mem_total_kb'
>;

/** What only the host can tell; gathered now and then, so that no query ever waits for a file. */
export async function readHostStatus(stateDir: string): Promise<HostStatus> {
  const [root, state, memory, stat, os] = await Promise.all([
    statfs('/'),
    statfs(stateDir),
    readFile('/proc/meminfo', 'utf8'),
    readFile('/proc/stat', 'utf8'),
    osName(),
  ]);
  const kb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(memory)?.[1] ?? 0);
  const total = kb('MemTotal');
  return {
    root_disk_avail_kb: countOrNull(Math.floor((root.bavail * root.bsize) / 1024)),
    root_disk_avail_inodes: countOrNull(root.ffree),
    vac_disk_avail_kb: countOrNull(Math.floor((state.bavail * state.bsize) / 1024)),
    vac_disk_avail_inodes: countOrNull(state.ffree),
    load_average: loadavg()[2] ?? null,
    kernel_version: release(),
    os_issue: os,
    boot_time: Number(/^btime (\d+)/m.exec(stat)?.[1]) || null,
    swap_used_kb: countOrNull(kb('SwapTotal') - kb('SwapFree')),
    swap_free_kb: countOrNull(kb('SwapFree')),
    mem_used_kb: countOrNull(total - kb('MemAvailable')),
    mem_total_kb: countOrNull(total),
  };
}

/** What cannot be sent as a whole number (file systems with more inodes than 2^53, say) is not known, which can be sent. */
export function countOrNull(count: number): number | null {
  return Number.isSafeInteger(count) ? count : null;
}

/** An upgrade of the host's system while vacd runs is seen within so long. */
const OS_NAME_SECONDS = 3600;
let knownOsName: { readonly name: string; readonly readMs: number } | null = null;

/** What the host's system calls itself, in the words of os-release(5); the kernel's release where there is no such file. */
async function osName(): Promise<string> {
  const nowMs = performance.now();
  if (knownOsName === null || nowMs > knownOsName.readMs + OS_NAME_SECONDS * 1000) {
    const text = (await osRelease('/etc')) ?? (await osRelease('/usr/lib'));
    knownOsName = { name: prettyName(text ?? '') || release(), readMs: nowMs };
  }
  return knownOsName.name;
}

function osRelease(directory: string): Promise<string | null> {
  return readTextIfThere(`${directory}/os-release`).catch(() => null);
}

/** PRETTY_NAME of os-release(5), without the quotes and backslashes that a shell would take away; null without one. */
export function prettyName(text: string): string | null {
  const [, double, single, bare] =
    /^PRETTY_NAME=(?:"((?:[^"\\\n]|\\.)*)"|'([^'\n]*)'|([^\s"']+))\s*$/m.exec(text) ?? [];
  return double?.replace(/\\(.)/g, '$1') ?? single ?? bare ?? null;
}

/** gocdb_sitename, else the space name without its first label (SPEC 3). */
export function siteOf(gocdbSitename: string | null, space: string): string {
  return gocdbSitename ?? (space.split('.').slice(1).join('.') || space);
}

/** Readers refuse larger amounts, and the whole status with them. */
const MAX_USE = 1e12;

export function factorySnapshot(memory: Memory, host: HostStatus, nowSeconds: number): FactorySnapshot {
  const state = memory.state(nowSeconds, performance.now());
  const { settings, machinetypes } = memory.config;
  const held = state.machines.filter(holdsProcessors);
  const perProcessor = settings.hs06PerProcessor ?? 1;
  const last = memory.lastOfSlots(performance.now());
  const used = memory.ownUses(nowSeconds);
  let machines: FactorySnapshot['machines'] | null = null;
  return {
    space: settings.vacSpace,
    site: siteOf(settings.gocdbSitename, settings.vacSpace),
    factory: state.factory,
    vacVersion: `Vac ${VERSION} vacd`,
    // Object.assign, because spreading so many keys takes longer than all the rest.
    facts: Object.assign({}, host, {
      running_processors: held.reduce((sum, { record }) => sum + record.processors, 0),
      running_machines: held.length,
      running_hs06: held.reduce((sum, { record }) => sum + record.hs06, 0),
      max_processors: state.totalProcessors,
      max_machines: state.slots,
      max_hs06: state.totalProcessors * perProcessor,
      // One process does it all: whoever reads this knows that it lives.
      factory_heartbeat_time: nowSeconds,
      responder_heartbeat_time: nowSeconds,
      mjf_heartbeat_time: nowSeconds,
      metadata_heartbeat_time: nowSeconds,
    }),
    /** Made when it is asked for: most queries are about machinetypes. */
    get machines() {
      machines ??= slotStatuses(state, last);
      return machines;
    },
    machinetypes: machinetypes.map((type) => {
      const news = ownNews(state.factory, type.name, state.machines, state.lastEnds, nowSeconds);
      return {
        machinetype: type.name,
        bytes_per_processor: settings.mibPerProcessor * 2 ** 20,
        running_hs06: news.runningHs06,
        running_machines: news.runningMachines,
        running_processors: news.runningProcessors,
        num_before_fizzle: news.beforeFizzle,
        shutdown_message: news.lastEnd?.message ?? null,
        shutdown_time: news.lastEnd?.timeSeconds ?? null,
        shutdown_machine: news.lastEnd?.hostname ?? null,
        fqan: type.accountingFqan,
        max_wallclock_seconds: type.maxWallclockSeconds,
        max_processors: type.maxProcessors,
        target_share: type.targetShare,
        machinegroup: type.machinegroup,
        decayed_use: used === null ? null : Math.min(MAX_USE, Math.round(used.get(type.name) ?? 0)),
      };
    }),
  };
}

/** One machine's status by itself, as nobody asked for it; null: no such machine, or it is over and done with. */
export function machineStatusOf(memory: Memory, machineId: string, nowSeconds: number): MachineStatus | null {
  const state = memory.state(nowSeconds, performance.now());
  const machine = state.machines.find(({ record }) => record.id === machineId);
  if (machine === undefined) return null;
  const { settings } = memory.config;
  return {
    message_type: 'machine_status',
    vac_version: `Vac ${VERSION} vacd`,
    vacquery_version: VACQUERY_VERSION,
    cookie: UNASKED_COOKIE,
    space: settings.vacSpace,
    site: siteOf(settings.gocdbSitename, settings.vacSpace),
    factory: state.factory,
    num_machines: slotCount(state),
    time_sent: nowSeconds,
    ...slotStatus(machine.record.hostname, machine),
  };
}

/** The slots of now, and up to those of machines that were made when there were more. */
function slotCount({ slots, machines }: FactoryState): number {
  const last = machines.filter(({ phase }) => phase !== 'cleared').map(({ record }) => record.slot + 1);
  return Math.max(slots, ...last);
}

/** The machine in each slot, else the last one that was there. */
function slotStatuses(state: FactoryState, last: readonly Machine[]): FactorySnapshot['machines'] {
  const bySlot = new Map<number, Machine>();
  for (const machine of last) bySlot.set(machine.record.slot, machine);
  for (const machine of state.machines) if (machine.phase !== 'cleared') bySlot.set(machine.record.slot, machine);
  return Array.from({ length: slotCount(state) }, (_, slot) =>
    slotStatus(slotHostname(state.factory, slot), bySlot.get(slot)),
  );
}

/** @param machine undefined for a slot that never had one */
function slotStatus(hostname: string, machine: Machine | undefined): FactorySnapshot['machines'][number] {
  if (machine === undefined) return emptySlot(hostname);
  const { record, end } = machine;
  return {
    machine: record.hostname,
    state: stateWord(machine),
    machine_model: record.machineModel,
    uuid: record.uuid,
    created_time: record.createdTimeSeconds,
    started_time: machine.startedTimeSeconds,
    heartbeat_time: machine.heartbeatTimeSeconds,
    num_processors: record.processors,
    cpu_seconds: Math.round(machine.cpuSeconds),
    cpu_percentage: Math.round(machine.cpuPercent * 10) / 10,
    hs06: record.hs06,
    machinetype: record.machinetype,
    shutdown_message: end?.message ?? null,
    shutdown_time: end?.timeSeconds ?? null,
    fqan: record.accountingFqan,
  };
}

function stateWord(machine: Machine): FactorySnapshot['machines'][number]['state'] {
  if (machine.phase === 'starting') return 'Starting';
  if (machine.phase !== 'running') return 'Shut down';
  if (machine.domain === 'paused') return 'Paused';
  return machine.domain === 'unknown' ? 'Unknown' : 'Running';
}
