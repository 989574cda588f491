/**
 * This factory as a member of its space: answers who may ask (`askers.ts`) from a picture of this very moment
 * (`picture.ts`), and asks the others (`polling.ts`). A factory on its own is asked as well, by `vac` and by monitors.
 */

import {
  addCounts,
  type Clock,
  type DatagramCounts,
  type PeerSummary,
  type PollPeer,
  Responder,
  type SnapshotProblem,
  type Transport,
  VACQUERY_PORT,
} from '../vacquery/index.js';
import { Askers, plainAddress } from './askers.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import type { Resolve } from './names.js';
import { HostWatch, Picture } from './picture.js';
import { Polling } from './polling.js';

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
  readonly peers: readonly PeerSummary[];
}

export class Space {
  private readonly polling: Polling;
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
    const { memory, clock, log, ownAddresses } = parts;
    this.polling = new Polling(parts);
    this.host = new HostWatch(parts.stateDir, clock, log);
    const askers = new Askers({
      isFactory: (address) => this.polling.isFactory(address),
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
   *   after, and starts no more (`Memory.queryProblem`). Both try again.
   */
  async start(): Promise<void> {
    const { memory, log } = this.parts;
    await this.host.start();
    await this.listen().catch((error: Error) => {
      if (this.hasOthers() && memory.machines.size === 0) throw error;
      log.warn(`VacQuery is not answered; tried again every ${RETRY_MS / 1000} s: ${error.message}`);
      this.retryLater(error);
    });
    await this.polling.start();
  }

  /** Takes what the configuration says now; called with each change of it. */
  configure(): void {
    this.toldProblems.clear();
    this.setPortProblem(this.portProblem);
    this.polling.configure();
  }

  report(): SpaceReport {
    const { memory } = this.parts;
    const { vacSpace, factories, udpTimeoutSeconds } = memory.config.settings;
    const own = memory.factory;
    return {
      space: vacSpace,
      factory: own,
      factories: factories.includes(own.toLowerCase()) ? factories : [own, ...factories],
      queryPort: this.answering?.port ?? null,
      udpTimeoutSeconds,
      alone: memory.alone,
      peers: this.polling.summaries(),
    };
  }

  /** The other factories, each with its addresses as far as they are known: for polls with other queries. */
  others(): PollPeer[] {
    return this.polling.others();
  }

  /** Datagrams in and out since the start, queries and answers of both sides. */
  get counts(): DatagramCounts {
    return addCounts(this.responder.counts, this.polling.counts);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.cancelRetry();
    this.host.close();
    await this.polling.close();
    await this.answering?.close();
  }

  private hasOthers(): boolean {
    const { memory } = this.parts;
    return memory.config.settings.factories.some((name) => name !== memory.factory.toLowerCase());
  }

  private async listen(): Promise<void> {
    const { clock, openTransport } = this.parts;
    const transport = await openTransport(VACQUERY_PORT);
    if (this.closed) return transport.close();
    this.answering = transport;
    transport.onDatagram((datagram, { address, port }) => {
      const replies = this.responder.answer(datagram, address, clock.nowMs(), Date.now() / 1000);
      if (replies.length > 0) this.polling.noteAlive(plainAddress(address));
      for (const reply of replies) transport.send(reply, address, port);
    });
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
