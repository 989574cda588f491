/**
 * How long news takes to reach others, as measured in a run of the real gossip: what stands for it where a space is too
 * large, or a run too long, for each of its datagrams to be simulated.
 */

export interface SpreadDelays {
  /** From a change at its owner until another factory knows it, seconds: quantiles at equal steps, ascending. */
  readonly news: readonly number[];
  /** From a start of vacd until it has heard the space, in the same way. */
  readonly joining: readonly number[];
  readonly datagramsPerMinute: number;
  readonly bytesPerMinute: number;
  readonly heardAgeP99Seconds: number | null;
}

/** The delay at a part of all, 0 to 1. */
export function delayAt(quantiles: readonly number[], part: number): number {
  return quantiles[Math.min(quantiles.length - 1, Math.floor(part * quantiles.length))] ?? 0;
}

/** Quantiles of measured delays at equal steps; the last is the longest. */
export function quantilesOf(delays: readonly number[], steps = 1000): number[] {
  if (delays.length === 0) return [];
  const sorted = Float64Array.from(delays).sort();
  return Array.from({ length: steps }, (_, step) => {
    const at = step === steps - 1 ? sorted.length - 1 : Math.floor(((step + 0.5) / steps) * sorted.length);
    return sorted[at]!;
  });
}
