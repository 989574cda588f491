/**
 * Which signed datagrams have been taken already: within the time that a signature is valid, each is taken once. Bounded:
 * where there are too many to remember, older times are refused as a whole.
 */

/** As many as a factory sends us in two windows at the utmost. */
const MAX_NONCES_PER_SENDER = 4_096;
const MAX_SENDERS = 16_384;

interface Sender {
  /** Nonce → when it was signed, in the order of arrival. */
  readonly nonces: Map<string, number>;
  /** Nothing that was signed by then is taken any more. */
  floorMs: number;
}

export class ReplayMemory {
  readonly #senders = new Map<string, Sender>();
  #floorMs: number;

  /** @param startMs Unix milliseconds of this process's start: what it may have taken in an earlier life is not taken again */
  constructor(
    readonly windowMs: number,
    startMs: number,
  ) {
    this.#floorMs = startMs - 1;
  }

  /**
   * Whether this is the first time. All times are Unix milliseconds; `signedMs` must be known to be in the window.
   *
   * @param sender who signed it: only holders of a key get in here
   */
  take(sender: string, nonce: string, signedMs: number, nowMs: number): boolean {
    const known = this.#senders.get(sender);
    const { nonces, floorMs } = known ?? { nonces: new Map<string, number>(), floorMs: this.#floorMs };
    if (signedMs <= floorMs || nonces.has(nonce)) return false;
    const state: Sender = { nonces, floorMs };
    // The sender who was silent for longest is the first to be forgotten.
    this.#senders.delete(sender);
    this.#senders.set(sender, state);
    nonces.set(nonce, signedMs);
    this.#trim(state, nowMs);
    if (this.#senders.size > MAX_SENDERS) this.#forgetSender();
    return true;
  }

  #trim(state: Sender, nowMs: number): void {
    for (const [nonce, signedMs] of state.nonces) {
      const isOver = signedMs < nowMs - this.windowMs;
      if (!isOver && state.nonces.size <= MAX_NONCES_PER_SENDER) return;
      state.nonces.delete(nonce);
      if (!isOver) state.floorMs = Math.max(state.floorMs, signedMs);
    }
  }

  #forgetSender(): void {
    const [name, { nonces, floorMs }] = this.#senders.entries().next().value!;
    this.#senders.delete(name);
    this.#floorMs = Math.max(this.#floorMs, floorMs, ...nonces.values());
  }
}
