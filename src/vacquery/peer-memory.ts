/**
 * Which peers are dead or lame, remembered from one poll to the next. A dead peer is never waited for; it gets one query
 * now and then, and is alive again with its first answer. A lame one answers, but never with all that it has (a status
 * that is too large for its network, or not valid): it is waited for shortly.
 */

export interface PeerMemoryOptions {
  /** A dead peer is asked once in so many milliseconds. */
  readonly probeIntervalMs: number;
  /** A peer is dead after so many polls in a row without any answer. */
  readonly silentPollsUntilDead: number;
  /** A peer is lame after so many polls in a row with a part of its answer. */
  readonly partialPollsUntilLame: number;
}

/** One silent poll asks many times (see `PollExchange`); a peer that misses them all by bad luck is back at its probe. */
export const PEER_MEMORY_OPTIONS: PeerMemoryOptions = {
  probeIntervalMs: 30_000,
  silentPollsUntilDead: 1,
  partialPollsUntilLame: 2,
};

interface Remembered {
  silentPolls: number;
  partialPolls: number;
  deadSinceMs: number | null;
  lastAskedMs: number;
  lastHeardMs: number | null;
  lastAddress: string | null;
}

export class PeerMemory {
  readonly #peers = new Map<string, Remembered>();

  constructor(readonly options: PeerMemoryOptions = PEER_MEMORY_OPTIONS) {}

  isDead(factory: string): boolean {
    return this.deadSinceMs(factory) !== null;
  }

  isLame(factory: string): boolean {
    return (this.#peers.get(factory)?.partialPolls ?? 0) >= this.options.partialPollsUntilLame;
  }

  /** When it was found dead, on the clock of the polls; null: it is not. */
  deadSinceMs(factory: string): number | null {
    return this.#peers.get(factory)?.deadSinceMs ?? null;
  }

  /** When it last answered, or was heard of otherwise; null: never. */
  lastHeardMs(factory: string): number | null {
    return this.#peers.get(factory)?.lastHeardMs ?? null;
  }

  /** Whether a dead peer may be asked again already. */
  isProbeDue(factory: string, nowMs: number): boolean {
    const peer = this.#peers.get(factory);
    return peer === undefined || nowMs >= peer.lastAskedMs + this.options.probeIntervalMs;
  }

  /** A poll that began at `pollStartMs` asked it: polls and probes then keep in step. */
  asked(factory: string, pollStartMs: number): void {
    this.#get(factory).lastAskedMs = pollStartMs;
  }

  /** It lives: its answer came, or a query of its own. */
  heard(factory: string, nowMs: number): void {
    Object.assign(this.#get(factory), { silentPolls: 0, deadSinceMs: null, lastHeardMs: nowMs });
  }

  /** Its answer came from this address of its: there it is asked first from now on. */
  heardFrom(factory: string, address: string, nowMs: number): void {
    this.heard(factory, nowMs);
    this.#get(factory).lastAddress = address;
  }

  /** Null: it never answered. */
  lastAddress(factory: string): string | null {
    return this.#peers.get(factory)?.lastAddress ?? null;
  }

  /** A poll that waited for it ended with its answer, all of it or a part. */
  answered(factory: string, isComplete: boolean): void {
    const peer = this.#get(factory);
    peer.partialPolls = isComplete ? 0 : peer.partialPolls + 1;
  }

  /** A poll that waited for it ended without any answer. */
  silent(factory: string, nowMs: number): void {
    const peer = this.#get(factory);
    peer.silentPolls += 1;
    if (peer.silentPolls >= this.options.silentPollsUntilDead) peer.deadSinceMs ??= nowMs;
  }

  /** Forgets all peers that the configuration no longer names. */
  retain(factories: readonly string[]): void {
    const kept = new Set(factories);
    for (const factory of this.#peers.keys()) if (!kept.has(factory)) this.#peers.delete(factory);
  }

  #get(factory: string): Remembered {
    let peer = this.#peers.get(factory);
    if (peer === undefined) {
      peer = {
        silentPolls: 0,
        partialPolls: 0,
        deadSinceMs: null,
        lastAskedMs: Number.NEGATIVE_INFINITY,
        lastHeardMs: null,
        lastAddress: null,
      };
      this.#peers.set(factory, peer);
    }
    return peer;
  }
}
