/**
 * Gossip (VacQuery 02) on the port that this factory answers on: tells the others of each change here, and holds what
 * they tell. Owns the `Gossip`, which knows neither clock nor socket, gives it both, and a number for each start that
 * is later than all before (`numbers.ts`).
 */

import { isAbort } from '../factory/outcome.js';
import {
  claimedFactory,
  type Endpoint,
  GOSSIP_LIMITS,
  Gossip,
  type GossipOutcome,
  type OwnEntry,
  RefusalLog,
  type Signer,
  type Transport,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { VERSION } from '../version.js';
import { plainAddress } from './askers.js';
import type { MemberParts } from './member.js';
import type { MemberConfig } from './messages.js';
import type { Names } from './names.js';
import type { Numbers } from './numbers.js';

/** Where a factory with several addresses was heard from, it is sent to for so long. */
const ADDRESS_MS = 60_000;
/** Part of udp_timeout_seconds that gossip has to tell of a factory, before it is polled. */
const GRACE_PART = 1 / 5;
/** What is refused of datagrams for a reason that the peer's own line in `vac factories` does not tell. */
const LOGGED: ReadonlySet<GossipOutcome> = new Set(['stranger', 'malformed', 'other-space']);

export interface GossipingParts extends Pick<MemberParts, 'clock' | 'log'> {
  readonly config: () => MemberConfig;
  readonly names: Names;
  readonly signer: Signer;
  readonly numbers: Numbers;
  /** What is known of the others may have changed. */
  readonly onNews: () => void;
}

export class Gossiping {
  gossip: Gossip | null = null;
  receivedBytes = 0;
  /** When it is known for the first time who has to be polled. */
  legacyFromMs = Number.POSITIVE_INFINITY;
  /** What is told of this factory; null: the daemon has not said it yet. */
  private own: OwnEntry | null = null;
  private readonly refusals: RefusalLog<GossipOutcome>;
  /** Where each factory was heard from last. */
  private readonly heardAt = new Map<string, { address: string; atMs: number }>();
  private transport: Transport | null = null;
  private peers: readonly string[] = [];
  private space = '';
  /** Another with each beginning: what an earlier one still waits for comes to nothing. */
  private life: object | null = null;
  /** Resolves when it has begun, as the configuration last said. */
  ready: Promise<void> = Promise.resolve();
  /** A number that is being written down must not be used yet. */
  private holds = 0;
  private wake = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
  private closed = false;

  constructor(private readonly parts: GossipingParts) {
    const { log } = parts;
    this.refusals = new RefusalLog(({ source, reason, count }) =>
      log.warn(
        `VacQuery: ${count} ${count === 1 ? 'datagram' : 'datagrams'} of gossip from ${source} not believed: ${reason}`,
      ),
    );
  }

  /** Takes what the configuration says now. In another space all that was known is forgotten. */
  configure(): void {
    const { space, peers } = this.parts.config();
    this.peers = peers;
    if (space !== this.space) {
      this.space = space;
      this.life = null;
    }
    if (this.life === null) this.begin();
    this.gossip?.setFactories(this.peers, this.now());
    this.announce();
  }

  /** From here on datagrams go out; those that come in are given to `receive`. */
  setTransport(transport: Transport): void {
    this.transport = transport;
    this.announce();
  }

  /** Tells the others from now on that this is so here. */
  setOwn(entry: OwnEntry): void {
    this.own = entry;
    this.announce();
  }

  private announce(): void {
    if (this.gossip === null || this.own === null || this.closed || this.peers.length === 0) return;
    this.gossip.announce(this.own, this.now());
    this.pump();
  }

  receive(datagram: Uint8Array, { address }: Endpoint): void {
    if (this.gossip === null || this.closed) return;
    const now = this.now();
    const plain = plainAddress(address);
    const before = this.gossip.counts.changes;
    const outcome = this.gossip.receive(datagram, plain, now);
    if (outcome === 'accepted') {
      this.receivedBytes += datagram.length;
      this.heardAt.set(this.ownerOf(plain, datagram)!, { address: plain, atMs: now.steadyMs });
      this.parts.onNews();
    } else if (LOGGED.has(outcome)) this.refusals.add(plain, outcome, now.steadyMs);
    if (this.gossip.counts.changes !== before || outcome === 'accepted') this.pump();
  }

  /** Sends what is due, and sets the time for the rest. Also to be called when addresses have changed. */
  pump(): void {
    const { gossip } = this;
    if (gossip === null || this.transport === null || this.closed || this.holds > 0) return;
    // While nobody has an address yet, what is due waits.
    if (!this.peers.some((name) => this.parts.names.addressesOf(name).length > 0)) return;
    const nowMs = this.parts.clock.nowMs();
    while (gossip.nextWakeMs <= nowMs && this.holds === 0) {
      for (const { datagram, address, port } of gossip.due(this.now())) this.transport.send(datagram, address, port);
    }
    this.wakeAt(gossip.nextWakeMs);
  }

  /** Who has to be polled by 01.03 now. */
  legacyPeers(): readonly string[] {
    if (this.gossip === null) return [];
    return this.gossip.legacyPeers(this.now());
  }

  /** How a poll of a factory ended, or that it asked here itself. */
  notePolled(factory: string, answered: boolean): void {
    this.gossip?.notePolled(factory, answered, this.now());
  }

  /** Since anybody heard this factory by gossip; null: nobody did. */
  heardSecondsAgo(factory: string): number | null {
    return this.gossip?.state.heardSecondsAgo(factory, this.now()) ?? null;
  }

  /** Gossip has not heard of it for so long that it is polled. */
  isSilent(factory: string): boolean {
    const seconds = this.heardSecondsAgo(factory);
    return seconds === null || seconds > this.gossip!.state.limits.legacySilentSeconds;
  }

  close(): void {
    this.closed = true;
    this.wake.cancel();
  }

  now() {
    return { steadyMs: this.parts.clock.nowMs(), unixSeconds: Date.now() / 1000 };
  }

  private begin(): void {
    this.gossip = null;
    this.wakeAt(Number.POSITIVE_INFINITY);
    this.heardAt.clear();
    this.legacyFromMs = Number.POSITIVE_INFINITY;
    // A factory on its own needs none of it.
    if (this.peers.length === 0) return;
    const life = {};
    this.life = life;
    const { numbers, onNews } = this.parts;
    this.ready = numbers.next().then((number) => {
      if (this.closed || life !== this.life) return;
      this.gossip = this.make(number, life);
      this.legacyFromMs = this.parts.clock.nowMs() + this.gossip.state.limits.legacyGraceMs;
      this.announce();
      onNews();
    });
  }

  private make(incarnation: number, life: object): Gossip {
    const { config, signer } = this.parts;
    return new Gossip(
      {
        space: this.space,
        factory: config().factory,
        vacVersion: `Vac ${VERSION} vacd`,
        incarnation,
        onIncarnation: (raised) => this.raise(raised, life),
        factories: this.peers,
        addressOf: (factory) => this.addressOf(factory),
        factoryAtAddress: (address, datagram) => this.ownerOf(address, datagram),
        port: VACQUERY_PORT,
        rng: Math.random,
        halfLifeSeconds: config().shareHalfLifeHours * 3600,
        isAbort,
        authenticator: signer,
        limits: { legacyGraceMs: this.graceMs() },
      },
      this.now(),
    );
  }

  /** What is left of udp_timeout_seconds is for the polls: by its end all should have been heard. */
  private graceMs(): number {
    const { udpTimeoutSeconds } = this.parts.config();
    return Math.min(GOSSIP_LIMITS.legacyGraceMs, udpTimeoutSeconds * 1000 * GRACE_PART);
  }

  /** Nothing is sent under the new number before it is on disk. */
  private raise(incarnation: number, life: object): void {
    this.holds += 1;
    void this.parts.numbers.keep(incarnation).then(() => {
      this.holds -= 1;
      if (life === this.life) this.pump();
    });
  }

  private addressOf(factory: string): string | null {
    const addresses = this.parts.names.addressesOf(factory);
    if (addresses.length < 2) return addresses[0] ?? null;
    const heard = this.heardAt.get(factory);
    const isHeard = heard !== undefined && this.parts.clock.nowMs() < heard.atMs + ADDRESS_MS;
    if (isHeard && addresses.includes(heard.address)) return heard.address;
    // Not all of them need be on a network that reaches it.
    return addresses[Math.floor(Math.random() * addresses.length)]!;
  }

  private ownerOf(address: string, datagram: Uint8Array): string | null {
    const owners = this.parts.names.ownersOf(address);
    if (owners.length < 2) return owners[0] ?? null;
    const claimed = claimedFactory(datagram);
    return owners.find((name) => name === claimed) ?? owners[0]!;
  }

  private wakeAt(atMs: number): void {
    if (this.wake.atMs === atMs) return;
    this.wake.cancel();
    if (atMs === Number.POSITIVE_INFINITY) {
      this.wake = { atMs, cancel: () => {} };
      return;
    }
    const cancel = this.parts.clock.at(atMs, () => {
      this.wake = { atMs: Number.POSITIVE_INFINITY, cancel: () => {} };
      this.pump();
    });
    this.wake = { atMs, cancel };
  }
}
