/**
 * What may be asked of a running vacd, and the check of it. Every field is checked, and one that is not known is refused:
 * a newer `vac` may mean something by it that must not be left out in silence (a time, say).
 */

import { utcTime } from '../factory/orders.js';

export type ControlRequest =
  | { readonly command: 'status' }
  | { readonly command: 'why'; readonly slot?: number; readonly machinetype?: string }
  /** Start nothing more, until `undrain` or until a time. Times are Unix seconds to come; null or left out: none. */
  | {
      readonly command: 'drain';
      readonly reason: string;
      /** Draining ends by itself then. */
      readonly untilSeconds?: number | null;
      /** Machines that run are to be gone by then. */
      readonly byTimeSeconds?: number | null;
    }
  | { readonly command: 'undrain' }
  /** Host name (short or full), slot number, or name of its directory. */
  | { readonly command: 'stop'; readonly machine: string }
  /** All machines are to be gone by then; null: the order is lifted. */
  | { readonly command: 'shutdownAt'; readonly timeSeconds: number | null }
  /** Hold a machine as it is. Names as for `stop`; also machines that are over, by the name of their directory. */
  | { readonly command: 'quarantine'; readonly machine: string; readonly who: string; readonly reason: string }
  | { readonly command: 'release'; readonly machine: string; readonly who: string; readonly destroy: boolean }
  | { readonly command: 'space' }
  | { readonly command: 'overnight' }
  /** The owner wants this host for himself until then; null: no longer. */
  | { readonly command: 'overnightPause'; readonly who: string; readonly untilSeconds: number | null };

const MAX_REASON_CHARACTERS = 200;
/** VacQuery and the files of machines have ten-digit Unix times (SPEC 3, 5); this also catches milliseconds. */
const MAX_TIME_SECONDS = 9_999_999_999;

type Check = (value: unknown, nowSeconds: number) => string | null;

/** Each says what is wrong, to follow the field's name and value; null: nothing. */
const line: Check = (value) => {
  if (typeof value !== 'string') return 'is no text';
  if (value.trim() === '') return 'is empty';
  if (/\p{Cc}/u.test(value)) return 'has control characters in it';
  return value.length > MAX_REASON_CHARACTERS ? `is longer than ${MAX_REASON_CHARACTERS} characters` : null;
};
const yesOrNo: Check = (value) => (typeof value === 'boolean' ? null : 'is neither true nor false');
const slotNumber: Check = (value) => (Number.isSafeInteger(value) && Number(value) >= 0 ? null : 'is no slot number');
const timeToCome: Check = (value, nowSeconds) => {
  if (!Number.isSafeInteger(value) || Number(value) < 0 || Number(value) > MAX_TIME_SECONDS) {
    return 'is no Unix time in seconds';
  }
  return Number(value) > nowSeconds ? null : `is past (it was ${utcTime(Number(value))}); give a time that is to come`;
};
const orNull =
  (check: Check): Check =>
  (value, nowSeconds) =>
    value === null ? null : check(value, nowSeconds);

interface Field {
  readonly check: Check;
  readonly optional?: true;
}

const FIELDS: { readonly [Command in ControlRequest['command']]: Readonly<Record<string, Field>> } = {
  status: {},
  why: { slot: { check: slotNumber, optional: true }, machinetype: { check: line, optional: true } },
  drain: {
    reason: { check: line },
    untilSeconds: { check: orNull(timeToCome), optional: true },
    byTimeSeconds: { check: orNull(timeToCome), optional: true },
  },
  undrain: {},
  stop: { machine: { check: line } },
  shutdownAt: { timeSeconds: { check: orNull(timeToCome) } },
  quarantine: { machine: { check: line }, who: { check: line }, reason: { check: line } },
  release: { machine: { check: line }, who: { check: line }, destroy: { check: yesOrNo } },
  space: {},
  overnight: {},
  overnightPause: { who: { check: line }, untilSeconds: { check: orNull(timeToCome) } },
};

/**
 * @param value what was sent, parsed
 * @throws Error that says what is wrong with it, for the asker
 */
export function checkRequest(value: unknown, nowSeconds: number): ControlRequest {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('the request is no JSON object');
  }
  const { command, ...given } = value as Record<string, unknown>;
  if (typeof command !== 'string' || !Object.hasOwn(FIELDS, command)) {
    throw new Error(`unknown command ${String(command)}; there are: ${Object.keys(FIELDS).join(', ')}`);
  }
  const fields = FIELDS[command as ControlRequest['command']];
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(fields, name)) throw new Error(`${command}: this vacd knows no field ${name}`);
  }
  for (const [name, { check, optional }] of Object.entries(fields)) {
    if (given[name] === undefined) {
      if (optional) continue;
      throw new Error(`${command}: ${name} is missing`);
    }
    const problem = check(given[name], nowSeconds);
    if (problem !== null) throw new Error(`${command}: ${name} ${JSON.stringify(given[name])} ${problem}`);
  }
  const request = value as ControlRequest;
  if (request.command === 'drain') checkDrain(request);
  return request;
}

function checkDrain({ untilSeconds = null, byTimeSeconds = null }: ControlRequest & { command: 'drain' }): void {
  if (untilSeconds === null || byTimeSeconds === null || byTimeSeconds <= untilSeconds) return;
  throw new Error(
    'drain: machines would still have to be gone when draining is over; give a later end, or an earlier time for them',
  );
}
