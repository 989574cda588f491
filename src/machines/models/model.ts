/** What a machine model is: how a machine of it is made ready, and what its disks are. One file and one line each. */

import type { MachinetypeConfig } from '../../config/types.js';
import type { MachineRecord } from '../../factory/types.js';
import type { VolumeGroup } from '../../host/lvm.js';
import type { DomainDisk } from '../domain-xml.js';
import type { StateLayout } from '../layout.js';
import type { MachineVolumes } from '../volumes.js';

export interface ModelContext {
  readonly layout: StateLayout;
  readonly record: MachineRecord;
  readonly type: MachinetypeConfig;
  readonly scratchBytes: number;
  readonly swapBytes: number;
  /** Where the scratch disk is made; null: as a file in the machine's directory. */
  readonly volumeGroup: VolumeGroup | null;
  readonly volumes: MachineVolumes;
}

export interface MachineModel {
  readonly name: string;
  /** Makes the machine's disks from an image file on this host; a second call makes them anew. */
  makeDisks(context: ModelContext, imagePath: string): Promise<void>;
  /** The disks as the machine will see them, of an image at this path; pure. */
  disks(context: ModelContext, imagePath: string): DomainDisk[];
}
