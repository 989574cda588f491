/**
 * Which machines are held in quarantine, by whose wish, and what was kept of each: in memory for the decisions, and in
 * `quarantine/<machine>/order.json`, written before anything is done, for the vacd of tomorrow. When a machine was released
 * the file is called `released-<time of the order>.json`, and what was kept stays beside it until somebody removes it.
 */

import { link, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../errors.js';
import { utcTime } from '../factory/orders.js';
import { quarantineFiles, quarantineSuspension } from '../factory/quarantine.js';
import type { MachineRecord, Quarantine } from '../factory/types.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import { Serial } from '../host/helper-daemon.js';
import { type StateLayout, slotNamed } from '../machines/layout.js';
import type { Trail } from '../trail/trail.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';

export interface QuarantineBookParts {
  readonly memory: Memory;
  readonly layout: StateLayout;
  readonly trail: Pick<Trail, 'note'>;
  readonly log: Logger;
  readonly wake: () => void;
}

export interface QuarantineRequest {
  readonly machine: string;
  readonly who: string;
  readonly reason: string;
}

/** What an order did: `too-late`, the disks of the machine are gone and its logs and outputs are kept. */
export interface Held {
  readonly machine: string;
  readonly what: 'held' | 'disks-kept' | 'too-late';
}

const ORDER = 'order.json';
const VERSION = 1;

export class QuarantineBook {
  private tidying = false;
  private readonly serial = new Serial();

  constructor(private readonly parts: QuarantineBookParts) {}

  /**
   * Takes up what an earlier vacd was ordered. A directory whose order cannot be read is held all the same: that somebody
   * wanted the machine kept is known by its being there.
   */
  async restore(): Promise<void> {
    const { memory, layout, log } = this.parts;
    const names = await readdir(layout.quarantine('')).catch(() => []);
    const found = new Map<string, Quarantine>();
    for (const id of names) {
      const text = await readTextIfThere(join(layout.quarantine(id), ORDER)).catch(() => '');
      if (text === null) continue;
      const order = parseOrder(text);
      if (order === null) log.error(`${join(layout.quarantine(id), ORDER)} cannot be read; ${id} is held all the same`);
      found.set(id, order ?? unknownOrder());
    }
    memory.quarantines = found;
    for (const [id, order] of found) {
      const machine = memory.machines.get(id);
      // Also while it is being released: else one whose mark was lost would be left halted, and end as paused by nobody.
      if (machine !== undefined && isLiving(machine))
        memory.update(machine, { suspension: quarantineSuspension(order) });
      if (order.release !== null) continue;
      log.warn(
        `IN QUARANTINE STILL, by ${order.who} since ${utcTime(order.sinceSeconds)}: ${id}: ${order.reason}. vac release lifts it`,
      );
    }
  }

  /** @throws VacError `no-such-thing`, `quarantine-failed` when it cannot be written down: then nothing was done */
  async hold({ machine: name, who, reason }: QuarantineRequest): Promise<Held> {
    const { memory, layout, trail, log } = this.parts;
    const machine = findMachine(memory, name);
    const { record } = machine.entry;
    const isFirst = !memory.quarantines.has(record.id);
    let order: Quarantine;
    try {
      await mkdir(layout.quarantine(record.id), { recursive: true, mode: 0o700 });
      order = await this.change(record.id, (known) => ({
        sinceSeconds: known?.sinceSeconds ?? nowSeconds(),
        // What could not be kept for want of room is tried again.
        memory: known?.memory?.includes('is kept in') ? known.memory : null,
        who,
        reason,
        release: null,
      }));
    } catch (cause) {
      throw new VacError(
        'quarantine-failed',
        `${record.hostname} is NOT held: ${layout.quarantine(record.id)} cannot be written: ${(cause as Error).message}; make room there, or halt it by hand: virsh suspend ${record.hostname}`,
        { cause },
      );
    }
    if (isLiving(machine)) memory.update(machine, { suspension: quarantineSuspension(order) });
    log.warn({ machine: record.id }, `${record.hostname}: in quarantine, by ${who}: ${reason}`);
    this.parts.wake();
    // At the time of this order: a second one, perhaps of somebody else, is another fact.
    await trail
      .note(record, 'quarantined', who, reason, isFirst ? order.sinceSeconds : nowSeconds())
      .catch((error: Error) => {
        log.error(`${record.hostname}: its quarantine is not in the trail: ${error.message}`);
      });
    await this.keepLog(record);
    // What was being done to it when the order came is waited for: only then is it known what is left.
    await untilFree(machine);
    return { machine: record.id, what: whatIsLeft(machine) };
  }

  /** @throws VacError `no-such-thing` when it is not held */
  async release(name: string, who: string, destroy: boolean): Promise<string> {
    const { memory, trail, log } = this.parts;
    // Its directory may have been removed by hand; then it is known by its name alone.
    const { id, uuid } = memory.quarantines.has(name) ? { id: name, uuid: '' } : findHeld(memory, name).entry.record;
    const release = destroy ? 'destroy' : 'resume';
    const text = destroy ? 'it is destroyed' : 'it goes on';
    await trail.note({ id, uuid: memory.factsOf(id, 0)?.record.uuid ?? uuid }, 'released', who, text);
    await this.change(id, (order = unknownOrder()) => ({ ...order, release }));
    log.warn({ machine: id }, `${id}: released from quarantine by ${who}: ${text}`);
    this.parts.wake();
    return id;
  }

  /** Takes down what became of its memory. */
  async noteMemory(id: string, words: string): Promise<void> {
    if (!this.parts.memory.quarantines.has(id)) return;
    await this.change(id, (order = unknownOrder()) => ({ ...order, memory: words }));
  }

  /** Closes what is over. To be called after each pass. */
  tidy(): void {
    if (this.tidying) return;
    const { memory, log } = this.parts;
    const over = [...memory.quarantines].filter(([id, order]) => this.isOver(id, order)).map(([id]) => id);
    if (over.length === 0) return;
    this.tidying = true;
    Promise.all(over.map((id) => this.close(id)))
      .catch((error: Error) => log.error(`a quarantine that is over cannot be closed: ${error.message}`))
      .finally(() => {
        this.tidying = false;
      });
  }

  private isOver(id: string, { release }: Quarantine): boolean {
    const { memory } = this.parts;
    const machine = memory.machines.get(id);
    if (machine === undefined) return release !== null;
    const goesOn = machine.entry.phase === 'running' && machine.entry.suspension?.by !== 'quarantine' && !machine.busy;
    return release === 'resume' && goesOn;
  }

  private async close(id: string): Promise<void> {
    const { memory, layout, log } = this.parts;
    const directory = layout.quarantine(id);
    const left = new Map(memory.quarantines);
    await rename(join(directory, ORDER), join(directory, quarantineFiles(left.get(id)!).released));
    left.delete(id);
    memory.quarantines = left;
    log.info(
      { machine: id },
      `${id}: its quarantine is over; what was kept is in ${directory}, remove it when it is no longer needed`,
    );
    this.parts.wake();
  }

  /** A second name for its log: whatever tidies logs leaves this one. */
  private async keepLog(record: MachineRecord): Promise<void> {
    const { layout, log } = this.parts;
    await link(layout.machineLog(record.id), join(layout.quarantine(record.id), 'machine.log')).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST' || error.code === 'ENOENT') return;
        log.error(`${record.hostname}: its log cannot be kept in quarantine: ${error.message}`);
      },
    );
  }

  /** Written, then known. One at a time: a release that comes while the memory is noted must not be overwritten by it. */
  private change(id: string, next: (known: Quarantine | undefined) => Quarantine): Promise<Quarantine> {
    return this.serial.run(async () => {
      const { memory, layout } = this.parts;
      const order = next(memory.quarantines.get(id));
      const text = `${JSON.stringify({ version: VERSION, machine: id, ...order }, null, 1)}\n`;
      await writeFileAtomic(join(layout.quarantine(id), ORDER), text, { mode: 0o600 });
      memory.quarantines = new Map([...memory.quarantines, [id, order]]);
      return order;
    });
  }
}

