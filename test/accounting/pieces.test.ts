import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Piece, piecesOfEnd, piecesUntil, sumOf, type UsePoint } from '../../src/accounting/pieces.js';
import { monthEndsBetween, monthName, monthStart } from '../../src/factory/months.js';

const at = (text: string) => Date.parse(`${text}Z`) / 1000;
const OCTOBER_30 = at('2026-10-30T12:00:00');
const NOVEMBER = at('2026-11-01T00:00:00');
const DECEMBER = at('2026-12-01T00:00:00');
const point = (timeSeconds: number, cpuSeconds: number, suspendedSeconds = 0): UsePoint => ({
  timeSeconds,
  cpuSeconds,
  suspendedSeconds,
});
const life = (...points: UsePoint[]) => ({ startedTimeSeconds: OCTOBER_30, points });
const by = (byMonth: boolean, nowSeconds = at('2027-06-01T00:00:00')) => ({ byMonth, nowSeconds });

describe('a machine that has ended', () => {
  it('is one piece when months do not matter', () => {
    const end = point(DECEMBER + 10, 1234.4);
    expect(piecesOfEnd(life(), [], end, by(false))).toEqual([
      {
        startTimeSeconds: OCTOBER_30,
        endTimeSeconds: DECEMBER + 10,
        untilSeconds: DECEMBER + 10,
        wallSeconds: DECEMBER + 10 - OCTOBER_30,
        cpuSeconds: 1234,
        suspendedSeconds: 0,
        isLast: true,
      },
    ]);
  });

  it('is divided where months end; each piece but the last ends, for a receiver, within its month', () => {
    const pieces = piecesOfEnd(
      life(point(NOVEMBER, 100), point(DECEMBER, 500)),
      [],
      point(DECEMBER + 3600, 510),
      by(true),
    );
    expect(pieces.map(({ endTimeSeconds }) => endTimeSeconds)).toEqual([NOVEMBER - 1, DECEMBER - 1, DECEMBER + 3600]);
    expect(pieces.map(({ startTimeSeconds }) => startTimeSeconds)).toEqual([OCTOBER_30, NOVEMBER, DECEMBER]);
    expect(pieces.map(({ wallSeconds }) => wallSeconds)).toEqual([36 * 3600, 30 * 86_400, 3600]);
    expect(pieces.map(({ cpuSeconds }) => cpuSeconds)).toEqual([100, 400, 10]);
    expect(pieces.map(({ isLast }) => isLast)).toEqual([false, false, true]);
  });

  it('counts in the old month when it ends with it', () => {
    const [piece, ...others] = piecesOfEnd(life(), [], point(NOVEMBER, 5), by(true));
    expect(piece).toMatchObject({ endTimeSeconds: NOVEMBER - 1, wallSeconds: 36 * 3600, cpuSeconds: 5, isLast: true });
    expect(others).toEqual([]);
  });

  it('has nothing left to tell when it ended with a month that is accounted', () => {
    const before = piecesUntil(life(point(NOVEMBER, 7)), [], NOVEMBER);
    expect(piecesOfEnd(life(), before, point(NOVEMBER, 7), by(true))).toEqual([]);
  });

  it('finishes by month what was begun so, and takes CPU between two looks to be even', () => {
    const before = piecesUntil(life(point(NOVEMBER - 100, 10), point(NOVEMBER + 300, 30)), [], NOVEMBER);
    expect(before.map(({ cpuSeconds }) => cpuSeconds)).toEqual([15]);
    const rest = piecesOfEnd(life(), before, point(NOVEMBER + 1000, 44), by(false));
    expect(rest).toMatchObject([{ startTimeSeconds: NOVEMBER, wallSeconds: 1000, cpuSeconds: 29 }]);
  });

  it('did not work while it was suspended', () => {
    const points = [point(NOVEMBER, 0, 3600)];
    const pieces = piecesOfEnd(life(...points), [], point(NOVEMBER + 86_400, 0, 3600 + 400), by(true));
    expect(pieces.map(({ wallSeconds }) => wallSeconds)).toEqual([35 * 3600, 86_000]);
    expect(pieces.map(({ suspendedSeconds }) => suspendedSeconds)).toEqual([3600, 400]);
  });

  it('does not end in the future, however the clock stood', () => {
    const now = OCTOBER_30 - 86_400;
    const [piece] = piecesOfEnd(life(), [], point(OCTOBER_30 + 3600, 60), by(true, now));
    expect(piece).toMatchObject({ startTimeSeconds: now, endTimeSeconds: now, wallSeconds: 3600, cpuSeconds: 60 });
  });

  it('has records that a receiver tells apart, also where the clock was months ahead', () => {
    const now = OCTOBER_30 + 60;
    const before = piecesUntil(life(), [], NOVEMBER).map((piece) => ({ ...piece, endTimeSeconds: now - 1 }));
    for (const known of [[], before]) {
      const pieces = piecesOfEnd(life(), known, point(DECEMBER + 3600, 60), by(true, now));
      const ends = [...known, ...pieces].map(({ endTimeSeconds }) => endTimeSeconds);
      expect(new Set(ends).size).toBe(3);
      expect(Math.max(...ends)).toBe(now);
      expect(pieces.every((piece) => piece.startTimeSeconds <= piece.endTimeSeconds)).toBe(true);
    }
  });
});

