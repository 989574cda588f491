/** A running digest of all that happens in a run: two runs with one digest were the same, event by event. */

export type TraceKind =
  | 'create'
  | 'started'
  | 'refused'
  | 'ended'
  | 'cleared'
  | 'crash'
  | 'restart'
  | 'domains'
  | 'zombie';

const KINDS: readonly TraceKind[] = [
  'create',
  'started',
  'refused',
  'ended',
  'cleared',
  'crash',
  'restart',
  'domains',
  'zombie',
];

export class Trace {
  #low = 0x811c9dc5;
  #high = 0x9e3779b9;
  #events = 0;
  /** Told of each event as a line, for people who look for the difference of two runs. */
  onEvent: ((line: string) => void) | null = null;

  add(kind: TraceKind, nowMs: number, factory: number, detail: number): void {
    this.#events += 1;
    this.#mix(KINDS.indexOf(kind));
    this.#mix(Math.floor(nowMs * 1000));
    this.#mix(factory);
    this.#mix(detail);
    this.onEvent?.(`${(nowMs / 1000).toFixed(3)} factory ${factory} ${kind} ${detail}`);
  }

  get events(): number {
    return this.#events;
  }

  /** 16 hexadecimal digits. */
  digest(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, '0');
    return hex(this.#high) + hex(this.#low);
  }

  #mix(value: number): void {
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul((this.#high << 5) ^ (this.#high >>> 2) ^ value ^ Math.floor(value / 2 ** 32), 0x85ebca6b);
  }
}
