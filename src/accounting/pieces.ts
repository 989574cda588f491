/**
 * A machine's life divided at the ends of months (UTC), so that its use counts where it happened. Pure.
 *
 * Receivers put a record to the month of its EndTime, so a piece that lasts to the end of a month ends, for them, with
 * the month's last second; its WallDuration counts that second too. Each piece is what was used until its end less what
 * the pieces before it say, in whole seconds: so they always add up to the whole, whatever was rounded or estimated.
 */

import { monthEndsBetween, monthStart } from '../factory/months.js';

/** What a machine had used since its start, at one moment (Unix seconds) of its life. */
export interface UsePoint {
  readonly timeSeconds: number;
  readonly cpuSeconds: number;
  /** Of the time since its start, how much it was paused. */
  readonly suspendedSeconds: number;
}

/** A stretch of a machine's life with a record of its own. Whole seconds. */
export interface Piece {
  /** StartTime of its record, Unix seconds. */
  readonly startTimeSeconds: number;
  /** EndTime of its record. */
  readonly endTimeSeconds: number;
  /** Where it ends and the next begins. */
  readonly untilSeconds: number;
  /** Time it ran, without what it was paused. */
  readonly wallSeconds: number;
  readonly cpuSeconds: number;
  readonly suspendedSeconds: number;
  /** The last one: the machine has ended. */
  readonly isLast: boolean;
}

export interface Life {
  readonly startedTimeSeconds: number;
  /** What is known of its use, in any order; between two points it is taken to have been even. */
  readonly points: readonly UsePoint[];
}

/**
 * The pieces that are missing until a month's end, for a machine that runs on.
 *
 * @param untilSeconds the first second of a month, as `monthStart` gives it
 * @param before pieces that are there already, in their order
 */
export function piecesUntil(life: Life, before: readonly Piece[], untilSeconds: number): Piece[] {
  const from = before.at(-1)?.untilSeconds ?? life.startedTimeSeconds;
  if (untilSeconds <= from) return [];
  const pieces = [...before];
  for (const end of [...monthEndsBetween(from, untilSeconds), untilSeconds]) {
    pieces.push(pieceUntil(life, pieces, end, { isLast: false, isDivided: true }));
  }
  return pieces.slice(before.length);
}

/**
 * The pieces that are missing of a machine that has ended: one, or with `byMonth` one for each month it ran in. None
 * when it ended with a month that is accounted already.
 *
 * @param nowSeconds no record ends later, whatever the clock said: receivers refuse what is in the future
 */
export function piecesOfEnd(
  life: Life,
  before: readonly Piece[],
  end: UsePoint,
  { byMonth, nowSeconds }: { readonly byMonth: boolean; readonly nowSeconds: number },
): Piece[] {
  const whole = { ...life, points: [...life.points, end] };
  const isDivided = byMonth || before.length > 0;
  const from = before.at(-1)?.untilSeconds ?? life.startedTimeSeconds;
  const lastMonthEnd = isDivided ? (monthEndsBetween(from, end.timeSeconds).at(-1) ?? from) : from;
  const months = piecesUntil(whole, before, lastMonthEnd);
  const known = [...before, ...months];
  const last = pieceUntil(whole, known, end.timeSeconds, { isLast: true, isDivided });
  const isEmpty = known.length > 0 && last.wallSeconds === 0 && last.cpuSeconds === 0;
  return notAfter([...months, ...(isEmpty ? [] : [last])], before, nowSeconds);
}

/** No piece starts or ends later than that, and none at the same moment as another: receivers would take them for one. */
function notAfter(pieces: readonly Piece[], before: readonly Piece[], nowSeconds: number): Piece[] {
  const taken = new Set(before.map(({ endTimeSeconds }) => endTimeSeconds));
  const dated = pieces.toReversed().map((piece) => {
    let endTimeSeconds = Math.min(piece.endTimeSeconds, nowSeconds);
    while (taken.has(endTimeSeconds)) endTimeSeconds -= 1;
    taken.add(endTimeSeconds);
    return { ...piece, endTimeSeconds, startTimeSeconds: Math.min(piece.startTimeSeconds, endTimeSeconds) };
  });
  return dated.toReversed();
}

/** The sum of pieces: what was used until the last of them ended. */
export function sumOf(pieces: readonly Piece[]): Pick<Piece, 'wallSeconds' | 'cpuSeconds' | 'suspendedSeconds'> {
  const sum = { wallSeconds: 0, cpuSeconds: 0, suspendedSeconds: 0 };
  for (const { wallSeconds, cpuSeconds, suspendedSeconds } of pieces) {
    sum.wallSeconds += wallSeconds;
    sum.cpuSeconds += cpuSeconds;
    sum.suspendedSeconds += suspendedSeconds;
  }
  return sum;
}

/** The piece from the end of those before until a moment. */
function pieceUntil(
  life: Life,
  before: readonly Piece[],
  untilSeconds: number,
  { isLast, isDivided }: { readonly isLast: boolean; readonly isDivided: boolean },
): Piece {
  const known = sumOf(before);
  const from = Math.min(before.at(-1)?.untilSeconds ?? life.startedTimeSeconds, untilSeconds);
  const elapsed = Math.max(0, untilSeconds - life.startedTimeSeconds);
  const suspended = Math.min(elapsed, Math.round(usedAt(life, untilSeconds, 'suspendedSeconds')));
  const isMonthsEnd = isDivided && untilSeconds > from && untilSeconds === monthStart(untilSeconds);
  let endTimeSeconds = isMonthsEnd ? untilSeconds - 1 : untilSeconds;
  // Receivers tell records of one machine apart by their EndTime.
  while (before.some((piece) => piece.endTimeSeconds === endTimeSeconds)) endTimeSeconds += 1;
  return {
    startTimeSeconds: from,
    endTimeSeconds,
    untilSeconds,
    wallSeconds: Math.max(0, elapsed - suspended - known.wallSeconds),
    cpuSeconds: Math.max(0, Math.round(usedAt(life, untilSeconds, 'cpuSeconds')) - known.cpuSeconds),
    suspendedSeconds: Math.max(0, suspended - known.suspendedSeconds),
    isLast,
  };
}

/** What had been used by a moment: by the two points around it, or by the nearest. Nothing had been at the start. */
function usedAt(life: Life, timeSeconds: number, what: 'cpuSeconds' | 'suspendedSeconds'): number {
  let earlier = { timeSeconds: life.startedTimeSeconds, used: 0 };
  let later: typeof earlier | null = null;
  for (const point of life.points) {
    const { timeSeconds: at, [what]: used } = point;
    if (at <= timeSeconds && at >= earlier.timeSeconds)
      earlier = { timeSeconds: at, used: Math.max(earlier.used, used) };
    else if (at > timeSeconds && (later === null || at < later.timeSeconds)) later = { timeSeconds: at, used };
  }
  if (later === null) return earlier.used;
  const part = (timeSeconds - earlier.timeSeconds) / (later.timeSeconds - earlier.timeSeconds);
  return earlier.used + Math.max(0, later.used - earlier.used) * part;
}
