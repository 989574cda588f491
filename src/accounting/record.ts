/** Which machines are accounted, and what their records' files are called and known by (SPEC 10). */

import { createHash } from 'node:crypto';
import type { MachineEnd, MachineRecord } from '../factory/types.js';
import { fieldsOf } from './fields.js';

/** Where a record's file is: `<day>/<name>` below the archive, and below the outgoing directory. */
export interface RecordFile {
  /** `YYYYMMDD`, UTC. */
  readonly day: string;
  /** `HHMMSS` and eight digits. */
  readonly name: string;
}

/**
 * Whether a machine that has ended is accounted: it ran, and for no less than its fizzle_seconds.
 *
 * @param startedTimeSeconds null: it never ran
 */
export function isAccountable(record: MachineRecord, startedTimeSeconds: number | null, end: MachineEnd): boolean {
  return startedTimeSeconds !== null && end.timeSeconds - startedTimeSeconds >= Math.max(0, record.fizzleSeconds);
}

/**
 * The file that a record belongs in. The same machine gives the same name each time, so that writing it again after a
 * crash is writing the same file; the eight digits, which once were a fraction of the second, come from its UUID.
 */
export function recordFileName(endTimeSeconds: number, uuid: string): RecordFile {
  const digits = createHash('sha256').update(uuid).digest().readUInt32BE() % 100_000_000;
  return fileNameAt(endTimeSeconds, digits);
}

/** A name that the sender takes: `[0-9a-f]{8}/[0-9a-f]{14}`. */
export function fileNameAt(timeSeconds: number, digits: number): RecordFile {
  const time = new Date(timeSeconds * 1000).toISOString();
  return {
    day: time.slice(0, 10).replaceAll('-', ''),
    name: time.slice(11, 19).replaceAll(':', '') + String(digits).padStart(8, '0'),
  };
}

/** The machine that a record's text is of. */
export function localJobId(text: string): string | null {
  const fields = fieldsOf(text);
  return fields.get('LocalJobId') ?? fields.get('VMUUID') ?? null;
}

/** What tells a record from all others: its machine, and the moment until which it tells of it. */
export function recordKey(text: string): string {
  const fields = fieldsOf(text);
  return `${localJobId(text)} ${fields.get('EndTime') ?? fields.get('RecordCreateTime') ?? ''}`;
}
