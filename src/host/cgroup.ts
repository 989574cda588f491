/**
 * What of a host libvirt can share out by weight: whether the kernel's control groups are there, of version 1 or 2, and
 * whether disks have weights at all. A domain that asks for what is not there would not start.
 */

import { access, constants, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere } from './files.js';

export interface WeighableResources {
  /** The version of control groups that CPU is shared by; null: by none. */
  readonly cpu: 1 | 2 | null;
  /** Disks need a scheduler with weights (BFQ), or the kernel's iocost. */
  readonly io: boolean;
}

/** @param root where control groups are mounted */
export async function weighableResources(root = '/sys/fs/cgroup'): Promise<WeighableResources> {
  const controllers = await readTextIfThere(join(root, 'cgroup.controllers')).catch(() => null);
  if (controllers !== null) {
    const hasCpu = controllers.split(/\s+/).includes('cpu') && (await isWritable(root));
    return { cpu: hasCpu ? 2 : null, io: await someGroupHas(root, ['io.bfq.weight', 'io.weight']) };
  }
  const hasCpu = await isWritable(join(root, 'cpu/cpu.shares'));
  return {
    cpu: hasCpu ? 1 : null,
    io: await someGroupHas(join(root, 'blkio'), ['blkio.weight', 'blkio.bfq.weight']),
  };
}

/** The group of all has no weight; the first ones below it have what any has. */
async function someGroupHas(root: string, files: readonly string[]): Promise<boolean> {
  const entries = await readdir(root, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    for (const file of files) if (await isWritable(join(root, entry.name, file))) return true;
  }
  return false;
}

/** Also for root, who cannot write to what is mounted read-only, as in many containers. */
async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}