function unknownOrder(): Quarantine {
  const reason = 'its order cannot be read';
  return { sinceSeconds: nowSeconds(), who: 'nobody known', reason, memory: null, release: null };
}

function parseOrder(text: string): Quarantine | null {
  try {
    const { version, sinceSeconds, who, reason, memory, release } = JSON.parse(text) as Record<string, unknown>;
    const isWhole =
      version === VERSION &&
      Number.isSafeInteger(sinceSeconds) &&
      typeof who === 'string' &&
      typeof reason === 'string' &&
      (memory === null || typeof memory === 'string') &&
      (release === null || release === 'resume' || release === 'destroy');
    return isWhole ? ({ sinceSeconds, who, reason, memory, release } as Quarantine) : null;
  } catch {
    return null;
  }
}

function isLiving({ entry: { phase } }: MachineMemory): boolean {
  return phase === 'starting' || phase === 'running';
}

function whatIsLeft({ entry: { phase } }: MachineMemory): Held['what'] {
  if (phase === 'cleared') return 'too-late';
  return phase === 'ended' ? 'disks-kept' : 'held';
}

/** Its end may be half done: each step of that takes a moment, and a machine under creation some seconds. */
const FREE_SECONDS = 8;
const LOOK_MS = 20;

async function untilFree(machine: MachineMemory): Promise<void> {
  const deadline = performance.now() + FREE_SECONDS * 1000;
  while (machine.busy && machine.entry.phase === 'ended' && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

/** The one that a name means: a living one before one that has ended, and of those the last. */
function findMachine(memory: Memory, name: string): MachineMemory {
  const all = [...memory.cleared.values(), ...memory.machines.values()];
  const found = all.filter((machine) => isNamed(memory, machine, name));
  const best = found.findLast(isLiving) ?? found.at(-1);
  if (best !== undefined) return best;
  throw new VacError(
    'no-such-thing',
    `${memory.factory} knows no machine ${name}; give a host name, a slot number, or the name of a directory in machines/ (vac trace finds machines by time and address)`,
  );
}

function findHeld(memory: Memory, name: string): MachineMemory {
  const held = [...memory.quarantines.keys()].flatMap((id) => memory.machines.get(id) ?? memory.cleared.get(id) ?? []);
  const found = held.find((machine) => isNamed(memory, machine, name));
  if (found !== undefined) return found;
  const names = held.map(({ entry }) => entry.record.id).join(', ');
  throw new VacError(
    'no-such-thing',
    `no machine ${name} is in quarantine on ${memory.factory}; ${names === '' ? 'none is' : `these are: ${names}`}`,
  );
}

function isNamed({ factory }: Memory, { entry: { record } }: MachineMemory, name: string): boolean {
  const wanted = name.toLowerCase();
  return record.id === name || record.uuid === wanted || record.slot === slotNamed(factory, wanted);
}

function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
