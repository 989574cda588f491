/** Time as the sockets' side of the protocol needs it: a clock that never jumps, and a call back later. */
export interface Clock {
  /** Milliseconds on a steady clock. */
  nowMs(): number;
  /** Calls `run` once, at `atMs` or as soon as possible after. Returns what cancels it. */
  at(atMs: number, run: () => void): () => void;
}
