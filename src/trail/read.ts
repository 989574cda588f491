/** Reading the trail, with or without a vacd that runs. */

import { linesOf, trailDays } from './files.js';
import { parseTrailLine, type TrailRecord } from './record.js';

/**
 * Records in the order of their writing. Years of them may be there, and few are wanted: `mayMatch` sees the line as text
 * before it is parsed.
 *
 * @throws when the trail may not be read
 */
export async function readTrail(directory: string, mayMatch: (line: string) => boolean): Promise<TrailRecord[]> {
  const found: TrailRecord[] = [];
  for (const day of await trailDays(directory)) {
    for await (const line of linesOf(directory, day)) {
      if (!mayMatch(line)) continue;
      const record = parseTrailLine(line);
      if (record !== null) found.push(record);
    }
  }
  return found;
}
