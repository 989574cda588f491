/**
 * Status datagrams to VacMon services (SPEC 3): the answers to all three queries, unasked, each minute, and that of a
 * machine as soon as it has ended and is accounted for. Only to services that the configuration names; nothing is sent
 * anywhere by default.
 *
 * Each service has a round of its own, so that one whose name is not known yet keeps no other waiting. Names are looked
 * up one at a time: a resolver that hangs takes one of the few threads that this process has for files as well. Datagrams
 * leave one by one: a factory with many slots and many services must not send bursts that a receiver drops.
 */

import type { HostPort } from '../config/types.js';
import {
  type Clock,
  encode,
  type FactorySnapshot,
  Replies,
  type Transport,
  UNASKED_COOKIE,
} from '../vacquery/index.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { factorySnapshot, type HostStatus, machineStatusOf } from './snapshot.js';

const ROUND_MS = 60_000;
/** The first round comes within so long of the start, at a time of its own for each service and factory. */
const FIRST_ROUND_MS = 5_000;
/** Between two datagrams to a service; less where a round would last longer than this. */
const SPACING_MS = 5;
const MAX_ROUND_MS = 20_000;
const KINDS = ['factory_query', 'machinetypes_query', 'machines_query'] as const;
/** Characters of a shutdown message that surely fit, whatever they are. */
const SHORT_MESSAGE_CHARACTERS = 100;

export interface VacMonParts {
  readonly memory: Memory;
  readonly log: Logger;
  /** What only the host can tell. */
  readonly readHost: () => Promise<HostStatus>;
  readonly clock: Clock;
  /** A socket to send from; asked for only when there is a service to send to. */
  readonly openTransport: () => Promise<Transport>;
  /** IP addresses of a host; rejects when it has none. */
  readonly resolve: (name: string) => Promise<readonly string[]>;
  /** Uniform in [0, 1). */
  readonly rng: () => number;
}

export class VacMon {
  private readonly monitors = new Map<string, Monitor>();
  private transport: Promise<Transport> | null = null;
  private lookups: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: VacMonParts) {}

  /** Sends to the services of the configuration in force; to be called at the start and after each change. */
  reconfigure(): void {
    const wanted = new Map(this.parts.memory.config.settings.vacmonHostports.map((where) => [nameOf(where), where]));
    for (const [name, monitor] of this.monitors) {
      if (wanted.has(name)) continue;
      monitor.close();
      this.monitors.delete(name);
    }
    for (const [name, where] of wanted) {
      if (this.monitors.has(name)) continue;
      const monitor = new Monitor(where, name, this.parts, this.openTransport, this.resolve);
      this.monitors.set(name, monitor);
      monitor.start();
    }
    if (this.monitors.size === 0) void this.closeTransport();
  }

  /** Tells of one machine now; of the one that its slot has next, the rounds tell. */
  machineEnded(machineId: string): void {
    if (this.monitors.size === 0) return;
    const { memory, log } = this.parts;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const found = machineStatusOf(memory, machineId, nowSeconds);
    if (found === null) return;
    const status = { ...found, fqan: plainFqan(found.fqan) };
    let encoded = encode(status);
    if (!encoded.ok && status.shutdown_message !== null) {
      encoded = encode({ ...status, shutdown_message: status.shutdown_message.slice(0, SHORT_MESSAGE_CHARACTERS) });
    }
    if (!encoded.ok) log.warn(`VacMon: the status of ${status.machine} cannot be sent: ${encoded.reason}`);
    else for (const monitor of this.monitors.values()) monitor.sendSoon(encoded.datagram);
  }

  /** Datagrams sent so far to each service that the configuration names, by `host:port`. */
  counts(): [monitor: string, sent: number][] {
    return [...this.monitors].map(([name, { sent }]) => [name, sent]);
  }

  async close(): Promise<void> {
    for (const monitor of this.monitors.values()) monitor.close();
    this.monitors.clear();
    await this.closeTransport();
  }

  private readonly openTransport = (): Promise<Transport> => {
    this.transport ??= this.parts.openTransport().catch((error: Error) => {
      this.transport = null;
      throw error;
    });
    return this.transport;
  };

  private readonly resolve = (host: string): Promise<readonly string[]> => {
    const addresses = this.lookups.then(() => this.parts.resolve(host));
    this.lookups = addresses.catch(() => {});
    return addresses;
  };

  private async closeTransport(): Promise<void> {
    const { transport } = this;
    this.transport = null;
    await (await transport?.catch(() => null))?.close();
  }
}

