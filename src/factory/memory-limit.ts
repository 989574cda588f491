/** Overnight mode's `memory_percent`: machines together never have more than that part of the host's memory. Pure. */

import type { OvernightConfig } from '../config/types.js';
import type { FactoryState } from './types.js';

/**
 * MiB that machines may still be given; infinite where nothing bounds them. Suspended machines keep their memory, and those
 * that are over but not cleared yet may: QEMU is not always gone.
 */
export function freeMemoryMiB(
  { machines, host }: Pick<FactoryState, 'machines' | 'host'>,
  overnight: Pick<OvernightConfig, 'memoryPercent'> | null,
): number {
  if (overnight === null) return Number.POSITIVE_INFINITY;
  const taken = machines
    .filter(({ phase }) => phase !== 'cleared')
    .reduce((sum, { record: { memoryMiB } }) => sum + memoryMiB, 0);
  return Math.max(0, memoryLimitMiB(host.memoryMiB, overnight) - taken);
}

/** What memory_percent comes to on this host. */
export function memoryLimitMiB(hostMiB: number, { memoryPercent }: Pick<OvernightConfig, 'memoryPercent'>): number {
  return Math.floor((hostMiB * memoryPercent) / 100);
}
