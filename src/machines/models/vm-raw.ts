/** vm-raw: an ordinary disk image as copy-on-write root, beside it a scratch disk and a swap disk (SPEC 5). */

import { createOverlay } from '../../host/disks.js';
import { inspectImage } from '../../host/image-format.js';
import { diskPaths } from '../layout.js';
import { makeScratch, makeSwap, scratchDisk, swapDisk } from './disks.js';
import type { MachineModel } from './model.js';

/** Decimal, as all sizes in the configuration are. */
const GB = 1e9;

export const vmRaw: MachineModel = diskImageModel('vm-raw', 0);

/**
 * A model that boots a disk image.
 *
 * @param leastRootGb the root disk is no smaller than this, unless `root_disk_gb` says another size
 */
export function diskImageModel(name: string, leastRootGb: number): MachineModel {
  return {
    name,

    async makeDisks(context, imagePath) {
      const { layout, record, type } = context;
      const info = await inspectImage(imagePath);
      const rootBytes =
        type.rootDiskGb === null ? Math.max(info.virtualBytes, leastRootGb * GB) : Math.round(type.rootDiskGb * GB);
      await Promise.all([
        createOverlay(diskPaths(layout, record).root, imagePath, info, rootBytes),
        makeScratch(context, 'ext4'),
        makeSwap(context),
      ]);
    },

    disks(context) {
      const { layout, record, type } = context;
      return [
        {
          path: diskPaths(layout, record).root,
          format: 'qcow2',
          device: type.rootDevice,
          serial: 'root',
          bootOrder: 1,
        },
        ...scratchDisk(context, type.scratchDevice),
        ...swapDisk(context),
      ];
    },
  };
}
