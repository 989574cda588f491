/** A network in memory on a virtual clock that loses, doubles, delays and reorders datagrams as its seed says. */

import type { Clock } from './clock.js';
import type { DatagramListener, Transport } from './transport.js';

export interface NetworkFaults {
  /** Parts of all datagrams, 0 to 1. */
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Each datagram takes a time between these: where they differ, datagrams overtake each other. */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
}

export const PERFECT_NETWORK: NetworkFaults = { lossRate: 0, duplicateRate: 0, minDelayMs: 0.2, maxDelayMs: 0.2 };

export interface NetworkCounts {
  sent: number;
  sentBytes: number;
  delivered: number;
  lost: number;
}

export class MemoryNetwork {
  faults: NetworkFaults;
  readonly counts: NetworkCounts = { sent: 0, sentBytes: 0, delivered: 0, lost: 0 };
  readonly #clock: Clock;
  readonly #rng: () => number;
  readonly #listeners = new Map<string, { listener: DatagramListener | null }>();
  #sideOf: (address: string) => unknown = () => 0;
  #lastEphemeralPort = 49_151;

  /** @param rng uniform in [0, 1) */
  constructor(clock: Clock, rng: () => number, faults: NetworkFaults = PERFECT_NETWORK) {
    this.#clock = clock;
    this.#rng = rng;
    this.faults = faults;
  }

  /**
   * A host's socket. Throws when the address and port are taken: a mistake of the test.
   *
   * @param port 0: any that is free
   */
  open(address: string, port = 0): Transport {
    if (port === 0) this.#lastEphemeralPort += 1;
    const ownPort = port === 0 ? this.#lastEphemeralPort : port;
    const key = endpointKey(address, ownPort);
    if (this.#listeners.has(key)) throw new Error(`${key} is taken in the memory network`);
    const socket: { listener: DatagramListener | null } = { listener: null };
    this.#listeners.set(key, socket);
    return {
      port: ownPort,
      send: (datagram, to, toPort) => this.#send(datagram, address, ownPort, to, toPort),
      onDatagram: (listener) => {
        socket.listener = listener;
      },
      close: async () => {
        this.#listeners.delete(key);
      },
    };
  }

  /** Lets only hosts talk to each other that are on one side; undone by `heal`. */
  partition(sideOf: (address: string) => unknown): void {
    this.#sideOf = sideOf;
  }

  heal(): void {
    this.#sideOf = () => 0;
  }

  #send(datagram: Uint8Array, from: string, fromPort: number, to: string, toPort: number): void {
    this.counts.sent += 1;
    this.counts.sentBytes += datagram.length;
    const copies = this.#rng() < this.faults.duplicateRate ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (this.#rng() < this.faults.lossRate || this.#sideOf(from) !== this.#sideOf(to)) {
        this.counts.lost += 1;
        continue;
      }
      const { minDelayMs, maxDelayMs } = this.faults;
      const arrivalMs = this.#clock.nowMs() + minDelayMs + this.#rng() * (maxDelayMs - minDelayMs);
      this.#clock.at(arrivalMs, () => {
        const socket = this.#listeners.get(endpointKey(to, toPort));
        if (socket?.listener == null) return;
        this.counts.delivered += 1;
        socket.listener(datagram, { address: from, port: fromPort });
      });
    }
  }
}

function endpointKey(address: string, port: number): string {
  return `${address} port ${port}`;
}
