import { isAbort } from '../../src/factory/outcome.js';
import type { Signer } from '../../src/vacquery/auth.js';
import { Gossip, nextIncarnation } from '../../src/vacquery/gossip.js';
import type { GossipLimits, OwnEntry, OwnMachinetype } from '../../src/vacquery/gossip-types.js';
import { MemoryNetwork, type NetworkFaults } from '../../src/vacquery/memory-network.js';
import { seededRandom } from '../../src/vacquery/random.js';
import type { Instant } from '../../src/vacquery/space-view.js';
import type { Transport } from '../../src/vacquery/transport.js';
import { VirtualClock } from '../../src/vacquery/virtual-clock.js';
import { NOW_SECONDS, SPACE } from './snapshot.js';

export const LOSSY: NetworkFaults = { lossRate: 0.3, duplicateRate: 0.05, minDelayMs: 0.2, maxDelayMs: 40 };

export interface GossipShape {
  readonly factories: number;
  readonly seed: number;
  readonly faults?: NetworkFaults;
  readonly limits?: Partial<GossipLimits>;
  readonly halfLifeSeconds?: number;
  /** Not started with the others. */
  readonly absent?: readonly number[];
  /** Added to the calendar of one factory. */
  readonly skewSeconds?: (index: number) => number;
  readonly authenticator?: (index: number, unixSeconds: number) => Signer | null;
  /** A host that goes by the name of another. */
  readonly impostor?: { readonly index: number; readonly of: number };
  /** Called with each datagram that a factory sends. */
  readonly onSent?: (datagram: Uint8Array, from: number) => void;
}

export function nameOf(index: number): string {
  return `wn${String(index).padStart(3, '0')}.example.com`;
}

export function addressOf(index: number): string {
  return `10.0.${index >> 8}.${index & 255}`;
}

/** A machinetype of which `machines` run, of one processor and 10 HS06 each. */
export function running(
  machinetype: string,
  machines: number,
  lastEnd: OwnMachinetype['lastEnd'] = null,
): OwnMachinetype {
  const power = { runningHs06: machines * 10, runningMachines: machines, runningProcessors: machines };
  return { machinetype, ...power, beforeFizzle: 0, lastEnd };
}

export function entryOf(...machinetypes: OwnMachinetype[]): OwnEntry {
  return { maxProcessors: 32, takesMachines: true, machinetypes };
}

/** Factories that gossip over a network in memory, on virtual time. */
export class GossipSpace {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  readonly rng: () => number;
  readonly names: readonly string[];
  readonly addresses: ReadonlyMap<string, string>;
  readonly #members: (Member | null)[];
  /** What each factory persists. */
  readonly #incarnations = new Map<number, number>();

  constructor(readonly shape: GossipShape) {
    this.rng = seededRandom(shape.seed);
    this.network = new MemoryNetwork(this.clock, this.rng, shape.faults);
    this.names = Array.from({ length: shape.factories }, (_, index) => nameOf(index));
    this.addresses = new Map(this.names.map((_, index) => [addressOf(index), this.nameUsedBy(index)]));
    this.#members = this.names.map(() => null);
    this.names.forEach((_, index) => {
      if (!shape.absent?.includes(index)) this.start(index);
    });
  }

  nameUsedBy(index: number): string {
    const { impostor } = this.shape;
    return nameOf(index === impostor?.index ? impostor.of : index);
  }

  /** A name that two hosts use resolves to either. */
  addressFor(name: string): string {
    const { impostor } = this.shape;
    const index = this.names.indexOf(name);
    return addressOf(index === impostor?.of && this.rng() < 0.5 ? impostor.index : index);
  }

  now(index = -1): Instant {
    const steadyMs = this.clock.nowMs();
    const skew = index < 0 ? 0 : (this.shape.skewSeconds?.(index) ?? 0);
    return { steadyMs, unixSeconds: NOW_SECONDS + skew + steadyMs / 1000 };
  }

  gossip(index: number): Gossip {
    const member = this.#members[index];
    if (member == null) throw new Error(`factory ${index} is not up`);
    return member.gossip;
  }

  isUp(index: number): boolean {
    return this.#members[index] !== null;
  }

