/**
 * Owners of desktops, as plausible as a seeded generator can make them: office hours with pauses, meetings and lunch, early
 * birds, evenings and weekends at the desk, ssh from home, and programs of theirs that compute at night.
 */

import { between, draw, normal, type Rng } from './random.js';

/** `[start, end)`, seconds from the beginning of the run, a Monday at midnight. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface OwnerWeek {
  /** Keys and mouse at the desk; pauses of a minute and more are between spans. */
  readonly desk: readonly Span[];
  /** The same over ssh. */
  readonly remote: readonly Span[];
  /** Programs of the owner's that use most of the CPU. */
  readonly programs: readonly Span[];
  /** When the owner sits at the desk, reading too. */
  readonly present: readonly Span[];
}

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

/** How long somebody types and moves the mouse, and then does not, while at the desk. */
const BURST = { median: 6 * MINUTE, sigma: 0.8, min: 20, max: 40 * MINUTE };
const PAUSE = { median: 2 * MINUTE, sigma: 0.9, min: MINUTE, max: 25 * MINUTE };

export function ownerWeek(rng: Rng, days: number): OwnerWeek {
  const usualStart = 8.8 * HOUR + 40 * MINUTE * normal(rng) - (rng() < 0.1 ? 2 * HOUR : 0);
  const worksAtNight = rng() < 0.1;
  const present: Span[] = [];
  const remote: Span[] = [];
  const programs: Span[] = [];
  for (let day = 0; day < days; day++) {
    const midnight = day * DAY;
    const isWorkday = day % 7 < 5;
    const at = (start: number, seconds: number): Span => ({ start: midnight + start, end: midnight + start + seconds });
    if (isWorkday && rng() > 0.06) present.push(...workday(rng, midnight, usualStart));
    else if (rng() < 0.1) present.push(at(between(rng, 9, 18) * HOUR, between(rng, 1, 4) * HOUR));
    if (rng() < 0.05) present.push(at(between(rng, 20, 23) * HOUR, between(rng, 15, 80) * MINUTE));
    if (rng() < 0.1) remote.push(at(between(rng, 19.5, 23) * HOUR, between(rng, 5, 60) * MINUTE));
    if (worksAtNight && rng() < 0.6) programs.push(at(between(rng, 18, 28) * HOUR, between(rng, 1, 6) * HOUR));
  }
  const sitting = sorted(present);
  return {
    present: sitting,
    desk: sitting.flatMap((span) => bursts(rng, span)),
    remote: sorted(remote),
    programs: sorted(programs),
  };
}

/** From arrival to going home, without lunch and meetings. */
function workday(rng: Rng, midnight: number, usualStart: number): Span[] {
  const start = midnight + usualStart + 15 * MINUTE * normal(rng);
  const end = Math.max(start + HOUR, midnight + 17.7 * HOUR + HOUR * normal(rng));
  const away: Span[] = [];
  const leave = (from: number, seconds: number) => away.push({ start: from, end: from + seconds });
  leave(midnight + 12.25 * HOUR + 20 * MINUTE * normal(rng), between(rng, 25, 70) * MINUTE);
  for (let meetings = Math.floor(rng() * 4); meetings > 0; meetings--) {
    leave(between(rng, start, end), between(rng, 20, 100) * MINUTE);
  }
  const parts: Span[] = [];
  let from = start;
  for (const gap of sorted(away)) {
    if (gap.start > from) parts.push({ start: from, end: Math.min(gap.start, end) });
    from = Math.max(from, gap.end);
  }
  if (from < end) parts.push({ start: from, end });
  return parts.filter((part) => part.end - part.start > MINUTE);
}

function bursts(rng: Rng, { start, end }: Span): Span[] {
  const spans: Span[] = [];
  for (let from = start; from < end; ) {
    const to = Math.min(end, from + draw(BURST, rng));
    spans.push({ start: from, end: to });
    from = to + draw(PAUSE, rng);
  }
  return spans;
}

/** In order, and without overlaps. */
function sorted(spans: readonly Span[]): Span[] {
  const whole: { start: number; end: number }[] = [];
  for (const { start, end } of [...spans].sort((a, b) => a.start - b.start)) {
    const last = whole.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else whole.push({ start, end });
  }
  return whole.filter(({ end }) => end > 0);
}

/** Looks spans up at moments that only go forward. */
export class SpanCursor {
  private at = 0;

  constructor(private readonly spans: readonly Span[]) {}

  /** Whether one holds now and since when, when that changes, and how long ago the last one ended (0 within one). */
  look(now: number): {
    readonly inside: boolean;
    readonly since: number;
    readonly changesAt: number;
    readonly agoSeconds: number;
  } {
    while (this.at < this.spans.length && this.spans[this.at]!.end <= now) this.at += 1;
    const next = this.spans[this.at];
    const last = this.spans[this.at - 1];
    const inside = next !== undefined && next.start <= now;
    const changesAt = inside ? next.end : (next?.start ?? Number.POSITIVE_INFINITY);
    const since = inside ? next.start : Number.NEGATIVE_INFINITY;
    // Before the first one nobody was there for days.
    return { inside, since, changesAt, agoSeconds: inside ? 0 : now - (last?.end ?? -7 * DAY) };
  }
}
