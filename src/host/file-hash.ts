/** SHA-256 of files that may be large, through one buffer: read as a stream they would leave their whole size as garbage. */

import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

/** Hashing this much takes the daemon some milliseconds, in which it does nothing else. */
const PIECE_BYTES = 2 ** 20;

export interface FileHash {
  /** Hexadecimal. */
  readonly sha256: string;
  /** How many bytes it is of. */
  readonly bytes: number;
}

/**
 * @param maxBytes of the file's beginning
 * @param goesOn asked before each piece
 * @returns null: it was not to go on
 */
export async function hashFile(
  handle: FileHandle,
  maxBytes = Number.POSITIVE_INFINITY,
  goesOn: () => boolean = () => true,
): Promise<FileHash | null> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(Math.max(1, Math.min(maxBytes, PIECE_BYTES)));
  let bytes = 0;
  while (bytes < maxBytes) {
    if (!goesOn()) return null;
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, maxBytes - bytes), bytes);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    bytes += bytesRead;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** The same of a whole file by its path, whose links are followed. */
export async function hashFileAt(path: string, goesOn?: () => boolean): Promise<FileHash | null> {
  const handle = await open(path);
  try {
    return await hashFile(handle, Number.POSITIVE_INFINITY, goesOn);
  } finally {
    await handle.close();
  }
}