  start(index: number, incarnation = nextIncarnation(this.incarnationOf(index), this.now(index).unixSeconds)): void {
    this.#incarnations.set(index, incarnation);
    const member = new Member(this, index, incarnation);
    this.#members[index] = member;
    member.wake();
  }

  incarnationOf(index: number): number | null {
    return this.#incarnations.get(index) ?? null;
  }

  persist(index: number, incarnation: number): void {
    this.#incarnations.set(index, incarnation);
  }

  /** Its host is gone at once; all that it knew is lost. */
  stop(index: number): void {
    this.#members[index]?.stop();
    this.#members[index] = null;
  }

  announce(index: number, ...machinetypes: OwnMachinetype[]): void {
    const member = this.#members[index]!;
    member.gossip.announce(entryOf(...machinetypes), this.now(index));
    member.wake();
  }

  /** Gives a datagram to a factory as if it had come from an address. */
  deliver(index: number, datagram: Uint8Array, from: string): string {
    const member = this.#members[index]!;
    const outcome = member.gossip.receive(datagram, from, this.now(index));
    member.wake();
    return outcome;
  }

  run(seconds: number): void {
    this.clock.runUntil(this.clock.nowMs() + seconds * 1000);
  }

  /** Runs until something holds; the time that this took, in seconds. Fails after `maxSeconds`. */
  runUntil(holds: () => boolean, maxSeconds: number): number {
    const startMs = this.clock.nowMs();
    while (!holds()) {
      if (this.clock.nowMs() > startMs + maxSeconds * 1000) throw new Error(`not so after ${maxSeconds} s`);
      this.run(0.1);
    }
    return (this.clock.nowMs() - startMs) / 1000;
  }

  /** Whether all that are up know the latest state of all that are up. */
  hasConverged(): boolean {
    return this.names.every((_, own) => {
      if (!this.isUp(own)) return true;
      const { incarnation, version } = this.gossip(own).stampOf(nameOf(own))!;
      return this.names.every((_, other) => {
        if (other === own || !this.isUp(other)) return true;
        const known = this.gossip(other).stampOf(nameOf(own));
        return version === 0 || (known?.incarnation === incarnation && known.version === version);
      });
    });
  }

  /** Machines of a type that one factory counts on the others. */
  machinesSeen(index: number, machinetype: string): number {
    const totals = this.gossip(index).totals(this.now(index));
    return totals.find((news) => news.machinetype === machinetype)?.runningMachines ?? 0;
  }
}

class Member {
  readonly gossip: Gossip;
  readonly #transport: Transport;
  #cancel: () => void = () => {};

  constructor(
    readonly space: GossipSpace,
    readonly index: number,
    incarnation: number,
  ) {
    const { shape, names, addresses, rng } = space;
    const now = space.now(index);
    this.gossip = new Gossip(
      {
        space: SPACE,
        factory: space.nameUsedBy(index),
        vacVersion: 'Vac 0.1.0 vacd',
        incarnation,
        onIncarnation: (raised) => space.persist(index, raised),
        factories: names,
        addressOf: (factory) => space.addressFor(factory),
        factoryAtAddress: (address) => addresses.get(address) ?? null,
        rng,
        isAbort,
        authenticator: shape.authenticator?.(index, now.unixSeconds) ?? null,
        ...(shape.limits === undefined ? {} : { limits: shape.limits }),
        ...(shape.halfLifeSeconds === undefined ? {} : { halfLifeSeconds: shape.halfLifeSeconds }),
      },
      now,
    );
    this.#transport = space.network.open(addressOf(index), 995);
    this.#transport.onDatagram((datagram, from) => {
      this.gossip.receive(datagram, from.address, space.now(index));
      this.wake();
    });
  }

  /** Has `due` called when it is to be. */
  wake(): void {
    this.#cancel();
    const { clock } = this.space;
    this.#cancel = clock.at(Math.max(clock.nowMs(), this.gossip.nextWakeMs), () => {
      for (const { datagram, address, port } of this.gossip.due(this.space.now(this.index))) {
        this.space.shape.onSent?.(datagram, this.index);
        this.#transport.send(datagram, address, port);
      }
      this.wake();
    });
  }

  stop(): void {
    this.#cancel();
    void this.#transport.close();
  }
}
