/** vm-raw: an ordinary disk image as copy-on-write root, beside it a scratch disk and a swap disk (SPEC 5). */

import { createOverlay, createScratch, createSwap, inspectImage } from '../../host/disks.js';
import { diskPaths } from '../layout.js';
import type { MachineModel } from './model.js';

export const vmRaw: MachineModel = {
  name: 'vm-raw',

  async makeDisks({ layout, record, scratchBytes, swapBytes }, imagePath) {
    const paths = diskPaths(layout, record);
    const info = await inspectImage(imagePath);
    await Promise.all([
      createOverlay(paths.root, imagePath, info),
      scratchBytes > 0 ? createScratch(paths.scratch, scratchBytes) : null,
      swapBytes > 0 ? createSwap(paths.swap, swapBytes) : null,
    ]);
  },

  disks({ layout, record, type, scratchBytes, swapBytes }) {
    const paths = diskPaths(layout, record);
    return [
      { path: paths.root, format: 'qcow2', device: type.rootDevice, serial: 'root', bootOrder: 1 },
      ...(scratchBytes > 0
        ? [{ path: paths.scratch, format: 'raw' as const, device: type.scratchDevice, serial: 'scratch' }]
        : []),
      ...(swapBytes > 0 ? [{ path: paths.swap, format: 'raw' as const, device: type.swapDevice, serial: 'swap' }] : []),
    ];
  },
};
