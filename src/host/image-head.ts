/** The beginning of an image, by which it is told what it is, and the words for one that is no use. */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { VacError } from '../errors.js';

/** Enough for every header that is looked at; the descriptors of an ISO begin at byte 32768. */
const HEAD_BYTES = 64 * 1024;

/** Sector of an ISO image (ECMA-119). */
const ISO_SECTOR_BYTES = 2048;
/** The primary volume descriptor is here, the others follow. */
const FIRST_DESCRIPTOR = 16;

export interface ImageHead {
  /** Its first 64 KiB, or all of it. */
  readonly head: Buffer;
  readonly fileBytes: number;
}

/** @throws VacError `image-missing`, `image-unusable` */
export async function readImageHead(path: string): Promise<ImageHead> {
  let file: FileHandle | null = null;
  try {
    // O_NONBLOCK: a FIFO must be refused, and not waited for until somebody writes into it.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await file.stat();
    if (!stat.isFile()) throw unusable(`image ${path} is not a regular file`);
    const buffer = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(buffer, 0, HEAD_BYTES, 0);
    return { head: buffer.subarray(0, bytesRead), fileBytes: stat.size };
  } catch (cause) {
    if (cause instanceof VacError) throw cause;
    throw new VacError('image-missing', `image ${path} cannot be read: ${(cause as Error).message}`, { cause });
  } finally {
    await file?.close();
  }
}

/** One of the descriptors of an ISO image, counted from 0; null: there is none of this type at that place. */
export function isoDescriptor(head: Buffer, number: number, type: number): Buffer | null {
  const from = (FIRST_DESCRIPTOR + number) * ISO_SECTOR_BYTES;
  const sector = head.subarray(from, from + ISO_SECTOR_BYTES);
  return sector[0] === type && sector.toString('latin1', 1, 6) === 'CD001' ? sector : null;
}

export function unusable(message: string): VacError {
  return new VacError('image-unusable', message);
}
