/**
 * The other factories of the space: asks them what they run, answers them, and writes their news into the Memory, which
 * decisions are made from. Runs beside the loop and never holds it up; a factory that hears nobody goes on alone.
 */

import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import {
  type Clock,
  PeerMemory,
  Poller,
  type PollPeer,
  Responder,
  SpaceView,
  saltedCookies,
  type Transport,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { VERSION } from '../version.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { factorySnapshot, readHostStatus } from './snapshot.js';

/** Between the ends of two polls; more of it where many factories poll each other. */
const MIN_POLL_SECONDS = 10;
const POLL_SECONDS_PER_PEER = 0.06;
/** News of a peer that no longer answers counts for so long in decisions: its machines run on, most likely. */
const EXPIRY_SECONDS = 300;
/** Names are looked up again after this; those that could not be, sooner. */
const NAME_SECONDS = 300;
const FAILED_NAME_SECONDS = 30;
/** The responder's picture of this factory is never older than this. */
const SNAPSHOT_SECONDS = 2;

export interface SpaceParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly stateDir: string;
  readonly wake: () => void;
  readonly clock: Clock;
  /** Sockets: one that is asked, on the protocol's port, and one to ask from. */
  readonly openTransport: (port: number) => Promise<Transport>;
  /** IP addresses of a host; rejects when it has none. */
  readonly resolve?: (name: string) => Promise<string[]>;
}

interface Name {
  addresses: readonly string[];
  retryAtMs: number;
  problem: string | null;
}

export class Space {
  private readonly names = new Map<string, Name>();
  private readonly peerMemory = new PeerMemory();
  private readonly view: SpaceView;
  private readonly responder: Responder;
  private answering: Transport | null = null;
  private poller: Poller | null = null;
  private closed = false;
  private alone = false;
  private snapshotTimer: NodeJS.Timeout | null = null;
  private endWait: () => void = () => {};

  constructor(private readonly parts: SpaceParts) {
    const { memory, log } = parts;
    this.view = new SpaceView({ ownFactory: memory.factory, expirySeconds: EXPIRY_SECONDS });
    this.responder = new Responder({
      mayAsk: (address) => this.isFactory(address),
      onRefusal: ({ source, reason, count }) =>
        log.warn(`VacQuery: ${count} queries of ${source} are not answered: ${reason}`),
      onProblem: ({ messageType, name, refusal }) =>
        log.error(`VacQuery: ${messageType} of ${name} cannot be sent: ${refusal.reason}`),
    });
  }

  /** @throws VacError `address-in-use` when another program has the protocol's port */
  async start(): Promise<void> {
    this.answering = await this.parts.openTransport(VACQUERY_PORT);
    this.poller = new Poller(await this.parts.openTransport(0), this.parts.clock);
    await this.takeSnapshot();
    const { clock } = this.parts;
    this.answering.onDatagram((datagram, { address, port }) => {
      const replies = this.responder.answer(datagram, address, clock.nowMs(), Date.now() / 1000);
      if (replies.length > 0) this.noteAlive(address);
      for (const reply of replies) this.answering?.send(reply, address, port);
    });
    this.snapshotTimer = setInterval(() => {
      this.takeSnapshot().catch((error: Error) => this.parts.log.warn(`VacQuery: ${error.message}`));
    }, SNAPSHOT_SECONDS * 1000);
    void this.pollForEver();
  }

  async close(): Promise<void> {
    this.closed = true;
    if (this.snapshotTimer !== null) clearInterval(this.snapshotTimer);
    this.endWait();
    await this.poller?.close();
    await this.answering?.close();
  }

  private peers(): string[] {
    const { memory } = this.parts;
    return memory.config.settings.factories.filter((name) => name !== memory.factory);
  }

  private async pollForEver(): Promise<void> {
    while (!this.closed) {
      await this.pollOnce().catch((error: Error) =>
        this.parts.log.error(`asking the other factories: ${error.message}`),
      );
      const seconds = Math.max(MIN_POLL_SECONDS, this.peers().length * POLL_SECONDS_PER_PEER);
      await this.wait(seconds);
    }
  }

  private async pollOnce(): Promise<void> {
    const { memory, clock, log } = this.parts;
    const names = this.peers();
    this.view.retain(names);
    this.peerMemory.retain(names);
    await this.lookUp(names);
    const peers = names.flatMap((factory): PollPeer[] => {
      const addresses = this.names.get(factory)?.addresses ?? [];
      return addresses.length === 0 ? [] : [{ factory, addresses, port: VACQUERY_PORT }];
    });
    const { settings } = memory.config;
    const answers = await this.poller!.poll({
      query: 'machinetypes_query',
      space: settings.vacSpace,
      vacVersion: `Vac ${VERSION} vacd`,
      peers,
      cookieOf: saltedCookies(),
      timeoutMs: settings.udpTimeoutSeconds * 1000,
      rng: Math.random,
      memory: this.peerMemory,
    });
    if (this.closed) return;
    const now = { steadyMs: clock.nowMs(), unixSeconds: Date.now() / 1000 };
    for (const answer of answers) this.view.accept(answer, now);
    memory.peers = this.view.news(now);
    const alone = names.length > 0 && answers.every((answer) => answer.outcome === 'none');
    if (alone !== this.alone) {
      this.alone = alone;
      if (alone) log.warn(`none of the ${names.length} other factories answers: going on alone`);
      else log.info('other factories answer');
    }
    this.parts.wake();
  }

  /** Names are looked up beside each other and only when due, so one that hangs holds up a poll once at most. */
  private async lookUp(factories: readonly string[]): Promise<void> {
    const { clock, log, resolve = resolveHost } = this.parts;
    const due = factories.filter((factory) => (this.names.get(factory)?.retryAtMs ?? 0) <= clock.nowMs());
    await Promise.all(
      due.map(async (factory) => {
        const known = this.names.get(factory);
        try {
          const addresses = await resolve(factory);
          this.names.set(factory, { addresses, retryAtMs: clock.nowMs() + NAME_SECONDS * 1000, problem: null });
        } catch (error) {
          const problem = (error as Error).message;
          if (known?.problem !== problem)
            log.warn(`factory ${factory} is not asked: its name does not resolve (${problem})`);
          const retryAtMs = clock.nowMs() + FAILED_NAME_SECONDS * 1000;
          this.names.set(factory, { addresses: known?.addresses ?? [], retryAtMs, problem });
        }
      }),
    );
  }

  private isFactory(address: string): boolean {
    for (const { addresses } of this.names.values()) if (addresses.includes(address)) return true;
    return false;
  }

  /** Who asks us lives: a factory that was given up is asked again with the next poll. */
  private noteAlive(address: string): void {
    for (const [factory, { addresses }] of this.names) {
      if (addresses.includes(address)) this.peerMemory.heard(factory, this.parts.clock.nowMs());
    }
  }

  private async takeSnapshot(): Promise<void> {
    const { memory, stateDir } = this.parts;
    this.responder.setSnapshot(factorySnapshot(memory, await readHostStatus(stateDir), Math.floor(Date.now() / 1000)));
  }

  private wait(seconds: number): Promise<void> {
    const { clock } = this.parts;
    return new Promise((resolve) => {
      const cancel = clock.at(clock.nowMs() + seconds * 1000, resolve);
      this.endWait = () => {
        cancel();
        resolve();
      };
    });
  }
}

/** IPv4 first: what the predecessor's factories listen on. */
async function resolveHost(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true });
  const addresses = found.map(({ address }) => address);
  return [...addresses.filter((address) => isIPv4(address)), ...addresses.filter((address) => !isIPv4(address))];
}
