/**
 * The other factories of the gossip benchmark, simulated in one process in real time: among each other they exchange
 * messages in memory, with the one that is measured signed datagrams, each from an address of its own. All know of each
 * other from the beginning, as in a space that has been up for long.
 */

import { createSocket, type Socket } from 'node:dgram';
import { isAbort } from '../../src/factory/outcome.js';
import type { Entry } from '../../src/vacquery/entry.js';
import {
  AUTH_BYTES,
  Authenticator,
  type GossipSend,
  GossipState,
  nodeHmac,
  parseSpaceKeys,
  VirtualClock,
} from '../../src/vacquery/index.js';
import { decodeGossip } from '../../src/vacquery/wire02-decode.js';
import { encodeGossip } from '../../src/vacquery/wire02-encode.js';
import { BusyFactory } from './gossip-machines.js';
import { addressOf, KEY, type NeighboursOrder, type NeighboursStatus, nameOf, SPACE } from './gossip-space.js';

const TICK_MS = 5;
const DELAY_MS = 0.5;
/** What is known of all from the beginning was said so long ago. */
const SETTLED_DS = 600;

class Neighbour {
  readonly state: GossipState;
  readonly #authenticator: Authenticator;
  readonly #machines: BusyFactory;
  #wake = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };

  constructor(
    readonly index: number,
    readonly space: Neighbours,
  ) {
    const now = space.now();
    this.#machines = new BusyFactory(nameOf(index), Math.random, now.unixSeconds);
    this.#authenticator = new Authenticator({
      mode: 'required',
      keys: space.keys,
      hmac: nodeHmac,
      audience: nameOf(index),
      unixSeconds: now.unixSeconds,
      rng: Math.random,
    });
    this.state = new GossipState(
      {
        space: SPACE,
        factory: nameOf(index),
        vacVersion: 'Vac 0.1.0 bench',
        incarnation: Math.floor(now.unixSeconds),
        factories: space.names,
        addressOf,
        rng: Math.random,
        isAbort,
        intern: (factory, entry) => space.intern(factory, entry),
        signatureBytes: AUTH_BYTES,
      },
      now,
    );
  }

  announce(): void {
    const now = this.space.now();
    this.state.announce(this.#machines.entry(now.unixSeconds), now);
    const waitMs = (this.#machines.nextSeconds(now.unixSeconds) - now.unixSeconds) * 1000;
    this.space.clock.at(now.steadyMs + Math.max(1, waitMs), () => this.announce());
    this.arm();
  }

  receive(datagram: Uint8Array): void {
    const now = this.space.now();
    const measured = nameOf(0);
    const verdict = this.#authenticator.check(datagram, measured, now.unixSeconds);
    // It has waited for this process on a host that is too busy: see `worstLagSeconds`.
    if (!verdict.ok && verdict.reason === 'clock-skew') return;
    if (!verdict.ok) throw new Error(`a datagram of the measured process is refused: ${verdict.reason}`);
    const decoded = decodeGossip(datagram, this.state.roster);
    if (!decoded.ok) throw new Error(`a datagram of the measured process is ${decoded.reason}`);
    this.state.receive(decoded.message, measured, datagram.length, now, true);
    this.arm();
  }

  sign({ to, message }: GossipSend): Uint8Array {
    return this.#authenticator.sign(encodeGossip(message, this.state.roster), to, this.space.now().unixSeconds);
  }

  arm(): void {
    const { clock } = this.space;
    const atMs = Math.max(clock.nowMs(), this.state.nextWakeMs);
    if (this.#wake.atMs <= atMs) return;
    this.#wake.cancel();
    const cancel = clock.at(atMs, () => {
      this.#wake = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
      for (const send of this.state.due(this.space.now())) this.space.send(this, send);
      this.arm();
    });
    this.#wake = { atMs, cancel };
  }
}

class Neighbours {
  readonly clock = new VirtualClock();
  readonly names: readonly string[];
  readonly keys;
  readonly #neighbours = new Map<string, Neighbour>();
  readonly #sockets = new Map<string, Socket>();
  readonly #interned = new Map<string, Entry>();
  #isOpen = false;
  #worstLagMs = 0;

  constructor(readonly order: NeighboursOrder) {
    const keys = parseSpaceKeys(KEY, nodeHmac);
    if (!keys.ok) throw new Error('the key is none');
    this.keys = keys.keys;
    this.names = Array.from({ length: order.factories }, (_, index) => nameOf(index));
    for (let index = 1; index < order.factories; index += 1) {
      this.#neighbours.set(nameOf(index), new Neighbour(index, this));
    }
  }

  now() {
    // The calendar is the real one, whatever becomes of the rest: signatures are only good for a minute.
    return { steadyMs: this.clock.nowMs(), unixSeconds: Date.now() / 1000 };
  }

  /** One object for each complete state of an entry: the process would need gigabytes otherwise. */
  intern(factory: string, entry: Entry): Entry {
    if (entry.slices.some(({ version }) => version > entry.version)) return entry;
    const known = this.#interned.get(factory);
    if (known?.incarnation === entry.incarnation && known.version === entry.version) return known;
    if (known === undefined || known.version < entry.version) this.#interned.set(factory, entry);
    return entry;
  }

  /** Everybody's first words are made known to all. */
  begin(): void {
    for (const neighbour of this.#neighbours.values()) neighbour.announce();
    this.clock.runUntil(this.clock.nowMs() + 200);
    for (const [factory, { state }] of this.#neighbours) {
      const { incarnation, version, head, slices } = this.#interned.get(factory)!;
      const id = state.roster.ids[state.roster.indexOf(factory)]!;
      const change = { id, incarnation, from: 0, to: version, changedDs: 0, head, slices };
      const header = { space: SPACE, factory, vacVersion: null, timeSent: Math.floor(this.now().unixSeconds) };
      const changes = [{ change, ageDs: SETTLED_DS }];
      const message = { ...header, sync: null, answer: null, ages: null, changes };
      for (const other of this.#neighbours.values()) {
        if (other.state !== state) other.state.receive(message, factory, 500, this.now());
      }
    }
  }

  async open(): Promise<void> {
    for (const [factory, neighbour] of this.#neighbours) {
      const socket = createSocket('udp4');
      await new Promise<void>((bound) => socket.bind(this.order.port, addressOf(factory), bound));
      socket.on('message', (datagram) => {
        if (Math.random() >= this.order.lossRate) neighbour.receive(datagram);
      });
      this.#sockets.set(factory, socket);
    }
    this.#isOpen = true;
  }

  send(from: Neighbour, send: GossipSend): void {
    if (Math.random() < this.order.lossRate) return;
    const to = this.#neighbours.get(send.to);
    if (to !== undefined) {
      this.clock.at(this.clock.nowMs() + DELAY_MS, () => {
        to.state.receive(send.message, nameOf(from.index), send.bytes, this.now(), true);
        to.arm();
      });
    } else if (this.#isOpen) {
      this.#sockets.get(nameOf(from.index))!.send(from.sign(send), this.order.port, addressOf(send.to));
    }
  }

  status(): NeighboursStatus {
    const versions = [...this.#neighbours].map(
      ([factory, { state }]) => [factory, state.stampOf(factory)!.version] as const,
    );
    return { versions, worstLagSeconds: this.#worstLagMs / 1000 };
  }

  run(): void {
    const aheadMs = this.clock.nowMs() - performance.now();
    setInterval(() => {
      const nowMs = performance.now() + aheadMs;
      this.#worstLagMs = Math.max(this.#worstLagMs, nowMs - this.clock.nowMs());
      this.clock.runUntil(nowMs);
    }, TICK_MS);
  }
}

process.once('disconnect', () => process.exit());
process.once('message', (order: NeighboursOrder) => {
  const neighbours = new Neighbours(order);
  neighbours.begin();
  void neighbours.open().then(() => {
    neighbours.run();
    process.send!('ready');
    process.on('message', () => process.send!(neighbours.status()));
  });
});
