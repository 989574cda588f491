/**
 * A hypervisor host as it is without its vacd: libvirt with its domains, the guests in them, and the state directory.
 * All of it goes on, or stays, when vacd dies.
 */

import { isAccountable } from '../accounting/record.js';
import type { LastEnd, MachineRecord } from '../factory/types.js';
import type { Clock } from '../vacquery/clock.js';
import type { Directory } from './machine.js';
import { between, draw, type Rng } from './random.js';
import type { HostModel, TypeModel } from './scenario.js';
import type { WorkQueue } from './work.js';

/** A guest that is asked to power off does so within this, if it obeys at all. */
const POWER_OFF_SECONDS = [2, 25] as const;
const OBEYS_RATE = 0.9;
/** A machine on a black hole dies so soon after its start. */
const BLACK_HOLE_SECONDS = [5, 30] as const;

/** Of one factory's host, what the simulation is told. */
export interface HostEvents {
  /** A machine looked for work, and found some or gave up. */
  onLooked(record: MachineRecord, found: boolean): void;
  /** libvirt has a domain more or less; told whether or not a vacd is there to listen. */
  onDomains(): void;
}

export interface Domain {
  readonly record: MachineRecord;
  readonly directory: Directory;
  /** On the simulation's clock. */
  readonly createdMs: number;
  atWork: boolean;
}

export interface HostParts {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly model: HostModel;
  readonly types: Readonly<Record<string, TypeModel>>;
  readonly queues: ReadonlyMap<string, WorkQueue>;
  readonly isBlackHole: boolean;
  /** The host's own clock, in whole Unix seconds. */
  readonly nowSeconds: () => number;
  readonly events: HostEvents;
}

export class SimHost {
  /** `machines/`: those that are not cleared. What is cleared is history and of no more interest to the model. */
  readonly directories = new Map<string, Directory>();
  readonly domains = new Map<string, Domain>();
  /** `finishes/`. */
  readonly finishes = new Map<string, LastEnd>();
  /** What was accounted: the end of each machine's record, by UUID. Writing the same again changes nothing. */
  readonly archive = new Map<string, number>();
  /** Records of one machine that differ: it would be paid twice. */
  accountedTwice = 0;
  /** Machines that were owed a record, and were cleared without one. */
  unaccounted = 0;

  constructor(private readonly parts: HostParts) {}

  /** @returns false when libvirt refuses: the name is in use */
  createDomain(directory: Directory): boolean {
    const { record } = directory;
    for (const other of this.domains.values()) if (other.record.slot === record.slot) return false;
    const domain: Domain = { record, directory, createdMs: this.parts.clock.nowMs(), atWork: false };
    this.domains.set(record.uuid, domain);
    this.parts.events.onDomains();
    this.boot(domain);
    return true;
  }

  /** A domain that has long been running when the simulation begins, with so much of its life left. */
  resume(directory: Directory, leftSeconds: number): void {
    const { record } = directory;
    const { queues, clock } = this.parts;
    const queue = queues.get(record.machinetype)!;
    const domain: Domain = { record, directory, createdMs: clock.nowMs(), atWork: true };
    this.directories.set(record.id, directory);
    this.domains.set(record.uuid, domain);
    queue.take(record.processors);
    this.work(domain, queue, leftSeconds);
  }

  /** By ACPI: the guest may take its time, or not obey. */
  shutdownDomain(uuid: string): void {
    const domain = this.domains.get(uuid);
    const { rng } = this.parts;
    if (domain === undefined || rng() >= OBEYS_RATE) return;
    this.later(between(rng, ...POWER_OFF_SECONDS), domain, () => this.end(domain, null));
  }

  destroyDomain(uuid: string): void {
    const domain = this.domains.get(uuid);
    if (domain !== undefined) this.end(domain, null);
  }

  /** The host goes down and comes back: no domain is left. */
  reboot(): void {
    for (const domain of [...this.domains.values()]) this.end(domain, null);
  }

  /** Puts a machine's record into the archive; what machines/finish.ts does, with the same rule of what is owed. */
  account({ record, startedTimeSeconds, end }: Directory): void {
    if (end === null || !isAccountable(record, startedTimeSeconds, end)) return;
    const known = this.archive.get(record.uuid);
    if (known !== undefined && known !== end.timeSeconds) this.accountedTwice += 1;
    this.archive.set(record.uuid, end.timeSeconds);
  }

  /** Nothing is left of it but its record. */
  clear(directory: Directory): void {
    const { record, startedTimeSeconds, end } = directory;
    this.directories.delete(record.id);
    const isOwed = end !== null && isAccountable(record, startedTimeSeconds, end);
    if (isOwed && !this.archive.has(record.uuid)) this.unaccounted += 1;
  }

  private boot(domain: Domain): void {
    const { rng, model, isBlackHole, nowSeconds } = this.parts;
    domain.directory.lastTraceTimeSeconds = nowSeconds();
    if (isBlackHole) {
      this.later(between(rng, ...BLACK_HOLE_SECONDS), domain, () => this.end(domain, null));
      return;
    }
    this.later(draw(model.bootSeconds, rng), domain, () => {
      if (this.findWork(domain)) return;
      this.later(draw(model.lookSeconds, rng), domain, () => {
        if (this.findWork(domain)) return;
        this.parts.events.onLooked(domain.record, false);
        this.end(domain, '300 No more work');
      });
    });
  }

  private findWork(domain: Domain): boolean {
    const { record } = domain;
    const { queues, types, rng, clock, events } = this.parts;
    const queue = queues.get(record.machinetype);
    if (queue === undefined || !queue.hasRoom(record.processors, clock.nowMs() / 1000)) return false;
    queue.take(record.processors);
    domain.atWork = true;
    events.onLooked(record, true);
    this.work(domain, queue, draw(types[record.machinetype]!.life, rng));
    return true;
  }

  private work(domain: Domain, queue: WorkQueue, seconds: number): void {
    const { clock } = this.parts;
    this.later(seconds, domain, () => {
      domain.atWork = false;
      this.end(domain, queue.release(domain.record.processors, clock.nowMs() / 1000));
    });
  }

  private end(domain: Domain, words: string | null): void {
    const { record, directory } = domain;
    const { queues, clock, nowSeconds, events } = this.parts;
    if (domain.atWork) queues.get(record.machinetype)?.release(record.processors, clock.nowMs() / 1000);
    domain.atWork = false;
    directory.lastWords = words;
    directory.lastTraceTimeSeconds = nowSeconds();
    this.domains.delete(record.uuid);
    events.onDomains();
  }

  /** What a guest does in so many seconds, if it is still there by then. */
  private later(seconds: number, domain: Domain, run: () => void): void {
    const { clock } = this.parts;
    clock.at(clock.nowMs() + seconds * 1000, () => {
      if (this.domains.get(domain.record.uuid) === domain) run();
    });
  }
}
