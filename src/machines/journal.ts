/**
 * The machines' directories as the journal of their lives (drawing: factory/types.ts): what is written here is all
 * that a restarted vacd knows, so each write is atomic and comes before the effect it announces, or after the
 * effect it records.
 */

import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import type { LastEnd, MachineEnd, MachinePhase, MachineRecord, StopRequest } from '../factory/types.js';
import { readTextIfThere, removeTree, writeFileAtomic } from '../host/files.js';
import { JOURNAL, type StateLayout } from './layout.js';

/** What one directory says. */
export interface JournalEntry {
  readonly record: MachineRecord;
  readonly phase: MachinePhase;
  readonly startedTimeSeconds: number | null;
  readonly heartbeatTimeSeconds: number | null;
  readonly cpuSeconds: number;
  readonly shutdownTimeSeconds: number;
  readonly stop: StopRequest | null;
  readonly end: MachineEnd | null;
}

/** The version of machine.json's form; a newer one than we know is left alone and reported. */
const RECORD_VERSION = 1;

/** uid and gid that guests' files belong to on this host: nobody (all_squash of the NFS export). */
export interface GuestOwner {
  readonly uid: number;
  readonly gid: number;
}

export class Journal {
  constructor(readonly layout: StateLayout) {}

  /**
   * The intent. The directory is made under `tmp` and moved into place whole, so a machine's directory is either
   * there with its record or not there at all.
   */
  async open(record: MachineRecord): Promise<void> {
    const making = `${this.layout.tmp()}/${record.id}`;
    await removeTree(making);
    await mkdir(making, { recursive: true, mode: 0o755 });
    await writeFileAtomic(`${making}/${JOURNAL.record}`, json({ version: RECORD_VERSION, ...record }));
    await rename(making, this.layout.machine(record.id));
  }

  /** "created machinetype model" (SPEC 5). */
  async takeSlot(record: MachineRecord): Promise<void> {
    const text = `${record.createdTimeSeconds} ${record.machinetype} ${record.machineModel}`;
    await writeFileAtomic(this.layout.slot(record.hostname), text);
  }

  /** Gives the slot back unless a later machine has it by now. */
  async freeSlot(record: MachineRecord): Promise<void> {
    const text = await readTextIfThere(this.layout.slot(record.hostname));
    if (text?.startsWith(`${record.createdTimeSeconds} `)) await rm(this.layout.slot(record.hostname), { force: true });
  }

  async writeDomain(record: MachineRecord, xml: string): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.domain), xml);
  }

  async started(record: MachineRecord, timeSeconds: number): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.started), String(timeSeconds));
  }

  /** When libvirt was first asked for the domain, for a start that was never recorded. */
  async askedTimeSeconds(record: MachineRecord): Promise<number> {
    const info = await stat(this.path(record, JOURNAL.domain)).catch(() => null);
    return info === null
      ? record.createdTimeSeconds
      : Math.max(record.createdTimeSeconds, Math.floor(info.mtimeMs / 1000));
  }

  /** "cpu_seconds percent" (SPEC 5); its mtime is when the machine was last seen running. */
  async heartbeat(record: MachineRecord, cpuSeconds: number, cpuPercent: number): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.heartbeat), `${Math.round(cpuSeconds)} ${cpuPercent.toFixed(1)}`, {
      durable: false,
    });
  }

  async stopping(record: MachineRecord, stop: StopRequest): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.stopping), json(stop));
  }

  async finished(record: MachineRecord, end: MachineEnd): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.finished), json(end));
  }

  async cleared(record: MachineRecord): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.cleared), '');
  }

  async forget(record: MachineRecord): Promise<void> {
    // Moved aside first: a half-removed directory must not be read as a machine in some earlier phase.
    const aside = `${this.layout.tmp()}/${record.id}.forgotten`;
    await rename(this.layout.machine(record.id), aside).catch(ignoreMissing);
    await removeTree(aside);
  }

  /** Keeps the type's last outcome beyond the life of the directory, unless a later machine's is there. */
  async keepLastEnd(record: MachineRecord, end: MachineEnd): Promise<void> {
    const path = this.layout.finish(record.machinetype);
    const known = parseLastEnd(await readTextIfThere(path));
    if (known !== null && known.createdTimeSeconds > record.createdTimeSeconds) return;
    const last: LastEnd = {
      createdTimeSeconds: record.createdTimeSeconds,
      timeSeconds: end.timeSeconds,
      message: end.message,
      hostname: record.hostname,
    };
    await writeFileAtomic(path, json(last));
  }

  async lastEnds(): Promise<Map<string, LastEnd>> {
    const ends = new Map<string, LastEnd>();
    for (const machinetype of await readdir(this.layout.finishes())) {
      const last = parseLastEnd(await readTextIfThere(this.layout.finish(machinetype)));
      if (last !== null) ends.set(machinetype, last);
    }
    return ends;
  }

  /** Every machine that a directory tells of, and the names of directories that tell of none. */
  async readAll(): Promise<{ entries: JournalEntry[]; unreadable: { name: string; problem: string }[] }> {
    const entries: JournalEntry[] = [];
    const unreadable: { name: string; problem: string }[] = [];
    for (const name of (await readdir(this.layout.machines())).sort()) {
      try {
        entries.push(await this.read(name));
      } catch (error) {
        unreadable.push({ name, problem: (error as Error).message });
      }
    }
    return { entries, unreadable };
  }

  private async read(id: string): Promise<JournalEntry> {
    const text = async (name: string) => readTextIfThere(this.layout.inMachine(id, name));
    const recordText = await text(JOURNAL.record);
    if (recordText === null) throw new Error(`no ${JOURNAL.record} in it`);
    const record = JSON.parse(recordText) as MachineRecord & { version: number };
    if (record.version !== RECORD_VERSION || record.id !== id) {
      throw new Error(`its ${JOURNAL.record} is of version ${record.version} and for ${record.id}`);
    }
    const [started, finished, cleared, stopping, heartbeat, shutdownTime] = await Promise.all([
      text(JOURNAL.started),
      text(JOURNAL.finished),
      text(JOURNAL.cleared),
      text(JOURNAL.stopping),
      text(JOURNAL.heartbeat),
      text('machinefeatures/shutdowntime'),
    ]);
    const beat = heartbeat === null ? null : await stat(this.layout.inMachine(id, JOURNAL.heartbeat));
    return {
      record,
      phase: cleared !== null ? 'cleared' : finished !== null ? 'ended' : started !== null ? 'running' : 'starting',
      startedTimeSeconds: started === null ? null : Number(started),
      heartbeatTimeSeconds: beat === null ? null : Math.floor(beat.mtimeMs / 1000),
      cpuSeconds: heartbeat === null ? 0 : Number(heartbeat.split(' ')[0]) || 0,
      shutdownTimeSeconds: Number(shutdownTime) || record.firstShutdownTimeSeconds,
      stop: stopping === null ? null : (JSON.parse(stopping) as StopRequest),
      end: finished === null ? null : (JSON.parse(finished) as MachineEnd),
    };
  }

  private path(record: MachineRecord, name: string): string {
    return this.layout.inMachine(record.id, name);
  }
}

function parseLastEnd(text: string | null): LastEnd | null {
  if (text === null) return null;
  try {
    const value = JSON.parse(text) as LastEnd;
    return Number.isFinite(value.createdTimeSeconds) && Number.isFinite(value.timeSeconds) ? value : null;
  } catch {
    return null;
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
