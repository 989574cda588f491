/** Whether a file is an ISO image that a machine can boot from. */

import { isoDescriptor, readImageHead, unusable } from './image-head.js';

/** Types of descriptors (ECMA-119; El Torito 1.0). */
const PRIMARY = 1;
const BOOT_RECORD = 0;

/**
 * Checks an ISO: a file system of ISO 9660 with a boot record, and as long as it says.
 *
 * @throws VacError `image-missing`, `image-unusable`
 */
export async function inspectIso(path: string): Promise<void> {
  const { head, fileBytes } = await readImageHead(path);
  const primary = isoDescriptor(head, 0, PRIMARY);
  if (primary === null) {
    throw unusable(
      `image ${path} is no ISO image, which CernVM models boot from; is it a disk image (machine_model = vm-raw) or an error page?`,
    );
  }
  const boot = isoDescriptor(head, 1, BOOT_RECORD);
  if (!boot?.toString('latin1', 7, 39).startsWith('EL TORITO SPECIFICATION')) {
    throw unusable(`image ${path} is an ISO image that cannot be booted: it has no El Torito boot record`);
  }
  const saidBytes = primary.readUInt32LE(80) * primary.readUInt16LE(128);
  if (fileBytes < saidBytes) {
    throw unusable(
      `image ${path} has ${fileBytes} bytes, and by its header ${saidBytes}: it was cut off; copy it anew`,
    );
  }
}
