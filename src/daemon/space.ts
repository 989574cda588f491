/**
 * This factory as a member of its space: answers who may ask (`askers.ts`) from a picture of this very moment
 * (`picture.ts`), tells the others what changes here and hears it of them (`gossiping.ts`), and asks those who do not
 * gossip (`polling.ts`). What is heard comes together in `hearing.ts`; keys, where the space has any, are in
 * `space-keys.ts`. A factory on its own is asked as well, by `vac` and by monitors.
 */

import { StateLayout } from '../machines/layout.js';
import {
  addCounts,
  type Clock,
  type DatagramCounts,
  type Endpoint,
  type GossipCounts,
  type Liveness,
  looksLikeGossip,
  type PollPeer,
  type QuerySigner,
  Responder,
  type SnapshotProblem,
  type Transport,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { Askers, plainAddress } from './askers.js';
import { Gossiping } from './gossiping.js';
import { Hearing, type Peer } from './hearing.js';
import { Incarnation } from './incarnation.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { Names, type Resolve } from './names.js';
import { HostWatch, Picture } from './picture.js';
import { Polling } from './polling.js';
import { SpaceKeys } from './space-keys.js';

/** A port that is taken is tried again after this. */
const RETRY_MS = 30_000;

export interface SpaceParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly stateDir: string;
  readonly wake: () => void;
  readonly clock: Clock;
  /** Sockets: one that is asked, on the protocol's port, and one to ask from. */
  readonly openTransport: (port: number) => Promise<Transport>;
  /** Instead of the host's own resolver. */
  readonly resolve?: Resolve;
  /** Instead of those of the host's interfaces. */
  readonly ownAddresses?: () => readonly string[];
}

/** What this factory knows of its space; what the control socket's request `space` is answered by. */
export interface SpaceReport {
  readonly space: string;
  readonly factory: string;
  /** FQDNs of all factories of the space, this one included, in the order of the configuration. */
  readonly factories: readonly string[];
  /** Null: VacQuery is not spoken now. */
  readonly queryPort: number | null;
  readonly udpTimeoutSeconds: number;
  /** There are others, and none of them answers. */
  readonly alone: boolean;
  readonly peers: readonly Peer[];
  /** What is wrong with this factory as a member of the space; a sentence each. */
  readonly problems: readonly string[];
  /** What should be done next about the keys; null: nothing. */
  readonly hint: string | null;
  /** Null: nothing is signed. */
  readonly keys: { readonly file: string; readonly mode: 'mixed' | 'required' } | null;
}

/** What gossip has done since the start, and what it knows of the others. */
export interface GossipFacts {
  readonly counts: Readonly<GossipCounts>;
  /** Of datagrams that were believed. */
  readonly receivedBytes: number;
  readonly peers: ReadonlyMap<Liveness, number>;
}

export class Space {
  private readonly names: Names;
  private readonly keys: SpaceKeys;
  private readonly gossiping: Gossiping;
  private readonly polling: Polling;
  private readonly hearing: Hearing;
  /** All factories of the space but this one. */
  private peers: readonly string[] = [];
  private readonly responder: Responder;
  private readonly host: HostWatch;
  private answering: Transport | null = null;
  /** Why there is none. */
  private portProblem: string | null = null;
  private cancelRetry = () => {};
  /** Statuses that cannot be sent, of which the log tells once. */
  private readonly toldProblems = new Set<string>();
  private closed = false;

  constructor(private readonly parts: SpaceParts) {
    const { memory, clock, log, resolve, ownAddresses } = parts;
    const onNews = () => this.hearing.publishSoon();
    this.names = new Names({ clock, log, resolve, onChange: () => this.addressesChanged() });
    this.keys = new SpaceKeys({ memory, log, clock, onChange: onNews });
    const incarnation = new Incarnation(new StateLayout(parts.stateDir).incarnation(), log);
    const { names, keys } = this;
    this.gossiping = new Gossiping({ ...parts, names, signer: keys, incarnation, onNews });
    this.polling = new Polling({ ...parts, names, gossiping: this.gossiping, signer: () => keys.signer, onNews });
    this.hearing = new Hearing({ ...parts, names, keys }, this.gossiping, this.polling);
    this.host = new HostWatch(parts.stateDir, clock, log);
    const askers = new Askers({
      isFactory: (address) => names.ownersOf(address).length > 0,
      networks: () => memory.config.settings.queryNetworks,
      nowMs: () => clock.nowMs(),
      ownAddresses,
    });
    const picture = new Picture(memory, () => this.host.status);
    this.responder = new Responder({
      mayAsk: (address) => askers.mayAsk(address),
      snapshot: () => picture.current(clock.nowMs(), Math.floor(Date.now() / 1000)),
      onRefusal: ({ source, reason, count }) =>
        log.warn(`VacQuery: ${count} ${count === 1 ? 'query' : 'queries'} of ${source} not answered: ${reason}`),
      onProblem: (problem) => this.tellProblem(problem),
    });
  }

  /**
   * Begins to answer and to ask. With others in the space nothing starts from here on until they were heard.
   *
   * @throws VacError `address-in-use` when another program has the protocol's port, there are others in the space (to them
   *   this factory would be dead) and no machines here. A factory on its own goes on; so does one with machines to look
   *   after, and starts no more (`Memory.queryProblem`). Both try again. `space-key-unusable`, under the same conditions.
   */
  async start(): Promise<void> {
    const { memory, log } = this.parts;
    await this.keys.start();
    await this.host.start();
    await this.listen().catch((error: Error) => {
      if (this.hasOthers() && memory.machines.size === 0) throw error;
      log.warn(`VacQuery is not answered; tried again every ${RETRY_MS / 1000} s: ${error.message}`);
      this.retryLater(error);
    });
    this.configure();
    await this.gossiping.ready;
    await this.polling.start();
  }

