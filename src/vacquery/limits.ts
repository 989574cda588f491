/** Bounds on what others can make this factory do: bytes per second, and lines of complaint per minute. */

/**
 * A budget of bytes that refills steadily. It is spent as long as anything is left, into debt if need be, so that an
 * answer larger than the budget is late but not impossible.
 */
export class TokenBucket {
  #tokens: number;
  #filledMs: number;

  constructor(
    readonly perSecond: number,
    readonly burst: number,
    nowMs: number,
  ) {
    this.#tokens = burst;
    this.#filledMs = nowMs;
  }

  /** Whether anything is left. */
  has(nowMs: number): boolean {
    const passedMs = Math.max(0, nowMs - this.#filledMs);
    this.#tokens = Math.min(this.burst, this.#tokens + (passedMs * this.perSecond) / 1000);
    this.#filledMs = nowMs;
    return this.#tokens > 0;
  }

  spend(amount: number): void {
    this.#tokens -= amount;
  }
}

/** A map that forgets what was used least recently once it is full, so that strangers cannot make it grow. */
export class BoundedMap<V> {
  readonly #map = new Map<string, V>();

  constructor(readonly maxEntries: number) {}

  get size(): number {
    return this.#map.size;
  }

  getOrCreate(key: string, create: () => V): V {
    const known = this.#map.get(key);
    const value = known ?? create();
    if (known !== undefined) this.#map.delete(key);
    else if (this.#map.size >= this.maxEntries) this.#map.delete(this.#map.keys().next().value!);
    this.#map.set(key, value);
    return value;
  }
}

export interface RefusalReport<R extends string> {
  /** Address that the datagrams came from. */
  readonly source: string;
  readonly reason: R;
  /** How many were refused since the last report of this source and reason. */
  readonly count: number;
  /** The key that was wrong in the last one, if it was one key. */
  readonly field: string | null;
}

export interface RefusalLimits {
  readonly periodMs: number;
  /** Sources and reasons remembered at one time. */
  readonly maxRemembered: number;
  /** Of all sources together: forged addresses must not fill the log. */
  readonly maxReportsPerPeriod: number;
}

export const REFUSAL_LIMITS: RefusalLimits = { periodMs: 600_000, maxRemembered: 1_024, maxReportsPerPeriod: 20 };

/** Counts refusals by reason, and reports each source and reason at most once per period. */
export class RefusalLog<R extends string> {
  readonly #counts = new Map<R, number>();
  readonly #remembered: BoundedMap<{ count: number; reportedMs: number }>;
  #periodStartMs = Number.NEGATIVE_INFINITY;
  #reportsInPeriod = 0;

  constructor(
    readonly report: (refusal: RefusalReport<R>) => void,
    readonly limits: RefusalLimits = REFUSAL_LIMITS,
  ) {
    this.#remembered = new BoundedMap(limits.maxRemembered);
  }

  /** All refusals so far, reported or not. */
  get counts(): ReadonlyMap<R, number> {
    return this.#counts;
  }

  add(source: string, reason: R, nowMs: number, field: string | null = null): void {
    this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + 1);
    const entry = this.#remembered.getOrCreate(`${reason} ${source}`, () => ({
      count: 0,
      reportedMs: Number.NEGATIVE_INFINITY,
    }));
    entry.count += 1;
    if (nowMs < entry.reportedMs + this.limits.periodMs || !this.#mayReport(nowMs)) return;
    this.report({ source, reason, count: entry.count, field });
    entry.count = 0;
    entry.reportedMs = nowMs;
  }

  #mayReport(nowMs: number): boolean {
    if (nowMs >= this.#periodStartMs + this.limits.periodMs) {
      this.#periodStartMs = nowMs;
      this.#reportsInPeriod = 0;
    }
    this.#reportsInPeriod += 1;
    return this.#reportsInPeriod <= this.limits.maxReportsPerPeriod;
  }
}