describe('property', () => {
  const YEAR = 365 * 86_400;
  const start = fc.integer({ min: 1_600_000_000, max: 1_800_000_000 });
  const lengths = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });

  it('the parts are the whole, whatever is known, and whenever they were written', () => {
    fc.assert(
      fc.property(
        start,
        fc.integer({ min: 0, max: YEAR }),
        lengths,
        lengths,
        fc.double({ min: 0, max: 64, noNaN: true }),
        (startedTimeSeconds, seconds, looks, written, cpus) => {
          const endTime = startedTimeSeconds + seconds;
          // Any monotone use: CPU runs faster later, and it is suspended for a third of its time.
          const used = (time: number) =>
            point(time, ((time - startedTimeSeconds) ** 2 / YEAR) * cpus, (time - startedTimeSeconds) / 3);
          const whole = { startedTimeSeconds, points: looks.map((part) => used(startedTimeSeconds + part * seconds)) };
          const end = used(endTime);
          let pieces: Piece[] = [];
          for (const part of [...written].sort()) {
            // It is looked at when a month is written, so what is known then reaches over the month's end.
            const look = startedTimeSeconds + part * seconds;
            const points = [...whole.points.filter(({ timeSeconds }) => timeSeconds <= look), used(look)];
            pieces = [...pieces, ...piecesUntil({ ...whole, points }, pieces, monthStart(look))];
          }
          pieces = [...pieces, ...piecesOfEnd(whole, pieces, end, { byMonth: true, nowSeconds: endTime })];
          const sum = sumOf(pieces);
          expect(sum.wallSeconds + sum.suspendedSeconds).toBe(seconds);
          expect(sum.cpuSeconds).toBe(Math.round(end.cpuSeconds));
          expect(sum.suspendedSeconds).toBe(Math.round(end.suspendedSeconds));
          expect(pieces.length).toBe(monthEndsBetween(startedTimeSeconds, endTime).length + 1);
          for (const [index, piece] of pieces.entries()) {
            expect(piece.startTimeSeconds).toBe(pieces[index - 1]?.untilSeconds ?? startedTimeSeconds);
            expect(piece.endTimeSeconds).toBeGreaterThanOrEqual(piece.startTimeSeconds);
            // All of it happened in the month that a receiver puts it to.
            expect(monthName(piece.endTimeSeconds)).toBe(monthName(piece.startTimeSeconds));
          }
        },
      ),
    );
  });
});
