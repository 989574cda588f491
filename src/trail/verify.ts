/** Whether the trail is as it was written: no record changed, none missing. */

import { digestOf, HEAD, linesOf, REMOVED, readLink, trailDays } from './files.js';
import { NO_DIGEST, parseTrailLine } from './record.js';

export interface Verification {
  readonly records: number;
  /** Numbers of the first and last record; null: there is none. */
  readonly first: number | null;
  readonly last: number | null;
  /** Of the last line: to be compared with what vacd logged at its time. */
  readonly digest: string | null;
  /** One line each; empty when all is well. */
  readonly problems: readonly string[];
}

/** One fault in the middle shows as one or two problems, however many lines follow. */
const MAX_PROBLEMS = 100;

export async function verifyTrail(directory: string): Promise<Verification> {
  const problems: string[] = [];
  const say = (problem: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem);
  };
  // Before the lines: those that vacd adds meanwhile are none that should not be there.
  const head = await readLink(directory, HEAD);
  const removed = await readLink(directory, REMOVED);
  // A machine of the last days that were removed may have been written before, and be read after it.
  let expected = { seq: (removed?.seq ?? 0) + 1, prev: removed?.digest ?? NO_DIGEST };
  let records = 0;
  let first: number | null = null;
  let last: { seq: number; digest: string } | null = null;
  for (const day of await trailDays(directory)) {
    let number = 0;
    for await (const line of linesOf(directory, day)) {
      number += 1;
      const where = `${day}.jsonl line ${number}`;
      const record = parseTrailLine(line);
      const digest = digestOf(line);
      if (record === null) {
        say(`${where} is no record of the trail`);
        expected = { seq: expected.seq + 1, prev: digest };
        continue;
      }
      // What an interrupted removal of old days left is older than what was noted as removed.
      const isLeftOver = removed !== null && first === null && record.seq <= removed.seq;
      if (isLeftOver) continue;
      records += 1;
      first ??= record.seq;
      if (record.seq !== expected.seq) say(`${where} is record ${record.seq}, and ${expected.seq} should be there`);
      else if (record.prev !== expected.prev) say(`${where}: the line before it, or this one, was changed`);
      if (record.seq === head?.seq && digest !== head.digest)
        say(`${where}: it was changed, head.json has another digest`);
      last = { seq: record.seq, digest };
      expected = { seq: record.seq + 1, prev: digest };
    }
  }
  if (head === null && last !== null) say('head.json is missing, so what was removed at the end does not show');
  else if (head !== null && head.seq > (last?.seq ?? removed?.seq ?? 0)) {
    say(`the last record is ${last?.seq ?? 'missing'}, and ${head.seq} was written: the end is missing`);
  }
  return { records, first, last: last?.seq ?? null, digest: last?.digest ?? null, problems };
}
