/**
 * The administrator's orders to this vacd: put into the Memory, from where decisions take them, and those that mean more
 * than this moment into `orders.json`. A host that is drained for a repair stays so when vacd is restarted or the host
 * boots; so the log says loudly at each start what still holds, and how it is lifted.
 */

import { rm } from 'node:fs/promises';
import { VacError } from '../errors.js';
import { drainInForce, utcTime } from '../factory/orders.js';
import type { DrainOrder } from '../factory/types.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import { slotNamed } from '../machines/layout.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';

export interface OrderBookParts {
  readonly memory: Memory;
  /** Of orders.json. */
  readonly path: string;
  readonly log: Logger;
  readonly wake: () => void;
}

/** What is written down. */
interface KeptOrders {
  readonly drain: DrainOrder | null;
  readonly shutdownTimeSeconds: number | null;
  /** Ids of machines to stop that are not over. */
  readonly stopMachines: ReadonlySet<string>;
}

/** The version of the file's form; another one is not understood. */
const VERSION = 1;
const MAX_NAMES = 20;
/** As requests may give (control-request.ts); a file that somebody wrote by hand may hold milliseconds. */
const MAX_TIME_SECONDS = 9_999_999_999;
/** An order to drain is kept for so long after its end: the clock may have jumped ahead, and come back. */
const KEPT_AFTER_END_SECONDS = 3600;

export class OrderBook {
  /** The order to drain whose end the log tells of. */
  private toldOver: DrainOrder | null = null;
  private writing: Promise<void> = Promise.resolve();

  constructor(private readonly parts: OrderBookParts) {}

  /**
   * Takes up what an earlier vacd was ordered. Never throws. The file is there only while something is ordered, so where it
   * cannot be read nothing starts until somebody has looked: a failure looks like planned draining (SPEC 1).
   */
  async restore(nowSeconds: number): Promise<void> {
    const { memory, path, log } = this.parts;
    let kept: KeptOrders | null;
    try {
      const text = await readTextIfThere(path);
      kept = text === null ? null : parseOrders(text);
    } catch (error) {
      const reason = `${path} cannot be read: what was ordered is not known`;
      const drain = { reason, sinceSeconds: nowSeconds, untilSeconds: null, byTimeSeconds: null };
      memory.orders = { ...memory.orders, drain };
      log.error(
        `${path} cannot be read (${(error as Error).message}): what vac drain or vac shutdown-at ordered is not known, so nothing new starts; vac undrain lifts that, and what was ordered must be ordered again`,
      );
      return;
    }
    if (kept === null) return;
    memory.orders = { ...memory.orders, ...kept };
    const drain = drainInForce({ nowSeconds, orders: memory.orders });
    if (drain !== null) {
      log.warn(
        `STILL DRAINING, as ordered at ${utcTime(drain.sinceSeconds)}: ${describe(drain)}. vac undrain lifts it`,
      );
    }
    if (kept.shutdownTimeSeconds !== null) {
      log.warn(
        `ALL MACHINES ARE STILL TO BE GONE by ${utcTime(kept.shutdownTimeSeconds)}, as ordered. vac shutdown-at never lifts it`,
      );
    }
    const stopping = [...kept.stopMachines].filter((id) => memory.machines.has(id));
    if (stopping.length > 0) log.warn(`TO BE STOPPED STILL, as ordered: ${stopping.join(', ')}`);
    this.tidy(nowSeconds);
  }

  /**
   * Starts nothing more. Machines go on, to their end or to `byTimeSeconds`.
   *
   * @throws VacError `orders-not-kept`; the order holds all the same, as with all others here
   */
  async drain(order: DrainOrder): Promise<void> {
    this.set({ drain: order });
    this.parts.log.info(`draining: ${describe(order)}`);
    await this.keep();
  }

  /** Lifts the order to drain, with the shutdown time that came with it. */
  async undrain(): Promise<void> {
    this.set({ drain: null });
    this.parts.log.info('draining is over');
    await this.keep();
  }

  /** @param timeSeconds null: the order is lifted */
  async shutdownAt(timeSeconds: number | null): Promise<void> {
    this.set({ shutdownTimeSeconds: timeSeconds });
    this.parts.log.info(
      timeSeconds === null
        ? 'the ordered shutdown time is lifted'
        : `all machines are to be gone by ${utcTime(timeSeconds)}, as ordered`,
    );
    await this.keep();
  }

  /**
   * Stops one machine. It may take a while until it can be asked (it is being created, libvirt is away): the wish outlives
   * a restart of vacd until the machine is over.
   *
   * @param name host name (short or full), slot number, or name of its directory
   * @returns the machine's id
   * @throws VacError `no-such-thing`
   */
  async stop(name: string): Promise<string> {
    const { memory, log } = this.parts;
    const { record } = livingMachine(memory, name).entry;
    this.set({ stopMachines: new Set([...memory.orders.stopMachines, record.id]) });
    log.info({ machine: record.id }, `${record.hostname}: to be stopped, as ordered`);
    await this.keep();
    return record.id;
  }

