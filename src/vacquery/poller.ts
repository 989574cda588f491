/** Polls over a transport: joins `PollExchange` to a socket and a clock. */

import type { Clock } from './clock.js';
import { count, type DatagramCounts } from './counts.js';
import { type Outgoing, type PeerAnswer, PollExchange, type PollOptions } from './exchange.js';
import { type QueryType, STATUS_TYPE_OF, type StatusOf } from './messages.js';
import type { Transport } from './transport.js';

/** A poll that goes on, or that is over and still takes late answers. */
interface Running {
  readonly exchange: PollExchange<QueryType>;
  readonly statusType: string;
  readonly stop: () => void;
  readonly resolveIfOver: () => boolean;
}

export class Poller {
  readonly #running = new Set<Running>();
  readonly #received = new Map<string, number>();
  readonly #sent = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  /** @param transport of its own, closed with the poller: a port that a responder listens on gets queries, too */
  constructor(
    readonly transport: Transport,
    readonly clock: Clock,
  ) {
    transport.onDatagram((datagram, { address }) => this.#receive(datagram, address));
  }

  get counts(): DatagramCounts {
    return { received: this.#received, sent: this.#sent, refused: this.#refused };
  }

  /**
   * Asks the peers and resolves as soon as all that live have answered, or the time is up; never rejects. Polls may run
   * beside each other, so that a peer that keeps one waiting does not keep the others. Answers that come when a poll is
   * over, until the next one begins, still count in `onComplete` and bring dead peers back.
   */
  poll<Q extends QueryType>(options: PollOptions<Q>): Promise<PeerAnswer<StatusOf<Q>>[]> {
    for (const poll of this.#running) {
      if (!poll.resolveIfOver()) continue;
      poll.stop();
      this.#running.delete(poll);
    }
    const { clock } = this;
    const exchange = new PollExchange(options, clock.nowMs());
    return new Promise((resolve) => {
      let cancelWake = () => {};
      const resolveIfOver = (): boolean => {
        const isOver = exchange.isOver(clock.nowMs());
        if (isOver) resolve(exchange.answers());
        return isOver;
      };
      const step = (): void => {
        cancelWake();
        this.#send(exchange.due(clock.nowMs()), options.query);
        resolveIfOver();
        const { nextWakeMs } = exchange;
        cancelWake = nextWakeMs === null ? () => {} : clock.at(nextWakeMs, step);
      };
      const stop = (): void => {
        cancelWake();
        resolve(exchange.answers());
      };
      const statusType = STATUS_TYPE_OF[options.query];
      // Only datagrams and times go in, which are the same for all kinds.
      const untyped = exchange as unknown as PollExchange<QueryType>;
      this.#running.add({ exchange: untyped, statusType, stop, resolveIfOver });
      step();
    });
  }

  async close(): Promise<void> {
    for (const { stop } of this.#running) stop();
    this.#running.clear();
    await this.transport.close();
  }

  #send(outgoing: readonly Outgoing[], query: QueryType): void {
    for (const { datagram, address, port } of outgoing) this.transport.send(datagram, address, port);
    if (outgoing.length > 0) count(this.#sent, query, outgoing.length);
  }

  #receive(datagram: Uint8Array, address: string): void {
    const nowMs = this.clock.nowMs();
    // Those that ask this address first: what cannot be read is put down to their peer.
    const polls = [...this.#running];
    const ordered = polls.length < 2 ? polls : polls.sort((a, b) => asks(b, address) - asks(a, address));
    for (const { exchange, statusType, resolveIfOver } of ordered) {
      const outcome = exchange.receive(datagram, address, nowMs);
      // Another poll's, perhaps: only a cookie tells them apart.
      if (outcome === 'wrong-cookie') continue;
      if (outcome === 'accepted' || outcome === 'duplicate') count(this.#received, statusType);
      else count(this.#refused, outcome);
      resolveIfOver();
      return;
    }
    count(this.#refused, 'wrong-cookie');
  }
}

function asks({ exchange }: Running, address: string): number {
  return exchange.asks(address) ? 1 : 0;
}
