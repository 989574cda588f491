/**
 * Machines' logical volumes: which group they are made in, and how none is forgotten. A volume is written down in its
 * machine's directory before it is made, so whoever clears the machine removes it, whatever happened in between.
 */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../errors.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import { type Lvm, NO_SUCH_GROUP, USUAL_VOLUME_GROUP, type Volume, type VolumeGroup } from '../host/lvm.js';
import { JOURNAL } from './layout.js';

/** A group that was looked at is not looked at again for so long: many machines start at once. */
const LOOK_MS = 30_000;

/** A machine's volume in a group. By the machine's uuid: no other ever had the name. */
export function machineVolume(group: VolumeGroup, uuid: string): Volume {
  return { group: group.name.split('/')[0]!, name: `vac-${uuid}` };
}

export class MachineVolumes {
  readonly #lvm: Lvm;
  #looked: { name: string; atMs: number; group: Promise<VolumeGroup | null> } | null = null;

  constructor(lvm: Lvm) {
    this.#lvm = lvm;
  }

  /**
   * The volume group for machines' disks.
   *
   * @param configured the option volume_group; null: the usual one, if the host has it
   * @returns null: there is none, disks are files
   * @throws VacError `volume-group-missing` when one is named but not there
   */
  async groupFor(configured: string | null): Promise<VolumeGroup | null> {
    const name = configured ?? USUAL_VOLUME_GROUP;
    const nowMs = performance.now();
    if (this.#looked === null || this.#looked.name !== name || nowMs - this.#looked.atMs > LOOK_MS) {
      // Where nobody asked for a group, lvm2 that hangs or fails is as good as none.
      const group = this.#lvm.find(name).catch((error: unknown) => {
        if (configured !== null) throw error;
        return null;
      });
      this.#looked = { name, atMs: nowMs, group };
    }
    const group = await this.#looked.group;
    if (group !== null || configured === null) return group;
    throw new VacError('volume-group-missing', `volume_group = ${configured}: ${NO_SUCH_GROUP}`);
  }

  /** Makes a machine's volume. @throws VacError `volume-group-full`, `command-…` */
  async create(machineDirectory: string, group: VolumeGroup, { name }: Volume, bytes: number): Promise<void> {
    await writeFileAtomic(join(machineDirectory, JOURNAL.volumes), `${group.name.split('/')[0]}/${name}\n`);
    // What an earlier try may have left.
    await this.removeAll(machineDirectory);
    await this.#lvm.create(group, name, bytes);
  }

  /**
   * Removes the volume of a machine whose directory is gone, and with it what was written down of it.
   *
   * @param configured the option volume_group
   */
  async removeStray(configured: string | null, uuid: string): Promise<void> {
    const group = await this.groupFor(configured).catch(() => null);
    if (group !== null) await this.#lvm.remove(machineVolume(group, uuid));
  }

  /** Removes all volumes of a machine; a second call does nothing. */
  async removeAllOf(machineDirectory: string): Promise<void> {
    await this.removeAll(machineDirectory);
    await rm(join(machineDirectory, JOURNAL.volumes), { force: true });
  }

  private async removeAll(machineDirectory: string): Promise<void> {
    const text = (await readTextIfThere(join(machineDirectory, JOURNAL.volumes))) ?? '';
    for (const line of text.split('\n').filter((entry) => entry !== '')) {
      const [group, name] = line.split('/') as [string, string];
      await this.#lvm.remove({ group, name });
    }
  }
}
