/** Where a machinetype's root image is on this host. */

import { isAbsolute, join } from 'node:path';
import { VacError } from '../errors.js';

/**
 * @param rootImage path, or file name under the machinetype's `files/` (SPEC 2)
 * @param filesDirectory the machinetype's `files/`
 * @throws VacError `image-unusable` for a URL: images are fetched by a later version
 */
export function resolveImage(rootImage: string, filesDirectory: string): string {
  if (/^https?:/.test(rootImage)) {
    throw new VacError(
      'image-unusable',
      `root_image ${rootImage} is a URL, which this version cannot fetch; download it and give its path`,
    );
  }
  return isAbsolute(rootImage) ? rootImage : join(filesDirectory, rootImage);
}
