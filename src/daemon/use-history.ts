/**
 * What machines of this factory have used, by machinetype, for long-term shares (`share_half_life_hours`; factory/use.ts
 * says what it is): counted while vacd runs, told to the space, and kept in `share-history.json` over restarts.
 *
 * While vacd runs, time is that of the steady clock, and what counts is what `running_hs06` tells. Over a restart it is
 * that of the calendar: the past decays for as long as vacd was away, and each machine whose directory is there counts for
 * the time since the file was written, until now if libvirt still has it, else until it ended. So a file that is a minute
 * old, after a crash, loses nothing. A file that seems to be of the future tells of a clock that was set: no time passed.
 */

import { rename } from 'node:fs/promises';
import { type KeptUse, pastUse, UseTally } from '../factory/use.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import type { Instant } from '../vacquery/index.js';
import type { Logger } from './log.js';
import type { MachineMemory } from './machine-memory.js';
import type { Memory } from './memory.js';

export interface UseHistoryParts {
  readonly memory: Memory;
  /** Of share-history.json. What is no history is put aside beside it, as `….bad`. */
  readonly path: string;
  readonly log: Logger;
  readonly now: () => Instant;
}

/** The version of the file's form; another one is not understood. */
const VERSION = 1;
/** Between two writings of the file. */
const KEEP_SECONDS = 60;
/** No factory used more since the beginning of time. */
const MAX_USE = 1e20;

export class UseHistory {
  /** Null: no history is kept. */
  private tally: UseTally | null = null;
  private countedMs = 0;
  /** What runs since then, HS06 by machinetype. */
  private power: ReadonlyMap<string, number> = new Map();
  /** Machines of an earlier vacd whose time since then (Unix seconds) is not counted yet, by id. */
  private readonly uncounted = new Map<string, number>();
  private weighed: Memory['config']['machinetypes'] | null = null;
  private keptMs = 0;
  private writing: Promise<void> | null = null;
  private writeFailed = false;

  constructor(private readonly parts: UseHistoryParts) {}

  /** Takes up what an earlier vacd has counted, once the host and its machines have been looked at. Never throws. */
  async restore(): Promise<void> {
    const { memory, now } = this.parts;
    const halfLifeSeconds = memory.config.settings.shareHalfLifeHours * 3600;
    if (halfLifeSeconds <= 0) return;
    const kept = await this.read();
    const { steadyMs, unixSeconds } = now();
    this.tally = new UseTally(halfLifeSeconds, kept === null ? new Map() : withHalfLife(kept, halfLifeSeconds));
    if (kept !== null) {
      this.tally.advance(unixSeconds - kept.savedTimeSeconds, new Map());
      for (const { entry } of [...memory.machines.values(), ...memory.cleared.values()]) {
        const { id, createdTimeSeconds } = entry.record;
        if ((entry.end?.timeSeconds ?? unixSeconds) <= kept.savedTimeSeconds) continue;
        this.uncounted.set(id, Math.max(createdTimeSeconds, kept.savedTimeSeconds));
      }
    }
    this.countedMs = steadyMs;
    memory.ownUses = () => {
      this.count();
      return this.tally!.uses;
    };
    this.update();
  }

  /** To be called whenever something may have changed, as after each pass; writes the file when it is time to. */
  update(): void {
    if (this.tally === null) return;
    this.count();
    const { steadyMs } = this.parts.now();
    // What is not counted yet is found again by the old file alone.
    if (this.uncounted.size > 0 || this.writing !== null || steadyMs - this.keptMs < KEEP_SECONDS * 1000) return;
    this.keptMs = steadyMs;
    this.writing = this.write().finally(() => {
      this.writing = null;
    });
  }

  /** Writes the file for the last time. */
  async close(): Promise<void> {
    if (this.tally === null) return;
    await this.writing;
    this.count();
    if (this.uncounted.size === 0) await this.write();
  }

  private count(): void {
    const { memory, now } = this.parts;
    const tally = this.tally!;
    const { steadyMs, unixSeconds } = now();
    tally.advance((steadyMs - this.countedMs) / 1000, this.power);
    this.countedMs = steadyMs;
    const { machinetypes, settings } = memory.config;
    if (this.weighed !== machinetypes) {
      tally.weighBy(machinetypes, memory.totalProcessors() * (settings.hs06PerProcessor ?? 1));
      this.weighed = machinetypes;
    }
    for (const [id, fromSeconds] of this.uncounted) this.catchUp(id, fromSeconds, unixSeconds);
    const power = new Map<string, number>();
    for (const { entry } of memory.machines.values()) {
      const { id, machinetype, hs06 } = entry.record;
      if ((entry.phase !== 'starting' && entry.phase !== 'running') || this.uncounted.has(id)) continue;
      power.set(machinetype, (power.get(machinetype) ?? 0) + hs06);
    }
    this.power = power;
  }

