import { saltedCookies } from '../../src/vacquery/cookies.js';
import type { PeerAnswer, PollPeer } from '../../src/vacquery/exchange.js';
import { MemoryNetwork, type NetworkFaults } from '../../src/vacquery/memory-network.js';
import type { QueryType, StatusOf } from '../../src/vacquery/messages.js';
import { PeerMemory } from '../../src/vacquery/peer-memory.js';
import { Poller } from '../../src/vacquery/poller.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { Responder } from '../../src/vacquery/responder.js';
import type { Transport } from '../../src/vacquery/transport.js';
import { VirtualClock } from '../../src/vacquery/virtual-clock.js';
import { NOW_SECONDS, SPACE, snapshotOf } from './snapshot.js';

export interface SpaceShape {
  readonly factories: number;
  /** How many of them are not there; the first ones. */
  readonly dead?: number;
  readonly machinetypes?: number;
  readonly slots?: number;
  readonly faults?: NetworkFaults;
  readonly seed: number;
  /** Does not answer at all: for hosts that the test plays itself. */
  readonly silent?: readonly number[];
  /** How many datagrams a millisecond the asker comes to read, on a starved host; what it did not read yet waits. */
  readonly readsPerMs?: number;
}

export const ASKER_ADDRESS = '10.1.0.1';
export const TIMEOUT_MS = 10_000;

/** Factories with real responders on a network in memory, and one that polls them. */
export class MemorySpace {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly memory = new PeerMemory();
  readonly poller: Poller;
  readonly peers: PollPeer[];
  readonly rng: () => number;
  /** When the last poll resolved, on the virtual clock. */
  endedMs = 0;
  readonly #dead = new Set<number>();

  constructor(shape: SpaceShape) {
    this.rng = seededRandom(shape.seed);
    this.network = new MemoryNetwork(this.clock, this.rng, shape.faults);
    const transport = this.network.open(ASKER_ADDRESS);
    this.poller = new Poller(
      shape.readsPerMs === undefined ? transport : this.#readSlowly(transport, shape.readsPerMs),
      this.clock,
    );
    this.peers = Array.from({ length: shape.factories }, (_, index) => ({
      factory: `wn${index}.example.com`,
      addresses: [`10.0.${index >> 8}.${index & 255}`],
      port: 995,
    }));
    for (let index = 0; index < (shape.dead ?? 0); index += 1) this.#dead.add(index);
    this.peers.forEach((peer, index) => {
      if (!shape.silent?.includes(index)) this.#serve(peer, index, shape);
    });
  }

  /** Brings a dead factory back. */
  revive(index: number): void {
    this.#dead.delete(index);
  }

  kill(index: number): void {
    this.#dead.add(index);
  }

  /** Polls, with as much virtual time as that takes. */
  async poll<Q extends QueryType>(query: Q, timeoutMs = TIMEOUT_MS): Promise<PeerAnswer<StatusOf<Q>>[]> {
    const salt = Uint8Array.from({ length: 8 }, () => Math.floor(this.rng() * 256));
    let answers: PeerAnswer<StatusOf<Q>>[] | null = null;
    const resolved = this.poller
      .poll({
        query,
        space: SPACE,
        vacVersion: 'Vac 0.1.0 vacd',
        peers: this.peers,
        cookieOf: saltedCookies(salt),
        timeoutMs,
        rng: this.rng,
        memory: this.memory,
      })
      .then((result) => {
        answers = result;
        this.endedMs = this.clock.nowMs();
      });
    while (answers === null && this.clock.step()) await Promise.resolve();
    await resolved;
    return answers!;
  }

  #readSlowly(transport: Transport, perMs: number): Transport {
    const waiting: (() => void)[] = [];
    const readNext = (): void => {
      if (waiting.length === 0) return;
      this.clock.at(this.clock.nowMs() + 1 / perMs, () => {
        waiting.shift()!();
        readNext();
      });
    };
    return {
      port: transport.port,
      send: (...datagram) => transport.send(...datagram),
      close: () => transport.close(),
      onDatagram: (listener) =>
        transport.onDatagram((...received) => {
          waiting.push(() => listener(...received));
          if (waiting.length === 1) readNext();
        }),
    };
  }

  #serve(peer: PollPeer, index: number, shape: SpaceShape): void {
    const transport = this.network.open(peer.addresses[0]!, peer.port);
    const responder = new Responder({ mayAsk: () => true, onRefusal: refuseNothing, onProblem: refuseNothing });
    responder.setSnapshot(snapshotOf(peer.factory, shape.slots ?? 4, shape.machinetypes ?? 10));
    transport.onDatagram((datagram, from) => {
      if (this.#dead.has(index)) return;
      const nowMs = this.clock.nowMs();
      const timeSeconds = NOW_SECONDS + Math.floor(nowMs / 1000);
      for (const reply of responder.answer(datagram, from.address, nowMs, timeSeconds)) {
        transport.send(reply, from.address, from.port);
      }
    });
  }
}

/** Queries of our own are fine, and so is what they ask for: anything else is a mistake of the test. */
function refuseNothing(what: object): void {
  throw new Error(JSON.stringify(what));
}
