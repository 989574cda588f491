/**
 * What a value on the wire may be. One kind reads and checks, and writes so that what is written can be read again.
 *
 * Numbers are written as deployed factories write them: a benchmark power is always a float (`42.0`), a time or a count
 * never. JSON knows no such difference; a client in a language that does finds the types that it is used to.
 */

import { MACHINE_STATES, METHOD_OF } from './messages.js';

/** Why a value is refused. */
export type FaultReason = 'wrong-type' | 'out-of-range' | 'too-long' | 'bad-name';

export class Fault {
  constructor(readonly reason: FaultReason) {}
}

const WRONG_TYPE = new Fault('wrong-type');
const OUT_OF_RANGE = new Fault('out-of-range');
const TOO_LONG = new Fault('too-long');
const BAD_NAME = new Fault('bad-name');

export interface Kind {
  /** The value, or why it is none of this kind. */
  readonly read: (value: unknown) => string | number | Fault;
  /** JSON text of a value that `read` accepts. */
  readonly write: (value: string | number) => string;
}

/** Times end with the year 2286: ten digits. */
export const MAX_TIME_SECONDS = 9_999_999_999;
/** More slots or machinetypes than any factory has: a poll must not wait for, or keep, more than this of a peer. */
export const MAX_MACHINES = 65_536;
export const MAX_MACHINETYPES = 1_024;
export const MAX_COOKIE_CHARACTERS = 128;
/** Longer free text is cut, not refused: a machine's own words must not silence its factory. */
export const MAX_TEXT_CHARACTERS = 255;
const MAX_NAME_CHARACTERS = 255;
const MAX_AMOUNT = 1e12;

function integer(max: number, min = 0): Kind {
  return {
    read: (value) => {
      if (typeof value !== 'number') return WRONG_TYPE;
      if (!Number.isInteger(value)) return Number.isFinite(value) ? WRONG_TYPE : OUT_OF_RANGE;
      // Adding 0 makes 0 of -0.
      return value >= min && value <= max ? value + 0 : OUT_OF_RANGE;
    },
    write: String,
  };
}

function readAmount(value: unknown): number | Fault {
  if (typeof value !== 'number') return WRONG_TYPE;
  return value >= 0 && value <= MAX_AMOUNT ? value + 0 : OUT_OF_RANGE;
}

/** As Python writes a float, where its exponents do not differ from ours. */
function writeFloat(value: string | number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

function name(pattern: RegExp, maxCharacters = MAX_NAME_CHARACTERS): Kind {
  return {
    read: (value) => {
      if (typeof value !== 'string') return WRONG_TYPE;
      if (value.length > maxCharacters) return TOO_LONG;
      return pattern.test(value) ? value : BAD_NAME;
    },
    write: JSON.stringify,
  };
}

/** Characters that could steer a terminal, a log or a line-based reader, and halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

export const time: Kind = integer(MAX_TIME_SECONDS);
export const machineCount: Kind = integer(MAX_MACHINES, 1);
export const machinetypeCount: Kind = integer(MAX_MACHINETYPES, 1);
export const count: Kind = integer(1_000_000);
export const size: Kind = integer(Number.MAX_SAFE_INTEGER);
export const amount: Kind = { read: readAmount, write: String };
export const float: Kind = { read: readAmount, write: writeFloat };
/** A sum that deployed factories begin at the integer 0 and add floats to. */
export const floatUnlessZero: Kind = {
  read: readAmount,
  write: (value) => (value === 0 ? '0' : writeFloat(value)),
};

/** Host names, spaces: what DNS could hold, and underscores. */
export const hostname: Kind = name(/^[A-Za-z0-9][A-Za-z0-9._-]*$/);
export const machinetypeName: Kind = name(/^[a-z0-9-]+$/, 128);
export const word: Kind = name(/^[A-Za-z0-9][A-Za-z0-9._:-]*$/, 64);
export const state: Kind = name(new RegExp(`^(?:${MACHINE_STATES.join('|')})$`));
export const method: Kind = name(new RegExp(`^(?:${Object.values(METHOD_OF).join('|')})$`));

/** Free text, one line: unprintable characters become `?`, and what is over the limit is cut off. */
export const text: Kind = {
  read: (value) => {
    if (typeof value !== 'string') return WRONG_TYPE;
    const kept = value.slice(0, MAX_TEXT_CHARACTERS);
    // Nearly all text is this, and looking for character classes of all scripts costs microseconds.
    return /^[ -~]*$/.test(kept) ? kept : kept.replace(UNPRINTABLE, '?');
  },
  write: JSON.stringify,
};

export const cookie: Kind = {
  read: (value) => {
    if (typeof value !== 'string') return WRONG_TYPE;
    return value.length > MAX_COOKIE_CHARACTERS ? TOO_LONG : value;
  },
  write: JSON.stringify,
};