  /** Takes what the configuration says now; called with each change of it. */
  configure(): void {
    const { memory } = this.parts;
    const own = memory.factory.toLowerCase();
    this.peers = memory.config.settings.factories.filter((name) => name !== own);
    this.toldProblems.clear();
    this.setPortProblem(this.portProblem);
    void this.keys.configure();
    this.names.set(this.peers);
    this.gossiping.configure(this.peers);
    this.polling.configure(this.peers);
    this.hearing.configure(this.peers);
  }

  /** Resolves when what `configure` began has come to its end. */
  async settled(): Promise<void> {
    await Promise.all([this.gossiping.ready, this.keys.configure()]);
  }

  /** Tells the others of what has changed here, if anything has: to be called after each pass of the loop. */
  announce(): void {
    this.gossiping.announce();
  }

  /** Looks at the key file now, and not only within a minute. */
  rereadKeys(): void {
    void this.keys.reread();
  }

  report(): SpaceReport {
    const { memory } = this.parts;
    const { vacSpace, factories, udpTimeoutSeconds, spaceKeyFile, spaceKeyMode } = memory.config.settings;
    const own = memory.factory;
    return {
      space: vacSpace,
      factory: own,
      factories: factories.includes(own.toLowerCase()) ? factories : [own, ...factories],
      queryPort: this.answering?.port ?? null,
      udpTimeoutSeconds,
      alone: memory.alone,
      peers: this.hearing.summaries(),
      problems: this.problems(),
      hint: this.keys.hint(this.peers),
      keys: spaceKeyFile === null ? null : { file: spaceKeyFile, mode: spaceKeyMode },
    };
  }

  /** What is wrong with this factory as a member of the space; a sentence each. */
  problems(): string[] {
    const shown = this.gossiping.gossip?.ownProblems(this.gossiping.now()) ?? [];
    return [...this.keys.problemsNow(), ...shown];
  }

  /** For metrics; null: it does not gossip, as it is on its own or has only just begun. */
  gossip(): GossipFacts | null {
    const { gossip, receivedBytes } = this.gossiping;
    if (gossip === null || this.peers.length === 0) return null;
    const peers = new Map<Liveness, number>();
    for (const { liveness } of gossip.view(this.gossiping.now())) peers.set(liveness, (peers.get(liveness) ?? 0) + 1);
    return { counts: gossip.counts, receivedBytes, peers };
  }

  /** The other factories, each with its addresses as far as they are known: for polls with other queries. */
  others(): PollPeer[] {
    return this.peers.map((factory) => this.polling.pollPeer(factory));
  }

  /** Signs what is asked of others, and checks what they answer; null: nothing is signed. */
  get querySigner(): QuerySigner | null {
    return this.keys.signer;
  }

  /** Datagrams in and out since the start, queries and answers of both sides; gossip's are told by `gossip`. */
  get counts(): DatagramCounts {
    return addCounts(this.responder.counts, this.polling.counts);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelRetry();
    this.host.close();
    this.names.close();
    this.keys.close();
    this.hearing.close();
    await Promise.all([this.gossiping.close(), this.polling.close(), this.answering?.close()]);
  }

  private hasOthers(): boolean {
    const { memory } = this.parts;
    return memory.config.settings.factories.some((name) => name !== memory.factory.toLowerCase());
  }

  private async listen(): Promise<void> {
    const { openTransport } = this.parts;
    const transport = await openTransport(VACQUERY_PORT);
    if (this.closed) return transport.close();
    this.answering = transport;
    transport.onDatagram((datagram, from) => {
      if (looksLikeGossip(datagram)) this.gossiping.receive(datagram, from);
      else this.answer(transport, datagram, from);
    });
    this.gossiping.setTransport(transport);
  }

  private answer(transport: Transport, query: Uint8Array, { address, port }: Endpoint): void {
    const replies = this.responder.answer(query, address, this.parts.clock.nowMs(), Date.now() / 1000);
    if (replies.length === 0) return;
    const asker = plainAddress(address);
    for (const factory of this.names.ownersOf(asker)) this.polling.noteAlive(factory);
    for (const reply of this.keys.answersTo(query, asker, replies)) transport.send(reply, address, port);
  }

  private addressesChanged(): void {
    this.gossiping.pump();
    this.polling.pollSoon();
    this.hearing.publishSoon();
  }

  private retryLater({ message }: Error): void {
    const { clock, log, wake } = this.parts;
    this.setPortProblem(message);
    this.cancelRetry = clock.at(clock.nowMs() + RETRY_MS, () => {
      this.listen().then(
        () => {
          this.setPortProblem(null);
          if (!this.closed) log.info('VacQuery is answered now');
          wake();
        },
        (error: Error) => {
          if (!this.closed) this.retryLater(error);
        },
      );
    });
  }

  private setPortProblem(problem: string | null): void {
    this.portProblem = problem;
    this.parts.memory.queryProblem = this.hasOthers() ? problem : null;
  }

  private tellProblem({ messageType, name, refusal }: SnapshotProblem): void {
    const line = `VacQuery: ${messageType} of ${name} cannot be sent: ${refusal.reason}`;
    if (this.toldProblems.has(line)) return;
    this.toldProblems.add(line);
    this.parts.log.error(line);
  }
}
