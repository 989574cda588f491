import type { CallOptions } from './calls.js';
import { combineFlags } from './flags.js';
import { HostCalls } from './host.js';
import { type DomainState, domainStateName, stateReasonName } from './names.js';
import type { RawParameter, RawStats } from './native.js';

/** Which domains a list is of. Neither given: all. */
export interface DomainFilter {
  readonly active?: boolean | undefined;
  readonly inactive?: boolean | undefined;
}

/** virDomainStatsTypes. */
const groupFlags = {
  state: 1 << 0,
  cpu: 1 << 1,
  balloon: 1 << 2,
  vcpu: 1 << 3,
  interface: 1 << 4,
  block: 1 << 5,
  perf: 1 << 6,
  iothread: 1 << 7,
  memory: 1 << 8,
} as const;

export type StatsGroup = keyof typeof groupFlags;

export interface DomainStatsOptions extends DomainFilter, CallOptions {
  /** Besides the state. Default cpu, balloon and vcpu; the others cost more and appear in `raw` only. */
  readonly groups?: readonly StatsGroup[] | undefined;
  /**
   * Wait for a domain that is busy (being started, saved, its monitor hung), as long as 30 s, to give all of its values.
   * Default false: it then lacks some, and one such domain does not hold up the others.
   */
  readonly waitForBusy?: boolean | undefined;
}

export interface DomainSummary {
  readonly uuid: string;
  readonly name: string;
  /** The number of a running domain on this host; null for one that does not run. */
  readonly id: number | null;
  readonly state: DomainState;
  /** The finer shade, such as `booted`, `ioerror`, `destroyed`; `unknown` where the driver does not tell. */
  readonly stateReason: string;
}

export interface DomainStats extends DomainSummary {
  /** Processor time used since its start, of all virtual processors and the emulator; null when unknown. */
  readonly cpuTimeSeconds: number | null;
  /** Each null when the driver or a busy domain does not tell. `rssKiB` is the host memory of the emulator process. */
  readonly balloon: {
    readonly currentKiB: number | null;
    readonly maximumKiB: number | null;
    readonly rssKiB: number | null;
  };
  /** Virtual processors now online; null when unknown. */
  readonly vcpuCurrent: number | null;
  /** All that the driver gave, under libvirt's names (virConnectGetAllDomainStats); 64-bit integers are bigint. */
  readonly raw: Readonly<Record<string, RawParameter>>;
}

const ACTIVE_FLAGS = { active: 1 << 0, inactive: 1 << 1 };
const NOWAIT_FLAG = 1 << 29;

const numberOf = (value: RawParameter | undefined): number | null => (value === undefined ? null : Number(value));

function summaryOf(record: RawStats): DomainSummary {
  const state = numberOf(record.raw['state.state']) ?? record.info?.state ?? -1;
  const reason = numberOf(record.raw['state.reason']) ?? 0;
  return {
    uuid: record.uuid,
    name: record.name,
    id: record.id,
    state: domainStateName(state),
    stateReason: stateReasonName(state, reason),
  };
}

function statsOf(record: RawStats): DomainStats {
  const { raw, info } = record;
  const cpuNanoseconds = numberOf(raw['cpu.time']);
  return {
    ...summaryOf(record),
    cpuTimeSeconds: cpuNanoseconds === null ? (info?.cpuTimeSeconds ?? null) : cpuNanoseconds / 1e9,
    balloon: {
      currentKiB: numberOf(raw['balloon.current']) ?? info?.memoryKiB ?? null,
      maximumKiB: numberOf(raw['balloon.maximum']) ?? info?.maximumMemoryKiB ?? null,
      rssKiB: numberOf(raw['balloon.rss']),
    },
    vcpuCurrent: numberOf(raw['vcpu.current']) ?? info?.processors ?? null,
    raw,
  };
}

/** A domain without any state went between being listed and being asked. */
const stillThere = (record: RawStats): boolean => 'state.state' in record.raw || record.info !== null;

/** Calls about all domains at once: one round trip, however many there are. */
export abstract class StatsCalls extends HostCalls {
  /** All domains with their states. */
  async listDomains(options: DomainFilter & CallOptions = {}): Promise<DomainSummary[]> {
    const flags = combineFlags(ACTIVE_FLAGS, options) | NOWAIT_FLAG;
    const records = await this.call('domainStats', [groupFlags.state, flags, false], options);
    return records.filter(stillThere).map(summaryOf);
  }

  /**
   * Statistics of all domains (virConnectGetAllDomainStats). Where a driver lacks the basic ones they come from
   * virDomainGetInfo, one more round trip for each domain.
   */
  async domainStats(options: DomainStatsOptions = {}): Promise<DomainStats[]> {
    const groups = options.groups ?? ['cpu', 'balloon', 'vcpu'];
    const groupBits = groups.reduce((bits, group) => bits | groupFlags[group], groupFlags.state);
    const flags = combineFlags(ACTIVE_FLAGS, options) | (options.waitForBusy ? 0 : NOWAIT_FLAG);
    const records = await this.call('domainStats', [groupBits, flags, groups.includes('cpu')], options);
    return records.filter(stillThere).map(statsOf);
  }
}
