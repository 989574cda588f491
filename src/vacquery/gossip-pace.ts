/** How fast a factory may send: news as they come, quickly after a quiet time, more when there is more, bounded in bytes. */

import type { GossipLimits } from './gossip-types.js';
import { TokenBucket } from './limits.js';

/** With more changes to be passed on than this, datagrams follow each other faster in proportion. */
const UNHURRIED_CHANGES = 16;
/**
 * With more than this not. Each would be passed on too seldom to get anywhere: it is comparing that then brings news, for
 * it sends each only where it is missing.
 */
const MAX_CHANGES = 256;
/** Each change that waits beyond the unhurried ones delays our own by so much. */
const DELAY_PER_CHANGE_MS = 20;
/** After a quiet time so many datagrams may follow each other quickly: a single change is all around in a moment. */
const QUICK_DATAGRAMS = 6;
export const QUICK_INTERVAL_MS = 200;

export class Pace {
  /** What is sent without being asked for. */
  readonly budget: TokenBucket;
  /** Of its own, so that nobody keeps us from sending by asking. */
  readonly replyBudget: TokenBucket;
  readonly #limits: GossipLimits;
  #quickCredit = QUICK_DATAGRAMS;
  #lastNewsMs: number;

  constructor(limits: GossipLimits, nowMs: number) {
    const { bytesPerSecond, burstBytes } = limits;
    this.#limits = limits;
    this.#lastNewsMs = nowMs;
    this.budget = new TokenBucket(bytesPerSecond, burstBytes, nowMs);
    this.replyBudget = new TokenBucket(bytesPerSecond, burstBytes, nowMs);
  }

  /** There are more changes than can be passed on, as when the whole space fills at once. */
  isFlooded(changes: number): boolean {
    return changes > MAX_CHANGES;
  }

  /**
   * How long our own news waits for more that comes with it: the longer, the more there is of others. When all change at
   * once, each is to tell what came of it, and not each step.
   */
  ownDelayMs(changes: number): number {
    const { announceDelayMs, busyAnnounceDelayMs } = this.#limits;
    const delayMs = (changes - 4 * UNHURRIED_CHANGES) * DELAY_PER_CHANGE_MS;
    return Math.min(busyAnnounceDelayMs, Math.max(announceDelayMs, delayMs));
  }

  /**
   * News was sent. How long to wait before more.
   *
   * @param changes how many are being spread
   */
  newsPauseMs(changes: number, nowMs: number): number {
    const haste = this.isFlooded(changes) ? 1 : Math.max(1, changes / UNHURRIED_CHANGES);
    const intervalMs = this.#limits.newsIntervalMs / haste;
    this.#quickCredit = Math.min(QUICK_DATAGRAMS, this.#quickCredit + (nowMs - this.#lastNewsMs) / intervalMs) - 1;
    this.#lastNewsMs = nowMs;
    return this.#quickCredit >= 1 ? Math.min(QUICK_INTERVAL_MS, intervalMs) : intervalMs;
  }
}
