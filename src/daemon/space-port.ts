/** The protocol's port: opened for the member of the space, and tried again for as long as another program has it. */

import type { MemberProcess } from '../space/member-process.js';
import type { Clock } from '../vacquery/index.js';
import type { Logger } from './log.js';

/** A port that is taken is tried again after this. */
const RETRY_MS = 30_000;

export interface SpacePortParts {
  readonly process: MemberProcess;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether it is open, or why not, has changed. */
  readonly onChange: () => void;
}

export class SpacePort {
  isOpen = false;
  /** Why it is not; null: it is, or was not tried yet. */
  problem: string | null = null;
  private cancelRetry = () => {};
  private closed = false;

  constructor(private readonly parts: SpacePortParts) {}

  /** @throws VacError as `MemberProcess.openPort` */
  async open(): Promise<void> {
    await this.parts.process.openPort();
    this.isOpen = true;
  }

  /** After `open` has failed: tries again from now on. Meanwhile the member asks others without it. */
  async retry(error: Error): Promise<void> {
    const { log, process } = this.parts;
    log.warn(`VacQuery is not answered; tried again every ${RETRY_MS / 1000} s: ${error.message}`);
    this.retryLater(error);
    await process.begin().catch((problem: Error) => log.error(`VacQuery is not spoken: ${problem.message}`));
  }

  close(): void {
    this.closed = true;
    this.cancelRetry();
  }

  private retryLater({ message }: Error): void {
    const { clock, log, onChange } = this.parts;
    this.problem = message;
    onChange();
    this.cancelRetry = clock.at(clock.nowMs() + RETRY_MS, () => {
      this.open().then(
        () => {
          this.problem = null;
          if (this.closed) return;
          log.info('VacQuery is answered now');
          onChange();
        },
        (error: Error) => {
          if (!this.closed) this.retryLater(error);
        },
      );
    });
  }
}
