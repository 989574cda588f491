/**
 * A factory's answers, encoded once for each snapshot of its status: a query then costs the copying of some bytes, and
 * not the making of JSON.
 */

import { AUTH_BYTES } from './auth.js';
import { type EncodeResult, encodeFields, joinFields, MAX_SENT_BYTES } from './codec.js';
import { MAX_COOKIE_CHARACTERS, MAX_TEXT_CHARACTERS } from './kinds.js';
import {
  type FactorySnapshot,
  type QueryType,
  type ReplyHeader,
  STATUS_TYPE_OF,
  type Status,
  UNASKED_COOKIE,
  VACQUERY_VERSION,
} from './messages.js';

/** A status that could not be encoded; the others of the snapshot can. */
export interface SnapshotProblem {
  readonly messageType: Status['message_type'];
  /** Machine, machinetype or factory. */
  readonly name: string;
  readonly refusal: Extract<EncodeResult, { ok: false }>;
}

/** A reply without its cookie and its time, which every query has anew. */
interface Template {
  readonly beforeCookie: Uint8Array;
  readonly beforeTime: Uint8Array;
  readonly afterTime: Uint8Array;
}

const TIME_BYTES = 10;
/** Leaves room for the longest cookie in printable ASCII, quotes included. */
const MAX_TEMPLATE_BYTES = MAX_SENT_BYTES - (MAX_COOKIE_CHARACTERS + 2) - TIME_BYTES;
/** Leaves room for a signature as well. */
const WANTED_TEMPLATE_BYTES = MAX_TEMPLATE_BYTES - AUTH_BYTES;

const toUtf8 = new TextEncoder();

/** What one status says, as one of how many, and its reply. */
interface Prepared {
  readonly facts: Facts;
  readonly count: number;
  readonly template: Template;
}

type Facts = FactorySnapshot['machines' | 'machinetypes'][number] | FactorySnapshot['facts'];

export class Replies {
  readonly #prepared = new Map<QueryType, readonly Prepared[]>();
  /** Of an earlier snapshot with the same header: most of what a factory says does not change from one to the next. */
  readonly #earlier: ReadonlyMap<QueryType, readonly Prepared[]>;

  /**
   * @param onProblem called when a status that cannot be sent is met, at the first query that asks for it
   * @param earlier replies of an earlier snapshot, to take over what has not changed
   */
  constructor(
    readonly snapshot: FactorySnapshot,
    readonly onProblem: (problem: SnapshotProblem) => void,
    earlier: Replies | null = null,
  ) {
    this.#earlier = earlier !== null && sameHeader(earlier.snapshot, snapshot) ? earlier.#allPrepared() : new Map();
  }

  /**
   * The datagrams that answer a query of this type; null when one of them would be too large with this cookie, as it can
   * be with 128 characters that take several bytes each.
   *
   * @param cookie the asker's, already checked; `UNASKED_COOKIE` for VacMon
   * @param timeSeconds now, in Unix seconds
   */
  datagrams(type: QueryType, cookie: string, timeSeconds: number): Uint8Array[] | null {
    const cookieBytes = toUtf8.encode(JSON.stringify(cookie));
    const timeBytes = toUtf8.encode(String(Math.floor(timeSeconds)));
    const datagrams: Uint8Array[] = [];
    for (const { template } of this.#preparedFor(type)) {
      const { beforeCookie, beforeTime, afterTime } = template;
      const datagram = concatenate(beforeCookie, cookieBytes, beforeTime, timeBytes, afterTime);
      if (datagram.length > MAX_SENT_BYTES) return null;
      datagrams.push(datagram);
    }
    return datagrams;
  }

  #preparedFor(type: QueryType): readonly Prepared[] {
    const known = this.#prepared.get(type);
    if (known !== undefined) return known;
    const all = factsOf(this.snapshot, type);
    const earlier = this.#earlier.get(type) ?? [];
    const prepared: Prepared[] = [];
    for (const [index, facts] of all.entries()) {
      const kept = earlier[index];
      // With another number of them, each says another number.
      if (kept?.count === all.length && sameFacts(kept.facts, facts)) {
        prepared.push(kept);
        continue;
      }
      const status = statusOf(this.snapshot, type, facts, all.length);
      const template = prepare(status);
      if ('ok' in template) {
        this.onProblem({ messageType: status.message_type, name: nameOf(status), refusal: template });
      } else prepared.push({ facts, count: all.length, template });
    }
    this.#prepared.set(type, prepared);
    return prepared;
  }

  #allPrepared(): Map<QueryType, readonly Prepared[]> {
    return new Map([...this.#earlier, ...this.#prepared]);
  }
}