  /** Counts the time since the file was written of one machine, as soon as it is known whether it still runs. */
  private catchUp(id: string, fromSeconds: number, unixSeconds: number): void {
    const { memory } = this.parts;
    const machine = memory.machines.get(id) ?? memory.cleared.get(id);
    if (machine !== undefined && !isDecided(machine)) return;
    this.uncounted.delete(id);
    if (machine === undefined) return;
    const { record, end, shutdownTimeSeconds } = machine.entry;
    // No machine outlives its shutdown time, whatever the clock says.
    const untilSeconds = Math.min(unixSeconds, end?.timeSeconds ?? shutdownTimeSeconds);
    const { halfLifeSeconds } = this.tally!;
    const use = pastUse(record.hs06, unixSeconds - fromSeconds, unixSeconds - untilSeconds, halfLifeSeconds);
    this.tally!.add(record.machinetype, use);
  }

  /** Null: there is none, or none that can be used, and then the log tells. */
  private async read(): Promise<History | null> {
    const { path, log } = this.parts;
    try {
      const text = await readTextIfThere(path);
      return text === null ? null : parseHistory(text);
    } catch (error) {
      const aside = await rename(path, `${path}.bad`).then(
        () => `it is now ${path}.bad`,
        (cause: Error) => `it cannot be put aside: ${cause.message}`,
      );
      log.warn(
        `${path} cannot be read (${(error as Error).message}); ${aside}. The history of shares begins anew on this factory, as if every machinetype had been served by its share`,
      );
      return null;
    }
  }

  private async write(): Promise<void> {
    const { path, log, now } = this.parts;
    const { halfLifeSeconds, kept } = this.tally!;
    const history = { version: VERSION, savedTimeSeconds: now().unixSeconds, halfLifeSeconds };
    try {
      await writeFileAtomic(
        path,
        `${JSON.stringify({ ...history, machinetypes: Object.fromEntries(kept) }, null, 1)}\n`,
      );
      this.writeFailed = false;
    } catch (error) {
      if (!this.writeFailed) {
        log.warn(
          `${path} cannot be written (${(error as Error).message}): a restart of vacd will count from the last one`,
        );
      }
      this.writeFailed = true;
    }
  }
}

/** Its end is written down, or libvirt was seen to have it. */
function isDecided({ entry, domain }: MachineMemory): boolean {
  return entry.end !== null || domain !== null;
}

interface History {
  readonly savedTimeSeconds: number;
  readonly halfLifeSeconds: number;
  readonly machinetypes: ReadonlyMap<string, KeptUse>;
}

/** The same mean power under another half-life. */
function withHalfLife({ machinetypes, halfLifeSeconds }: History, changedSeconds: number): Map<string, KeptUse> {
  const factor = changedSeconds / halfLifeSeconds;
  return new Map([...machinetypes].map(([name, { use, part }]) => [name, { use: use * factor, part }]));
}

/** @throws Error that says what is wrong with the file's content */
function parseHistory(text: string): History {
  const value: unknown = JSON.parse(text);
  if (!isObject(value)) throw new Error('it holds no object');
  const { version, savedTimeSeconds, halfLifeSeconds, machinetypes } = value;
  if (version !== VERSION) throw new Error(`it is of version ${JSON.stringify(version)}, not ${VERSION}`);
  if (!isObject(machinetypes)) throw new Error('machinetypes is no object');
  return {
    savedTimeSeconds: numberOf('savedTimeSeconds', savedTimeSeconds, Number.MAX_SAFE_INTEGER),
    halfLifeSeconds: numberOf('halfLifeSeconds', halfLifeSeconds, Number.MAX_SAFE_INTEGER, 1),
    machinetypes: new Map(
      Object.entries(machinetypes).map(([name, kept]) => {
        if (!isObject(kept)) throw new Error(`machinetypes.${name} is no object`);
        const { use, part } = kept;
        return [
          name,
          {
            use: numberOf(`machinetypes.${name}.use`, use, MAX_USE),
            part: numberOf(`machinetypes.${name}.part`, part, 1),
          },
        ];
      }),
    ),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function numberOf(name: string, value: unknown, max: number, min = 0): number {
  if (typeof value === 'number' && value >= min && value <= max) return value;
  throw new Error(`${name} is ${JSON.stringify(value)}, not a number from ${min} to ${max}`);
}
