/** A machine's weight against others in the host's control groups, in libvirt's numbers. Pure. */

import type { Settings } from '../config/types.js';
import type { WeighableResources } from '../host/cgroup.js';

/** null where the host has no such weight, or it is left as the host has it. */
export interface DomainWeights {
  readonly cpuShares: number | null;
  readonly ioWeight: number | null;
}

export type WeightSettings = Pick<Settings, 'cpuWeight' | 'ioWeight'>;

/** Version 1 counts in 1024ths where version 2 counts in hundredths. */
const UNITS = { 1: { one: 1024, max: 262_144 }, 2: { one: 100, max: 10_000 } } as const;

/**
 * Each processor of a machine weighs the same, whatever machine it is of: without this a machine of eight would get as much
 * of a busy host as a machine of one.
 *
 * @param cpuWeight of a processor; 100 is that of any other virtual machine of libvirt
 */
export function domainWeights(
  host: WeighableResources,
  { cpuWeight, ioWeight }: WeightSettings,
  processors: number,
): DomainWeights {
  return { cpuShares: cpuShares(host.cpu, cpuWeight, processors), ioWeight: host.io ? ioWeight : null };
}

function cpuShares(version: WeighableResources['cpu'], cpuWeight: number, processors: number): number | null {
  if (version === null) return null;
  const { one, max } = UNITS[version];
  return Math.min(max, Math.max(2, Math.round((one * cpuWeight * processors) / 100)));
}

/** What the configuration asks for and this host cannot do, a line each. */
export function weightsWithoutEffect(host: WeighableResources, { cpuWeight, ioWeight }: WeightSettings): string[] {
  return [
    ...(cpuWeight !== 100 && host.cpu === null
      ? [`cpu_weight = ${cpuWeight} has no effect: this host has no control groups that processors are shared by`]
      : []),
    ...(ioWeight !== null && !host.io
      ? [`io_weight = ${ioWeight} has no effect: disks of this host have no weights (neither scheduler BFQ nor iocost)`]
      : []),
  ];
}
