/**
 * Accounting for one machine, whole or month by month, exactly once whatever crashes: what is to be said is fixed in
 * the machine's ledger first, then each record of it is spooled in its order. Everything may be repeated.
 */

import type { MachineEnd, MachineRecord } from '../factory/types.js';
import type { StateLayout } from '../machines/layout.js';
import { type AccountingSite, benchmarksOf, recordText } from './formats.js';
import { accountedUntil, type Ledger, readLedger, writeLedger } from './ledger.js';
import { type Life, type Piece, piecesOfEnd, piecesUntil } from './pieces.js';
import { isAccountable, recordFileName } from './record.js';
import { isSpooled, spoolRecord } from './spool.js';

/** Step before the ledger is written, and the one after the last record is spooled, beside SPOOL_STEPS. */
export const LEDGER_STEPS = ['ledger-written', 'ledger-released'] as const;

export interface Account {
  readonly layout: StateLayout;
  readonly record: MachineRecord;
  readonly site: AccountingSite;
  readonly life: Life;
  /** Told of each step before it is done; what it throws is as a crash. */
  readonly onStep?: (name: string) => void | Promise<void>;
}

/**
 * Accounts for a machine that runs on until a month's end, with all months before it that are missing.
 *
 * @returns until when it is accounted now, Unix seconds
 */
export async function accountMonths(account: Account, untilSeconds: number): Promise<number | null> {
  const ledger = await planned(account, (before) => piecesUntil(account.life, before, untilSeconds));
  const released = await release(account, ledger);
  await account.onStep?.('ledger-released');
  await writeLedger(account.layout.machine(account.record.id), released);
  return accountedUntil(released);
}

/** Accounts for what is left of a machine that has ended; for nothing when it is not to be accounted. */
export async function accountEnd(
  account: Account,
  end: MachineEnd,
  how: { readonly byMonth: boolean; readonly nowSeconds: number },
): Promise<void> {
  const { record, life } = account;
  const point = {
    timeSeconds: end.timeSeconds,
    cpuSeconds: end.cpuSeconds,
    suspendedSeconds: end.suspendedSeconds ?? 0,
  };
  const ledger = await planned(account, async (before) => {
    const isOver = before.at(-1)?.isLast ?? false;
    // What was begun is finished: a machine of which a month is accounted has run long enough.
    const isDue = before.length > 0 || isAccountable(record, life.startedTimeSeconds, end);
    if (isOver || !isDue) return [];
    const whole = piecesOfEnd(life, before, point, { ...how, byMonth: false });
    const isTold = before.length === 0 && (await isAccountedWhole(account, whole[0]!));
    return isTold ? whole : piecesOfEnd(life, before, point, how);
  });
  await release(account, ledger);
}

/** By a vacd that kept no ledger, and died before it could go on. */
async function isAccountedWhole({ layout, record, site }: Account, piece: Piece): Promise<boolean> {
  const text = recordText({ record, site, piece, before: [] });
  return await isSpooled(layout, text, recordFileName(piece.endTimeSeconds, record.uuid));
}

async function planned(
  account: Account,
  missing: (before: readonly Piece[]) => Piece[] | Promise<Piece[]>,
): Promise<Ledger> {
  const directory = account.layout.machine(account.record.id);
  const known = await readLedger(directory);
  const pieces = await missing(known.pieces);
  if (pieces.length === 0) return known;
  const ledger = { ...known, pieces: [...known.pieces, ...pieces] };
  await account.onStep?.('ledger-written');
  await writeLedger(directory, ledger);
  return ledger;
}

/** Spools what is not known to be on its way. */
async function release({ layout, record, site, onStep }: Account, ledger: Ledger): Promise<Ledger> {
  // Without a registered site name or a benchmark the record is of no use to the receiver (SPEC 2, 10).
  const outgoing = site.gocdbSitename !== null && benchmarksOf(record).length > 0;
  for (let index = ledger.released; index < ledger.pieces.length; index += 1) {
    const piece = ledger.pieces[index]!;
    const text = recordText({ record, site, piece, before: ledger.pieces.slice(0, index) });
    const file = recordFileName(piece.endTimeSeconds, record.uuid);
    const stagedName = piece.isLast ? 'apel-record' : `apel-record-${piece.untilSeconds}`;
    await spoolRecord(layout, layout.machine(record.id), text, file, { outgoing, stagedName }, onStep);
  }
  return { ...ledger, released: ledger.pieces.length };
}
