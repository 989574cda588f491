/** How fast a factory may send: news as they come, quickly after a quiet time, more when there is more, bounded in bytes. */

import type { GossipLimits } from './gossip-types.js';
import { TokenBucket } from './limits.js';

/** With more changes to be passed on than this, datagrams follow each other faster in proportion, up to `MAX_HASTE`. */
const UNHURRIED_CHANGES = 16;
const MAX_HASTE = 16;
/** After a quiet time so many datagrams may follow each other quickly: a single change is all around in a moment. */
const QUICK_DATAGRAMS = 6;
export const QUICK_INTERVAL_MS = 200;

export class Pace {
  /** What is sent without being asked for. */
  readonly budget: TokenBucket;
  /** Of its own, so that nobody keeps us from sending by asking. */
  readonly replyBudget: TokenBucket;
  readonly #newsIntervalMs: number;
  #quickCredit = QUICK_DATAGRAMS;
  #lastNewsMs: number;

  constructor({ newsIntervalMs, bytesPerSecond, burstBytes }: GossipLimits, nowMs: number) {
    this.#newsIntervalMs = newsIntervalMs;
    this.#lastNewsMs = nowMs;
    this.budget = new TokenBucket(bytesPerSecond, burstBytes, nowMs);
    this.replyBudget = new TokenBucket(bytesPerSecond, burstBytes, nowMs);
  }

  /**
   * News was sent. How long to wait before more.
   *
   * @param changes how many are being spread
   */
  newsPauseMs(changes: number, nowMs: number): number {
    const intervalMs = this.#newsIntervalMs / Math.min(MAX_HASTE, Math.max(1, changes / UNHURRIED_CHANGES));
    this.#quickCredit = Math.min(QUICK_DATAGRAMS, this.#quickCredit + (nowMs - this.#lastNewsMs) / intervalMs) - 1;
    this.#lastNewsMs = nowMs;
    return this.#quickCredit >= 1 ? Math.min(QUICK_INTERVAL_MS, intervalMs) : intervalMs;
  }
}