  /** Clears what is over: draining whose end is long past, machines that are no more. To be called after each pass. */
  tidy(nowSeconds: number): void {
    const { memory, log } = this.parts;
    const { drain, stopMachines } = memory.orders;
    this.tellEnd(drain, nowSeconds);
    const left = new Set([...stopMachines].filter((id) => memory.machines.has(id)));
    const isLongOver =
      drain !== null && drain.untilSeconds !== null && nowSeconds >= drain.untilSeconds + KEPT_AFTER_END_SECONDS;
    if (left.size === stopMachines.size && !isLongOver) return;
    memory.orders = { ...memory.orders, drain: isLongOver ? null : drain, stopMachines: left };
    this.keep().catch((error: Error) => log.error(error.message));
  }

  /** Once, and anew where the clock was set back since. */
  private tellEnd(drain: DrainOrder | null, nowSeconds: number): void {
    const { memory, log } = this.parts;
    if (drain === null || drainInForce({ nowSeconds, orders: memory.orders }) !== null) this.toldOver = null;
    else if (this.toldOver !== drain) {
      this.toldOver = drain;
      log.info(`draining is over: it was ordered until ${utcTime(drain.untilSeconds ?? nowSeconds)}`);
    }
  }

  private set(change: Partial<Memory['orders']>): void {
    const { memory, wake } = this.parts;
    memory.orders = { ...memory.orders, ...change };
    wake();
  }

  /** Writes what holds now; one after the other, so that the last wish is what stays. */
  private keep(): Promise<void> {
    const { path, memory } = this.parts;
    const write = async (): Promise<void> => {
      const { drain, shutdownTimeSeconds, stopMachines } = memory.orders;
      if (drain === null && shutdownTimeSeconds === null && stopMachines.size === 0) await rm(path, { force: true });
      else {
        const kept = { version: VERSION, drain, shutdownTimeSeconds, stopMachines: [...stopMachines] };
        await writeFileAtomic(path, `${JSON.stringify(kept, null, 1)}\n`);
      }
    };
    const written = this.writing.then(write).catch((cause: Error) => {
      throw new VacError(
        'orders-not-kept',
        `it holds, but ${path} could not be written (${cause.message}): a restart of vacd would not know of it`,
        { cause },
      );
    });
    this.writing = written.catch(() => {});
    return written;
  }
}

function describe({ reason, untilSeconds, byTimeSeconds }: DrainOrder): string {
  const by = byTimeSeconds === null ? '' : `, machines to be gone by ${utcTime(byTimeSeconds)}`;
  const until = untilSeconds === null ? '' : `, until ${utcTime(untilSeconds)}`;
  return `${reason}${by}${until}`;
}

/** The machine of this name that is not over. */
function livingMachine(memory: Memory, name: string): MachineMemory {
  const slot = slotNamed(memory.factory, name.toLowerCase());
  const living = [...memory.machines.values()].filter(
    ({ entry }) => entry.phase === 'starting' || entry.phase === 'running',
  );
  const found = living.find(({ entry: { record } }) => record.id === name || record.slot === slot);
  if (found !== undefined) return found;
  const names = living.map(({ entry: { record } }) => record.hostname.split('.')[0]);
  const shown = names.slice(0, MAX_NAMES).join(', ');
  const there =
    names.length === 0
      ? 'no machine runs here now'
      : `here run ${shown}${names.length > MAX_NAMES ? ` and ${names.length - MAX_NAMES} more` : ''}`;
  throw new VacError('no-such-thing', `no machine ${name} runs on ${memory.factory}; ${there}`);
}

/** @throws Error that says what is wrong with the file's content */
function parseOrders(text: string): KeptOrders {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error('it holds no object');
  const { version, drain, shutdownTimeSeconds, stopMachines = [] } = value as Record<string, unknown>;
  if (version !== VERSION) throw new Error(`it is of version ${JSON.stringify(version)}, not ${VERSION}`);
  if (!Array.isArray(stopMachines) || stopMachines.some((id) => typeof id !== 'string')) {
    throw new Error(`stopMachines is ${JSON.stringify(stopMachines)}, not a list of machines`);
  }
  return {
    drain: parseDrain(drain),
    shutdownTimeSeconds: parseTime('shutdownTimeSeconds', shutdownTimeSeconds),
    stopMachines: new Set(stopMachines),
  };
}

function parseDrain(value: unknown): DrainOrder | null {
  if (value === null) return null;
  if (typeof value !== 'object') throw new Error(`drain is ${JSON.stringify(value)}`);
  const { reason, sinceSeconds, untilSeconds, byTimeSeconds } = value as Record<string, unknown>;
  if (typeof reason !== 'string') throw new Error(`drain.reason is ${JSON.stringify(reason)}, not a text`);
  const since = parseTime('drain.sinceSeconds', sinceSeconds);
  if (since === null) throw new Error('drain.sinceSeconds is null');
  return {
    reason,
    sinceSeconds: since,
    untilSeconds: parseTime('drain.untilSeconds', untilSeconds),
    byTimeSeconds: parseTime('drain.byTimeSeconds', byTimeSeconds),
  };
}

function parseTime(name: string, value: unknown): number | null {
  const isTime = Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_TIME_SECONDS;
  if (value === null || isTime) return value as number | null;
  throw new Error(`${name} is ${JSON.stringify(value)}, not a Unix time or null`);
}
