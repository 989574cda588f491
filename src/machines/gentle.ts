/**
 * What makes machines of a desktop in overnight mode weigh nothing beside its owner's programs: all threads of QEMU in the
 * kernel's class SCHED_IDLE, the lowest weights, and a bound on their CPU where `quiet_cpu_percent` asks for one. Pure.
 */

import type { OvernightConfig } from '../config/types.js';
import type { WeighableResources } from '../host/cgroup.js';
import type { WeightSettings } from './weights.js';
import { type Xml, xml } from './xml.js';

export interface Gentleness {
  /** What each processor of a machine may use, in parts of one of the host's; above 1 no more than that; null: no bound. */
  readonly cpuPart: number | null;
}

const PERIOD_MICROSECONDS = 100_000;
const MIN_QUOTA_MICROSECONDS = 1_000;

/**
 * The bound is shared out evenly to the processors that machines have at most, so that no machine's must change when
 * another starts or ends.
 *
 * @param hostProcessors of the host, which percents are of
 * @param totalProcessors that are given to machines at most
 * @returns null: no overnight mode
 */
export function gentleness(
  overnight: Pick<OvernightConfig, 'quietCpuPercent'> | null,
  hostProcessors: number,
  totalProcessors: number,
): Gentleness | null {
  if (overnight === null) return null;
  const { quietCpuPercent } = overnight;
  if (quietCpuPercent === null) return { cpuPart: null };
  return { cpuPart: ((quietCpuPercent / 100) * hostProcessors) / Math.max(1, totalProcessors) };
}

/** As weightsWithoutEffect: what is asked for and this host cannot do, a line each. */
export function boundWithoutEffect(
  { cpu }: Pick<WeighableResources, 'cpu'>,
  overnight: Pick<OvernightConfig, 'quietCpuPercent'> | null,
): string[] {
  const percent = overnight?.quietCpuPercent ?? null;
  if (percent === null || cpu !== null) return [];
  return [
    `quiet_cpu_percent = ${percent} has no effect: this host has no control groups that processors are shared by; total_processors bounds what machines use`,
  ];
}

/** cpu_weight's default: nobody asked for it. */
const USUAL_CPU_WEIGHT = 100;
/** libvirt's lowest everywhere. */
const LOWEST = { cpuWeight: 1, ioWeight: 100 } as const;

/** The lowest weights that there are, where the site has not set its own. */
export function lowestWeights({ cpuWeight, ioWeight }: WeightSettings): WeightSettings {
  return {
    cpuWeight: cpuWeight === USUAL_CPU_WEIGHT ? LOWEST.cpuWeight : cpuWeight,
    ioWeight: ioWeight ?? LOWEST.ioWeight,
  };
}

/**
 * Elements of a domain's cputune.
 *
 * @param canCap whether the host has control groups that CPU is shared by; without them a domain with a bound would not start
 */
export function gentleTuning({ cpuPart }: Gentleness, processors: number, canCap: boolean): Xml[] {
  const scheduler = 'idle';
  return [
    // Of the whole machine: QEMU's own threads use the CPU too.
    ...(cpuPart === null || !canCap
      ? []
      : [
          xml('global_period', {}, String(PERIOD_MICROSECONDS)),
          xml('global_quota', {}, String(quotaMicroseconds(cpuPart * processors))),
        ]),
    xml('vcpusched', { vcpus: `0-${processors - 1}`, scheduler }),
    xml('iothreadsched', { iothreads: '1', scheduler }),
    xml('emulatorsched', { scheduler }),
  ];
}

function quotaMicroseconds(processors: number): number {
  return Math.max(MIN_QUOTA_MICROSECONDS, Math.round(processors * PERIOD_MICROSECONDS));
}

/** By it the guest's clock is set right after it stood still (qemu-guest-agent, where its image has one). */
export const AGENT_CHANNEL = xml(
  'channel',
  { type: 'unix' },
  xml('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' }),
);