/** One service: its rounds, its addresses, and what is on its way to it. */
class Monitor {
  sent = 0;
  private addresses: readonly string[] = [];
  private lookUpUnderWay: Promise<void> | null = null;
  private nameProblem: string | null = null;
  private toldProblem: string | null = null;
  private readonly toldUnsendable = new Set<string>();
  private readonly queue: Uint8Array[] = [];
  private transport: Transport | null = null;
  private closed = false;
  private cancelRound: () => void = () => {};
  private cancelSending: (() => void) | null = null;

  constructor(
    private readonly where: HostPort,
    private readonly name: string,
    private readonly parts: VacMonParts,
    private readonly openTransport: () => Promise<Transport>,
    private readonly resolve: (host: string) => Promise<readonly string[]>,
  ) {}

  start(): void {
    const { clock, rng } = this.parts;
    this.roundAt(clock.nowMs() + rng() * FIRST_ROUND_MS);
  }

  close(): void {
    this.closed = true;
    this.cancelRound();
    this.cancelSending?.();
  }

  /** Before the rest of a round; lost where the service's address is not known yet. */
  sendSoon(datagram: Uint8Array): void {
    if (this.transport === null || this.addresses.length === 0) return;
    this.queue.unshift(datagram);
    this.sendOn();
  }

  private roundAt(atMs: number): void {
    this.cancelRound = this.parts.clock.at(atMs, async () => {
      await this.round().catch((error: Error) => this.tell(error.message));
      // Rounds begin a minute apart; one that was held up longer is not made up for.
      if (!this.closed) this.roundAt(Math.max(atMs + ROUND_MS, this.parts.clock.nowMs()));
    });
  }

  private async round(): Promise<void> {
    const { memory, readHost } = this.parts;
    this.transport = await this.openTransport();
    this.lookUpUnderWay ??= this.lookUp();
    if (this.addresses.length === 0) await this.lookUpUnderWay;
    if (this.closed || this.addresses.length === 0) return;
    const nowSeconds = Math.floor(Date.now() / 1000);
    const snapshot = factorySnapshot(memory, await readHost(), nowSeconds);
    const replies = new Replies(forMonitors(snapshot), ({ name, refusal }) =>
      this.tellUnsendable(name, refusal.reason),
    );
    this.queue.push(...KINDS.flatMap((kind) => replies.datagrams(kind, UNASKED_COOKIE, nowSeconds) ?? []));
    this.sendOn();
    this.tell(this.nameProblem);
  }

  private async lookUp(): Promise<void> {
    try {
      if (!this.closed) this.addresses = await this.resolve(this.where.host);
      this.nameProblem = null;
    } catch (error) {
      // Where it was last is better than nowhere.
      this.nameProblem = `its name does not resolve (${(error as Error).message})`;
      this.tell(this.nameProblem);
    }
    this.lookUpUnderWay = null;
  }

  /** Sends what waits, with a pause after each few. */
  private sendOn(): void {
    if (this.cancelSending !== null || this.closed) return;
    const [address] = this.addresses;
    const atOnce = Math.ceil((this.queue.length * SPACING_MS) / MAX_ROUND_MS);
    const sendNext = (): void => {
      this.cancelSending = null;
      for (const datagram of this.queue.splice(0, atOnce)) {
        this.transport?.send(datagram, address ?? '', this.where.port);
        this.sent += 1;
      }
      if (this.queue.length > 0) this.cancelSending = clock.at(clock.nowMs() + SPACING_MS, sendNext);
    };
    const { clock } = this.parts;
    sendNext();
  }

  /** Once for each trouble, and once when it is over. */
  private tell(problem: string | null): void {
    if (problem === this.toldProblem || this.closed) return;
    const { log } = this.parts;
    if (problem === null) log.info(`VacMon ${this.name}: status is sent to it again`);
    else log.warn(`VacMon ${this.name}: ${problem}; tried again each minute`);
    this.toldProblem = problem;
  }

  private tellUnsendable(name: string, reason: string): void {
    if (this.toldUnsendable.has(name)) return;
    this.toldUnsendable.add(name);
    this.parts.log.warn(`VacMon ${this.name}: the status of ${name} cannot be sent: ${reason}`);
  }
}

function nameOf({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Its receiver takes `fqan` only where it begins with a slash (SPEC 3). */
function plainFqan(fqan: string | null): string | null {
  return fqan?.startsWith('/') ? fqan : null;
}

function forMonitors(snapshot: FactorySnapshot): FactorySnapshot {
  const plain = <T extends { readonly fqan: string | null }>(status: T): T => ({
    ...status,
    fqan: plainFqan(status.fqan),
  });
  return { ...snapshot, machines: snapshot.machines.map(plain), machinetypes: snapshot.machinetypes.map(plain) };
}
