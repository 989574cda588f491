/** Lines of the member (space/member.ts) for vacd's log: bounded in number, as a member that was taken over may write. */

import type { LogLevel } from '../space/messages.js';
import type { Clock } from '../vacquery/index.js';
import { TokenBucket } from '../vacquery/limits.js';
import type { Logger } from './log.js';

/** A space of a thousand names that do not resolve is told of in a minute or two; a flood is not. */
const LINES_PER_SECOND = 5;
const LINES_AT_ONCE = 200;

export class MemberLogLines {
  private readonly budget: TokenBucket;
  private left = 0;

  constructor(
    private readonly log: Logger,
    private readonly clock: Clock,
  ) {
    this.budget = new TokenBucket(LINES_PER_SECOND, LINES_AT_ONCE, clock.nowMs());
  }

  /** @param text one line, already checked */
  write(level: LogLevel, text: string): void {
    if (!this.budget.has(this.clock.nowMs())) {
      this.left += 1;
      return;
    }
    this.budget.spend(1);
    if (this.left > 0) this.log.warn(`VacQuery: ${this.left} more lines were left out, as they came too fast`);
    this.left = 0;
    this.log[level](text);
  }
}
