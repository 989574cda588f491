/** The disks that several models have: scratch, as a file or a logical volume, and swap. */

import { createScratch, createScratchOn, createSparse, createSwap, volumeBytesFor } from '../../host/disks.js';
import { volumePath } from '../../host/lvm.js';
import type { DomainDisk } from '../domain-xml.js';
import { diskPaths } from '../layout.js';
import { machineVolume } from '../volumes.js';
import type { ModelContext } from './model.js';

/** `ext4`: a file system over the whole disk, labelled scratch. `nothing`: the machine makes of it what it likes. */
export type ScratchContent = 'ext4' | 'nothing';

/** Makes the scratch disk, if the machine has one. */
export async function makeScratch(context: ModelContext, content: ScratchContent): Promise<void> {
  const { layout, record, scratchBytes, volumeGroup, volumes } = context;
  if (scratchBytes <= 0) return;
  const path = diskPaths(layout, record).scratch;
  if (content === 'ext4') await createScratch(path, scratchBytes);
  else await createSparse(path, scratchBytes);
  if (volumeGroup === null) return;
  const volume = machineVolume(volumeGroup, record.uuid);
  await volumes.create(layout.machine(record.id), volumeGroup, volume, await volumeBytesFor(scratchBytes));
  // The file holds some megabytes at most: it is the pattern for the volume.
  await createScratchOn(volumePath(volume), path);
}

/** Makes the swap disk, if the machine has one. */
export async function makeSwap({ layout, record, swapBytes }: ModelContext): Promise<void> {
  if (swapBytes > 0) await createSwap(diskPaths(layout, record).swap, swapBytes);
}

export function scratchDisk(context: ModelContext, device: string): DomainDisk[] {
  const { layout, record, scratchBytes, volumeGroup } = context;
  if (scratchBytes <= 0) return [];
  return [
    volumeGroup === null
      ? { path: diskPaths(layout, record).scratch, format: 'raw', device, serial: 'scratch' }
      : { path: volumePath(machineVolume(volumeGroup, record.uuid)), format: 'qcow2', device, serial: 'scratch' },
  ];
}

export function swapDisk({ layout, record, type, swapBytes }: ModelContext): DomainDisk[] {
  if (swapBytes <= 0) return [];
  return [{ path: diskPaths(layout, record).swap, format: 'raw', device: type.swapDevice, serial: 'swap' }];
}
