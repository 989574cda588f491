/**
 * A network that carries messages as they are, for protocols that have them apart from their datagrams. It loses,
 * doubles, delays and reorders as the library's network in memory does, and cuts what the scenario cuts.
 */

import type { NetworkFaults } from '../vacquery/memory-network.js';
import type { VirtualClock } from '../vacquery/virtual-clock.js';
import type { Cuts } from './network.js';
import type { Rng } from './random.js';

export class MessageNetwork<M> {
  sent = 0;
  sentBytes = 0;
  /** True: all that is sent is lost, and not counted. */
  isDown = false;

  constructor(
    private readonly faults: NetworkFaults,
    private readonly clock: VirtualClock,
    private readonly cuts: Cuts,
    private readonly rng: Rng,
    private readonly deliver: (from: number, to: number, message: M) => void,
  ) {}

  send(from: number, to: number, message: M, bytes: number): void {
    const { lossRate, duplicateRate, minDelayMs, maxDelayMs } = this.faults;
    if (this.isDown) return;
    this.sent += 1;
    this.sentBytes += bytes;
    const copies = duplicateRate > 0 && this.rng() < duplicateRate ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.rng() < lossRate || !this.cuts.reaches(from, to)) continue;
      const delayMs = minDelayMs + this.rng() * (maxDelayMs - minDelayMs);
      this.clock.at(this.clock.nowMs() + delayMs, () => this.deliver(from, to, message));
    }
  }
}
