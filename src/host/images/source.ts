/** Where a machinetype's root image comes from (SPEC 2). */

import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isHttpUrl } from '../http-fetch.js';
import type { ImageWish } from './entry.js';

/** What of a machinetype says which image it wants. */
export interface RootImage {
  /** A URL, a path, or a file name under the machinetype's `files/`. */
  readonly rootImage: string;
  readonly rootImageSha256: string | null;
  readonly imageSigningDn: string | null;
}

/** By http(s); null: it is a file of this host. */
export function imageWish({ rootImage, rootImageSha256, imageSigningDn }: RootImage): ImageWish | null {
  return isHttpUrl(rootImage) ? { url: rootImage, sha256: rootImageSha256, signingDn: imageSigningDn } : null;
}

/** @param filesDirectory the machinetype's `files/` */
export function imageFile({ rootImage }: Pick<RootImage, 'rootImage'>, filesDirectory: string): string {
  if (/^file:/i.test(rootImage)) return fileURLToPath(rootImage);
  return isAbsolute(rootImage) ? rootImage : join(filesDirectory, rootImage);
}
