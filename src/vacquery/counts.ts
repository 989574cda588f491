/** Datagrams by kind, for those who watch a factory: how many came, went, and were not believed or answered. */

export interface DatagramCounts {
  /** By `message_type`; only what was answered or believed. */
  readonly received: ReadonlyMap<string, number>;
  readonly sent: ReadonlyMap<string, number>;
  /** What came and was turned away, by reason. */
  readonly refused: ReadonlyMap<string, number>;
}

/** One more, or `by` more, of what `key` names. */
export function count<K>(counts: Map<K, number>, key: K, by = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

/** The sums of several parts' counts. */
export function addCounts(...parts: readonly DatagramCounts[]): DatagramCounts {
  const sum = {
    received: new Map<string, number>(),
    sent: new Map<string, number>(),
    refused: new Map<string, number>(),
  };
  for (const part of parts) {
    for (const direction of ['received', 'sent', 'refused'] as const) {
      for (const [key, number] of part[direction]) count(sum[direction], key, number);
    }
  }
  return sum;
}