function sameHeader(a: FactorySnapshot, b: FactorySnapshot): boolean {
  return a.space === b.space && a.site === b.site && a.factory === b.factory && a.vacVersion === b.vacVersion;
}

function sameFacts(a: Facts, b: Facts): boolean {
  const [one, other] = [a, b] as unknown as Readonly<Record<string, unknown>>[];
  for (const key in one) if (one[key] !== other![key]) return false;
  return true;
}

function factsOf(snapshot: FactorySnapshot, type: QueryType): readonly Facts[] {
  switch (type) {
    case 'machines_query':
      return snapshot.machines;
    case 'machinetypes_query':
      return snapshot.machinetypes;
    case 'factory_query':
      return [snapshot.facts];
  }
}

/** The message with a cookie and a time that stand for the asker's. */
function statusOf(snapshot: FactorySnapshot, type: QueryType, facts: Facts, count: number): Status {
  const header: ReplyHeader = {
    vac_version: snapshot.vacVersion,
    vacquery_version: VACQUERY_VERSION,
    cookie: UNASKED_COOKIE,
    space: snapshot.space,
    site: snapshot.site,
    factory: snapshot.factory,
    time_sent: 0,
  };
  const counts = { num_machines: count, num_machinetypes: count };
  // Only what belongs to the kind of message is written. Object.assign takes a tenth of the time of spreading.
  return Object.assign({ message_type: STATUS_TYPE_OF[type] }, counts, header, facts) as Status;
}

/**
 * The reply's fixed parts. A shutdown message, which a machine wrote itself, is cut to what fits; where even that is not
 * enough, the machinegroup is left out. What then is still too large for a signature goes without one.
 */
function prepare(status: Status): Template | Extract<EncodeResult, { ok: false }> {
  const template = splitAtVariables(status);
  if ('ok' in template) return template;
  const bytes = templateBytes(template);
  if (bytes <= WANTED_TEMPLATE_BYTES) return template;
  const message = 'shutdown_message' in status ? status.shutdown_message : null;
  if (message !== null && message !== '') {
    // No character is less than one byte: this cuts too little at times, never too much.
    const kept = Math.min(message.length, MAX_TEXT_CHARACTERS) - Math.ceil((bytes - WANTED_TEMPLATE_BYTES) / 6);
    return prepare({ ...status, shutdown_message: message.slice(0, Math.max(0, kept)) } as Status);
  }
  // Ours alone, and no decision needs it.
  if ('machinegroup' in status && status.machinegroup !== null) return prepare({ ...status, machinegroup: null });
  if (bytes <= MAX_TEMPLATE_BYTES) return template;
  return { ok: false, reason: 'too-large', bytes, maxBytes: MAX_TEMPLATE_BYTES };
}

function splitAtVariables(status: Status): Template | Extract<EncodeResult, { field: string }> {
  const fields = encodeFields(status);
  if (!Array.isArray(fields)) return fields;
  const cookieAt = fields.findIndex(([key]) => key === 'cookie');
  const timeAt = fields.findIndex(([key]) => key === 'time_sent');
  // Each part is JSON of some fields with a bracket that does not belong there cut off.
  const head = joinFields(fields.slice(0, cookieAt)).slice(0, -1);
  const middle = joinFields(fields.slice(cookieAt + 1, timeAt)).slice(1, -1);
  const tail = joinFields(fields.slice(timeAt + 1)).slice(1);
  return {
    beforeCookie: toUtf8.encode(`${head}, "cookie": `),
    beforeTime: toUtf8.encode(`, ${middle}, "time_sent": `),
    afterTime: toUtf8.encode(`, ${tail}`),
  };
}

function templateBytes({ beforeCookie, beforeTime, afterTime }: Template): number {
  return beforeCookie.length + beforeTime.length + afterTime.length;
}

function nameOf(status: Status): string {
  if (status.message_type === 'machine_status') return status.machine;
  return status.message_type === 'machinetype_status' ? status.machinetype : status.factory;
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}
