/** Who does not gossip (now) and has to be polled by 01.03: the predecessor's factories, and those that have fallen silent. */

/** One that did not answer a poll either is polled again after this, then after twice as long, and so on. */
const FIRST_RETRY_MS = 30_000;
const MAX_RETRY_MS = 600_000;

interface Polled {
  answered: boolean;
  retryMs: number;
  nextMs: number;
}

export class LegacyPeers {
  readonly #polled = new Map<string, Polled>();

  /** Whether to poll it now. */
  isDue(factory: string, nowMs: number): boolean {
    const polled = this.#polled.get(factory);
    return polled === undefined || polled.answered || nowMs >= polled.nextMs;
  }

  /** Whether it is known to answer 01.03. */
  isKnown(factory: string): boolean {
    return this.#polled.get(factory)?.answered ?? false;
  }

  note(factory: string, answered: boolean, nowMs: number): void {
    const known = this.#polled.get(factory);
    // The first silent poll of one that answered before may be bad luck.
    const retryMs =
      answered || known === undefined || known.answered ? FIRST_RETRY_MS : Math.min(known.retryMs * 2, MAX_RETRY_MS);
    this.#polled.set(factory, { answered, retryMs, nextMs: nowMs + retryMs });
  }

  /** It gossips. */
  forget(factory: string): void {
    this.#polled.delete(factory);
  }

  retain(factories: ReadonlySet<string>): void {
    for (const factory of this.#polled.keys()) if (!factories.has(factory)) this.#polled.delete(factory);
  }
}
