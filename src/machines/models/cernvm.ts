/**
 * cernvm3 and cernvm4: boots an ISO as a CD, with one large empty disk beside it that the machine partitions by itself
 * (SPEC 5), and a swap disk.
 */

import { inspectIso } from '../../host/iso-image.js';
import { makeScratch, makeSwap, scratchDisk, swapDisk } from './disks.js';
import type { MachineModel } from './model.js';

/**
 * The first is where the predecessor had it: last on IDE, so that the disks of a machine without virtio keep hda and hdb.
 * The machine's disks may have that name, swap on IDE does; libvirt takes each only once.
 */
const CD_DEVICES = { pc: ['hdc', 'hdd', 'hdb'], q35: ['sdc', 'sdd', 'sde'] } as const;

function cernvm(name: string): MachineModel {
  return {
    name,

    async makeDisks(context, imagePath) {
      await inspectIso(imagePath);
      await Promise.all([makeScratch(context, 'nothing'), makeSwap(context)]);
    },

    disks(context, imagePath) {
      const { type } = context;
      const disks = [...scratchDisk(context, type.rootDevice), ...swapDisk(context)];
      return [
        {
          path: imagePath,
          kind: 'cdrom',
          format: 'raw',
          device: CD_DEVICES[type.machineType].find((name) => !disks.some(({ device }) => device === name))!,
          serial: 'cernvm',
          bootOrder: 1,
        },
        ...disks,
      ];
    },
  };
}

export const cernvm3 = cernvm('cernvm3');
export const cernvm4 = cernvm('cernvm4');
