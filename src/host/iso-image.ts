/** Whether a file is an ISO image that a machine can boot from. */

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { VacError } from '../errors.js';

const SECTOR_BYTES = 2048;
/** The primary volume descriptor, and after it the boot record where there is one (ECMA-119; El Torito 1.0). */
const FIRST_DESCRIPTOR = 16;

/**
 * Checks an ISO: a file system of ISO 9660 with a boot record, and as long as it says.
 *
 * @throws VacError `image-missing`, `image-unusable`
 */
export async function inspectIso(path: string): Promise<void> {
  const { head, fileBytes } = await readDescriptors(path);
  const descriptor = (number: number) => head.subarray(number * SECTOR_BYTES, (number + 1) * SECTOR_BYTES);
  const isDescriptor = (sector: Buffer, type: number) =>
    sector[0] === type && sector.toString('latin1', 1, 6) === 'CD001';
  if (!isDescriptor(descriptor(0), 1)) {
    throw unusable(
      `image ${path} is no ISO image, which CernVM models boot from; is it a disk image (machine_model = vm-raw) or an error page?`,
    );
  }
  if (
    !isDescriptor(descriptor(1), 0) ||
    !descriptor(1).toString('latin1', 7, 39).startsWith('EL TORITO SPECIFICATION')
  ) {
    throw unusable(`image ${path} is an ISO image that cannot be booted: it has no El Torito boot record`);
  }
  const saidBytes = descriptor(0).readUInt32LE(80) * descriptor(0).readUInt16LE(128);
  if (fileBytes < saidBytes) {
    throw unusable(
      `image ${path} has ${fileBytes} bytes, and by its header ${saidBytes}: it was cut off; copy it anew`,
    );
  }
}

async function readDescriptors(path: string): Promise<{ head: Buffer; fileBytes: number }> {
  try {
    // O_NONBLOCK: a FIFO must be refused, and not waited for until somebody writes into it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw unusable(`image ${path} is not a regular file`);
      const head = Buffer.alloc(2 * SECTOR_BYTES);
      await file.read(head, 0, head.length, FIRST_DESCRIPTOR * SECTOR_BYTES);
      return { head, fileBytes: stat.size };
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof VacError) throw cause;
    throw new VacError('image-missing', `image ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function unusable(message: string): VacError {
  return new VacError('image-unusable', message);
}
