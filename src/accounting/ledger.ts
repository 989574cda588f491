/**
 * What a machine's records say, kept in its directory (`accounted.json`): written before the first of them is, so that
 * they are the same ones however often vacd dies on the way, whatever it would find out later.
 */

import { join } from 'node:path';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import type { Piece } from './pieces.js';

export const LEDGER = 'accounted.json';

export interface Ledger {
  readonly pieces: readonly Piece[];
  /** How many of them, from the first, are known to be on their way. */
  readonly released: number;
}

export const EMPTY_LEDGER: Ledger = { pieces: [], released: 0 };

/** The version of the file's form. */
const VERSION = 1;

const PIECE_FIELDS: Readonly<Record<keyof Piece, 'number' | 'boolean'>> = {
  startTimeSeconds: 'number',
  endTimeSeconds: 'number',
  untilSeconds: 'number',
  wallSeconds: 'number',
  cpuSeconds: 'number',
  suspendedSeconds: 'number',
  isLast: 'boolean',
};

/** @throws Error when the file cannot be understood: better no record than a second one for the same use */
export async function readLedger(machineDirectory: string): Promise<Ledger> {
  const path = join(machineDirectory, LEDGER);
  const text = await readTextIfThere(path);
  if (text === null) return EMPTY_LEDGER;
  try {
    return parseLedger(text);
  } catch (error) {
    throw new Error(
      `${path} does not say what was accounted (${(error as Error).message}); compare with the archive, then correct or remove it`,
      { cause: error },
    );
  }
}

export async function writeLedger(machineDirectory: string, ledger: Ledger): Promise<void> {
  await writeFileAtomic(
    join(machineDirectory, LEDGER),
    `${JSON.stringify({ version: VERSION, ...ledger }, null, 1)}\n`,
  );
}

/** Until when a machine is accounted (Unix seconds): the end of its last piece that is on its way; null: not at all. */
export function accountedUntil({ pieces, released }: Ledger): number | null {
  return pieces[released - 1]?.untilSeconds ?? null;
}

function parseLedger(text: string): Ledger {
  const value = JSON.parse(text) as Partial<Ledger & { version: number }> | null;
  if (value?.version !== VERSION || !Array.isArray(value.pieces)) throw new Error(`it is not of version ${VERSION}`);
  for (const piece of value.pieces as readonly Record<string, unknown>[]) {
    for (const [field, type] of Object.entries(PIECE_FIELDS)) {
      if (typeof piece?.[field] !== type) throw new Error(`a piece has ${field} = ${JSON.stringify(piece?.[field])}`);
    }
  }
  const { pieces, released } = value as Ledger;
  if (!Number.isInteger(released) || released < 0 || released > pieces.length)
    throw new Error(`released is ${released}`);
  return { pieces, released };
}
