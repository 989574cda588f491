/** Where a machinetype's root image is on this host. */

import { isAbsolute, join } from 'node:path';

/**
 * @param rootImage path, or file name under the machinetype's `files/` (SPEC 2)
 * @param filesDirectory the machinetype's `files/`
 */
export function resolveImage(rootImage: string, filesDirectory: string): string {
  return isAbsolute(rootImage) ? rootImage : join(filesDirectory, rootImage);
}
