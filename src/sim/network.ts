/**
 * The network between the factories: the protocol library's own network in memory, with what a scenario cuts. A cut that
 * works one way is made here, where a datagram is sent; loss, delay and doubling are the library's.
 */

import type { Clock } from '../vacquery/clock.js';
import { MemoryNetwork } from '../vacquery/memory-network.js';
import type { Transport } from '../vacquery/transport.js';
import { addressOf, indexOf } from './addresses.js';
import type { Rng } from './random.js';
import type { Cut, Scenario } from './scenario.js';

export class SimNetwork {
  readonly #network: MemoryNetwork;
  readonly #cuts: Cuts;
  /** Datagrams that a one-way cut swallowed: sent all the same. */
  #swallowed = { datagrams: 0, bytes: 0 };

  constructor(scenario: Scenario, clock: Clock, rng: Rng) {
    this.#network = new MemoryNetwork(clock, rng, scenario.network);
    this.#cuts = new Cuts(scenario, clock);
  }

  open(factory: number, port: number): Transport {
    const inner = this.#network.open(addressOf(factory), port);
    return {
      port: inner.port,
      onDatagram: (listener) => inner.onDatagram(listener),
      close: () => inner.close(),
      send: (datagram, address, toPort) => {
        if (this.#cuts.reaches(factory, indexOf(address))) {
          inner.send(datagram, address, toPort);
          return;
        }
        this.#swallowed.datagrams += 1;
        this.#swallowed.bytes += datagram.length;
      },
    };
  }

  sent(): { datagrams: number; bytes: number } {
    const { sent, sentBytes } = this.#network.counts;
    return { datagrams: sent + this.#swallowed.datagrams, bytes: sentBytes + this.#swallowed.bytes };
  }
}

/** Who can reach whom, as the scenario's cuts come and go. */
export class Cuts {
  readonly #clock: Clock;
  readonly #cuts: readonly (Cut & { readonly firsts: number })[];

  constructor({ cuts, config }: Scenario, clock: Clock) {
    this.#clock = clock;
    const factories = Math.max(1, config.settings.factories.length);
    this.#cuts = cuts.map((cut) => ({ ...cut, firsts: Math.round(cut.part * factories) }));
  }

  reaches(from: number, to: number): boolean {
    if (this.#cuts.length === 0) return true;
    const nowSeconds = this.#clock.nowMs() / 1000;
    return this.#cuts.every(({ fromSeconds, toSeconds, firsts, ways }) => {
      if (nowSeconds < fromSeconds || nowSeconds >= toSeconds) return true;
      const fromFirsts = from < firsts;
      if (fromFirsts === to < firsts) return true;
      return ways === 'one-way' && !fromFirsts;
    });
  }

  /** Which cuts are in force now, a bit for each. */
  inForce(nowSeconds = this.#clock.nowMs() / 1000): number {
    return this.#cuts.reduce(
      (bits, { fromSeconds, toSeconds }, index) =>
        nowSeconds >= fromSeconds && nowSeconds < toSeconds ? bits | (1 << index) : bits,
      0,
    );
  }

  /** Factories with one number can exchange queries and answers now; a cut of either way prevents that. */
  sideOf(factory: number): number {
    return this.#side(factory, this.inForce());
  }

  /** The same a moment ago: where a cut comes or goes now, the side before it did. */
  sideBefore(factory: number): number {
    return this.#side(factory, this.inForce(this.#clock.nowMs() / 1000 - 0.001));
  }

  #side(factory: number, inForce: number): number {
    return this.#cuts.reduce(
      (bits, { firsts }, index) => (factory < firsts ? bits | (inForce & (1 << index)) : bits),
      0,
    );
  }

  /** Whether any cut is in force, or ended less than so long ago. */
  isCut(nowSeconds: number, graceSeconds = 0): boolean {
    return this.#cuts.some((cut) => nowSeconds >= cut.fromSeconds && nowSeconds < cut.toSeconds + graceSeconds);
  }
}
