/** Polls over a transport, one after the other: joins `PollExchange` to a socket and a clock. */

import type { Clock } from './clock.js';
import { type PeerAnswer, PollExchange, type PollOptions } from './exchange.js';
import type { QueryType, StatusOf } from './messages.js';
import type { Transport } from './transport.js';

export class Poller {
  #current: { receive(datagram: Uint8Array, address: string): void; stop(): void } | null = null;

  /** @param transport of its own, closed with the poller: a port that a responder listens on gets queries, too */
  constructor(
    readonly transport: Transport,
    readonly clock: Clock,
  ) {
    transport.onDatagram((datagram, { address }) => this.#current?.receive(datagram, address));
  }

  /**
   * Asks the peers and resolves as soon as all that live have answered, or the time is up; never rejects. Answers that
   * come after that, until the next poll, still bring dead peers back. A poll under way is ended by the next.
   */
  poll<Q extends QueryType>(options: PollOptions<Q>): Promise<PeerAnswer<StatusOf<Q>>[]> {
    this.#current?.stop();
    const { clock, transport } = this;
    const exchange = new PollExchange(options, clock.nowMs());
    return new Promise((resolve) => {
      let cancelWake = () => {};
      const step = (): void => {
        cancelWake();
        for (const { datagram, address, port } of exchange.due(clock.nowMs())) transport.send(datagram, address, port);
        if (exchange.isOver(clock.nowMs())) resolve(exchange.answers());
        const { nextWakeMs } = exchange;
        cancelWake = nextWakeMs === null ? () => {} : clock.at(nextWakeMs, step);
      };
      this.#current = {
        receive: (datagram, address) => {
          const nowMs = clock.nowMs();
          exchange.receive(datagram, address, nowMs);
          if (exchange.isOver(nowMs)) resolve(exchange.answers());
        },
        stop: () => {
          cancelWake();
          resolve(exchange.answers());
        },
      };
      step();
    });
  }

  async close(): Promise<void> {
    this.#current?.stop();
    this.#current = null;
    await this.transport.close();
  }
}
