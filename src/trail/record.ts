/**
 * The trail's records: what a site must be able to tell of a machine long after it is gone. One JSON object a line, so
 * that `grep` and `jq` read it too; every text in it that a guest or a server chose has been made harmless before.
 *
 * `created` is written before libvirt is asked for the machine: nothing ever sent a packet that is not in the trail.
 * `ended` holds all that `created` does, and how it went, so that it can stand alone.
 */

import type { MachineEnd, MachineRecord } from '../factory/types.js';
import type { ImageTraits } from '../host/images/root-images.js';

/** As the images know it, its source without user and password. */
export type ImageTrail = ImageTraits;

export interface UserDataTrail {
  /** URL without user and password, or path; null: there is no template, the factory made it. */
  readonly source: string | null;
  /** When it was fetched or read for this machine. */
  readonly fetchedTimeSeconds: number;
  /** Of the user_data as this machine was given it; the text itself may hold secrets. */
  readonly sha256: string;
  readonly bytes: number;
}

/** A certificate, never its key. */
export interface CertificateTrail {
  readonly subject: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** Of the certificate in DER. */
  readonly sha256: string;
  readonly endTimeSeconds: number;
}

/** What is known when a machine is made; kept in its directory as `provenance.json`. */
export interface Provenance {
  readonly vacVersion: string;
  readonly space: string;
  readonly factory: string;
  readonly machinegroup: string;
  /** The vacuum pipe that the machinetype is from. */
  readonly pipe: { readonly prefix: string; readonly url: string | null } | null;
  readonly image: ImageTrail | null;
  readonly userData: UserDataTrail | null;
  /** First the proxy that it was given, then the certificates that stand for it. */
  readonly certificates: readonly CertificateTrail[];
  /** By which interface and address of this host it reached the outside when it was made. */
  readonly nat: { readonly device: string; readonly address: string | null } | null;
}

/** A file that a machine left; `sha256` is of its first `bytes`, null when it was not read. */
export interface FileTrail {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string | null;
}

export interface LeftTrail {
  readonly directory: string;
  readonly files: readonly FileTrail[];
  /** Files that are not listed, or were not read, because there are too many or they are too large. */
  readonly notListed: number;
  /** Of the site's own log of it, outside the machine. */
  readonly log: FileTrail | null;
  readonly console: FileTrail | null;
  /** Names in apel-archive, `YYYYMMDD/HHMMSS…`. */
  readonly accounting: readonly string[];
}

interface Common {
  readonly timeSeconds: number;
  readonly id: string;
  readonly uuid: string;
}

export interface CreatedRecord extends Common {
  readonly kind: 'created';
  readonly machine: MachineRecord;
  readonly provenance: Provenance | null;
}

export interface EndedRecord extends Common {
  readonly kind: 'ended';
  readonly machine: MachineRecord;
  readonly provenance: Provenance | null;
  /** Null: libvirt never had it. */
  readonly startedTimeSeconds: number | null;
  /** When it was asked to stop; null: it was not. */
  readonly stopTimeSeconds: number | null;
  readonly end: MachineEnd;
  readonly left: LeftTrail;
}

/** What was done about a machine: quarantine, release, upload of its outputs. */
export interface NoteRecord extends Common {
  readonly kind: 'note';
  /** quarantined, released, archived, archive-given-up */
  readonly what: string;
  readonly who: string;
  readonly text: string;
}

export type TrailEntry = CreatedRecord | EndedRecord | NoteRecord;

/** An entry as it stands in a file: numbered, and tied to the line before by that line's SHA-256. */
export type TrailRecord = TrailEntry & { readonly form: 1; readonly seq: number; readonly prev: string };

export const TRAIL_FORM = 1;
/** What the first line of all is tied to. */
export const NO_DIGEST = '0'.repeat(64);

/** Of two entries with one key the trail takes the first only. */
export function entryKey(entry: TrailEntry): string {
  const what = entry.kind === 'note' ? [entry.what, entry.timeSeconds, entry.who, entry.text].join(' ') : entry.kind;
  return `${entry.uuid} ${what}`;
}

/** A line of a day's file, without its end. JSON escapes control characters; these few would still steer a terminal. */
export function trailLine(entry: TrailEntry, seq: number, prev: string): string {
  const { kind, ...rest } = entry;
  const text = JSON.stringify({ form: TRAIL_FORM, seq, prev, kind, ...rest });
  return text.replace(/[\p{Cf}\p{Co}\p{Cn}\u007f-\u009f\u2028\u2029]/gu, (character) =>
    [...character].map(escapeCharacter).join(''),
  );
}

function escapeCharacter(character: string): string {
  let escaped = '';
  for (let index = 0; index < character.length; index += 1) {
    escaped += `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`;
  }
  return escaped;
}

/** What a line says; null when it is no record of a form that we know. */
export function parseTrailLine(line: string): TrailRecord | null {
  try {
    const value = JSON.parse(line) as
      | (Partial<Omit<EndedRecord, 'kind'>> & { kind?: string; form?: number; seq?: number; prev?: string })
      | null;
    const isOurs =
      value !== null &&
      typeof value === 'object' &&
      value.form === TRAIL_FORM &&
      Number.isSafeInteger(value.seq) &&
      typeof value.prev === 'string' &&
      typeof value.uuid === 'string' &&
      typeof value.id === 'string' &&
      Number.isSafeInteger(value.timeSeconds) &&
      (value.kind === 'note' || (typeof value.machine === 'object' && value.machine !== null));
    return isOurs ? (value as unknown as TrailRecord) : null;
  } catch {
    return null;
  }
}
