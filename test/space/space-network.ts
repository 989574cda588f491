/**
 * A space in one process: real `Space` objects, each with a Memory of its own, on a network in memory and a clock that
 * passes only when a test says so; the calendar goes with it.
 */

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vi } from 'vitest';
import { Memory } from '../../src/daemon/memory.js';
import { Space, type SpaceParts } from '../../src/daemon/space.js';
import {
  GOSSIP_LIMITS,
  looksLikeGossip,
  MemoryNetwork,
  seededRandom,
  type Transport,
  VACQUERY_PORT,
  VirtualClock,
} from '../../src/vacquery/index.js';
import { TestLog, turn } from '../daemon/test-factory.js';
import { config, machine, machinetype, NOW } from '../factory/builders.js';
import { MemberHere, type MemberHereParts } from './member-here.js';

export const [WN1, WN2, WN3] = ['wn1.example.com', 'wn2.example.com', 'wn3.example.com'] as const;
export const NAMES: readonly string[] = [WN1, WN2, WN3];
export const SPACE = 'vac01.example.com';
export const TIMEOUT_SECONDS = 5;
/** Who is not heard by gossip for so long is polled. */
export const SILENT_SECONDS = GOSSIP_LIMITS.legacySilentSeconds;

export type Settings = Parameters<typeof config>[1];

export const addressOf = (name: string) => `192.0.2.${NAMES.indexOf(name.toLowerCase()) + 1}`;

export function configOf(settings: Settings = {}) {
  return config([machinetype('prod', { targetShare: 1.5, machinegroup: 'group' })], {
    vacSpace: SPACE,
    factories: [...NAMES],
    udpTimeoutSeconds: TIMEOUT_SECONDS,
    ...settings,
  });
}

export class SpaceNetwork {
  readonly clock = new VirtualClock();
  readonly network: MemoryNetwork;
  /** For files of a test. */
  readonly directory = mkdtempSync(join(tmpdir(), 'vac-space-'));
  /** Whose gossip reaches nobody, nor anybody's them: the predecessor's factories. */
  readonly legacy = new Set<string>();
  /** The calendar less the steady clock, of all hosts. */
  calendarMs = NOW * 1000;
  private readonly made: Space[] = [];

  constructor(seed = 7) {
    this.network = new MemoryNetwork(this.clock, seededRandom(seed));
    vi.spyOn(Date, 'now').mockImplementation(() => this.calendarMs + this.clock.nowMs());
  }

  async close(): Promise<void> {
    await Promise.all(this.made.map((space) => space.close()));
    vi.restoreAllMocks();
    rmSync(this.directory, { recursive: true });
  }

  stateDirOf(name: string): string {
    const path = join(this.directory, name.toLowerCase());
    mkdirSync(path, { recursive: true });
    return path;
  }

  open(name: string, port: number): Transport {
    const transport = this.network.open(addressOf(name), port);
    if (port !== VACQUERY_PORT) return transport;
    const passes = (datagram: Uint8Array) => !looksLikeGossip(datagram) || !this.legacy.has(name);
    return {
      ...transport,
      send: (datagram, ...to) => passes(datagram) && transport.send(datagram, ...to),
      onDatagram: (listener) => transport.onDatagram((datagram, from) => passes(datagram) && listener(datagram, from)),
    };
  }

  /** A factory of the space with a number of running machines of type `prod`, not started yet. */
  make(name: string, running = 0, settings: Settings = {}, parts: Partial<SpaceParts & MemberHereParts> = {}) {
    const { clock } = this;
    const memory = new Memory(name, configOf(settings));
    memory.host = { ...memory.host, processors: 8 };
    const log = new TestLog();
    const process = new MemberHere({
      clock,
      openTransport: async (port) => this.open(name, port),
      resolve: async (host) => [addressOf(host)],
      ownAddresses: () => [addressOf(name)],
      ...parts,
    });
    const space = new Space({
      memory,
      log: log.logger,
      stateDir: this.stateDirOf(name),
      wake: () => {},
      clock,
      process,
      ...parts,
    });
    this.made.push(space);
    /** As the loop does after each pass. */
    const run = (slot: number) => {
      const found = memory.remember({ ...machine({}, { slot, id: `1700000000_prod_${name}-${slot}` }) }, clock.nowMs());
      space.announce();
      return found;
    };
    for (let slot = 0; slot < running; slot += 1) run(slot);
    /** What it knows is then as it is at once; resolves when it gossips, and has read its keys. */
    const reconfigure = async (changed: Settings) => {
      memory.config = configOf({ ...settings, ...changed });
      space.configure();
      await space.settled();
    };
    /** The member here answers before the question has returned. */
    const look = () => {
      void space.look();
      return space;
    };
    const report = () => look().report();
    const peer = (of: string) => report().peers.find(({ factory }) => factory === of);
    /** Machines that each of the others runs, as far as it is known to. */
    const runningOf = () =>
      Object.fromEntries(
        report().peers.flatMap((each) => (each.way === null ? [] : [[each.factory, each.runningMachines]])),
      );
    return {
      memory,
      log,
      space,
      process,
      look,
      report,
      run,
      reconfigure,
      peer,
      running: runningOf,
      problemsOf: (of: string) => peer(of)?.problems,
      /** By which way each of the others' news came. */
      ways: () => Object.fromEntries(report().peers.map(({ factory, way }) => [factory, way])),
      /** What decisions are told: machines of all others together. */
      counted: () => memory.peers.reduce((sum, { runningMachines }) => sum + runningMachines, 0),
    };
  }

  async start(...made: Parameters<SpaceNetwork['make']>) {
    const factory = this.make(...made);
    await factory.space.start();
    return factory;
  }

  /** One of the predecessor's, or of a version before gossip. */
  async startLegacy(...made: Parameters<SpaceNetwork['make']>) {
    this.legacy.add(made[0]);
    return this.start(...made);
  }

  /** Virtual time, and as many turns of the real loop as what happens in it takes. */
  async pass(seconds: number): Promise<void> {
    const endMs = this.clock.nowMs() + seconds * 1000;
    while (this.clock.nowMs() < endMs) {
      this.clock.runUntil(Math.min(endMs, this.clock.nowMs() + 20));
      await turn();
    }
  }

  /** Until a condition holds; the seconds that it took. */
  async until(what: string, condition: () => boolean, maxSeconds: number): Promise<number> {
    const startMs = this.clock.nowMs();
    while (!condition()) {
      if (this.clock.nowMs() - startMs > maxSeconds * 1000) throw new Error(`not within ${maxSeconds} s: ${what}`);
      await this.pass(0.05);
    }
    return (this.clock.nowMs() - startMs) / 1000;
  }
}
