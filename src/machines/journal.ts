/**
 * The machines' directories as the journal of their lives (drawing: factory/types.ts): what is written here is all
 * that a restarted vacd knows, so each write is atomic and comes before the effect it announces, or after the
 * effect it records.
 */

import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { accountedUntil, readLedger } from '../accounting/ledger.js';
import type { MachineUse } from '../accounting/use.js';
import { readUse } from '../accounting/use-file.js';
import { isCredibleTime } from '../factory/credible-time.js';
import { lastEndFrom } from '../factory/news.js';
import { NO_SUSPENSIONS } from '../factory/suspension.js';
import type {
  LastEnd,
  MachineEnd,
  MachinePhase,
  MachineRecord,
  MachineSuspension,
  PastSuspensions,
  StopRequest,
} from '../factory/types.js';
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
  readonly suspension: MachineSuspension | null;
  readonly pastSuspensions: PastSuspensions;
  readonly end: MachineEnd | null;
  /** What it has used, as last looked at; null or left out: not known, or of no interest any more. */
  readonly use?: MachineUse | null;
  /** As `Machine.accountedUntilSeconds`. */
  readonly accountedUntilSeconds?: number | null;
}

/** The version of machine.json's form; a newer one than we know is left alone and reported. */
const RECORD_VERSION = 1;

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

  /** What `started` says: the one start that everything is counted from, however long its writing took. */
  async startedTimeSeconds(record: MachineRecord): Promise<number> {
    return checkedTime(JOURNAL.started, (await readTextIfThere(this.path(record, JOURNAL.started))) ?? '');
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

  /** Not durable: a machine does not outlive a crash of its host, and its owner waits. */
  async suspended(record: MachineRecord, suspension: MachineSuspension): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.suspended), json(suspension), { durable: false });
  }

  /**
   * After libvirt resumed it. A crash between the two writes leaves a machine that runs and is noted as suspended: it is
   * resumed again, and its suspension, known by its beginning, is not counted twice.
   *
   * @returns what its suspensions come to
   */
  async resumed(record: MachineRecord, suspension: MachineSuspension, nowSeconds: number): Promise<PastSuspensions> {
    const path = this.path(record, JOURNAL.suspensions);
    const known = parseSuspensions(await readTextIfThere(path));
    const isCounted = known.lastSinceSeconds === suspension.sinceSeconds;
    const lasted = Math.max(0, nowSeconds - suspension.sinceSeconds);
    const past = isCounted ? known : { count: known.count + 1, seconds: known.seconds + lasted };
    await writeFileAtomic(path, json({ ...past, lastSinceSeconds: suspension.sinceSeconds }), { durable: false });
    await rm(this.path(record, JOURNAL.suspended), { force: true });
    return { count: past.count, seconds: past.seconds };
  }

  async finished(record: MachineRecord, end: MachineEnd): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.finished), json(end));
  }

  async cleared(record: MachineRecord): Promise<void> {
    await writeFileAtomic(this.path(record, JOURNAL.cleared), '');
  }

  async forget(record: MachineRecord): Promise<void> {
    // Its log has a time of its own (syslog_days). Moved aside first: a half-removed directory must not be read as a machine in some earlier phase.
    const aside = `${this.layout.tmp()}/${record.id}.forgotten`;
    await rename(this.layout.machine(record.id), aside).catch(ignoreMissing);
    await removeTree(aside);
  }

  /**
   * Keeps the type's last outcome beyond the life of the directory, unless a later machine's is there. One from before the
   * clock was set back gives way to any, as in the daemon's memory.
   */
  async keepLastEnd(record: MachineRecord, end: MachineEnd, nowSeconds: number): Promise<void> {
    const path = this.layout.finish(record.machinetype);
    const known = parseLastEnd(await readTextIfThere(path));
    const isLater = known !== null && known.createdTimeSeconds > record.createdTimeSeconds;
    if (isLater && isCredibleTime(known.createdTimeSeconds, nowSeconds)) return;
    await writeFileAtomic(path, json(lastEndFrom(record, end)));
  }

  async lastEnds(): Promise<Map<string, LastEnd>> {
    const ends = new Map<string, LastEnd>();
    for (const machinetype of await readdir(this.layout.finishes())) {
      const last = parseLastEnd(await readTextIfThere(this.layout.finish(machinetype)).catch(() => null));
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
    const record = checkedRecord(id, await text(JOURNAL.record));
    const cleared = (await text(JOURNAL.cleared)) !== null;
    const [started, finished, stopping, heartbeat, shutdownTime, suspended, suspensions] = await Promise.all([
      text(JOURNAL.started),
      text(JOURNAL.finished),
      // Of what is over only the end is asked for, and there may be thousands.
      cleared ? null : text(JOURNAL.stopping),
      cleared ? null : text(JOURNAL.heartbeat),
      cleared ? null : text('machinefeatures/shutdowntime'),
      cleared ? null : text(JOURNAL.suspended),
      text(JOURNAL.suspensions),
    ]);
    const running = started !== null && finished === null;
    const use = running ? await readUse(this.layout.machine(id)) : null;
    const past = parseSuspensions(suspensions);
    const beat = heartbeat === null ? null : await stat(this.layout.inMachine(id, JOURNAL.heartbeat));
    return {
      record,
      phase: cleared ? 'cleared' : finished !== null ? 'ended' : started !== null ? 'running' : 'starting',
      startedTimeSeconds: started === null ? null : (use?.startedTimeSeconds ?? checkedTime(JOURNAL.started, started)),
      heartbeatTimeSeconds: beat === null ? null : Math.floor(beat.mtimeMs / 1000),
      // What the heartbeat holds is rounded.
      cpuSeconds: Math.max(use?.cpuSeconds ?? 0, (Number(heartbeat?.split(' ')[0]) || 0) - (use === null ? 0 : 0.5)),
      shutdownTimeSeconds: Number(shutdownTime) || record.firstShutdownTimeSeconds,
      stop: stopping === null ? null : checked(JOURNAL.stopping, stopping, STOP_FIELDS),
      suspension: parseSuspension(suspended),
      pastSuspensions: { count: past.count, seconds: past.seconds },
      end: finished === null ? null : checked(JOURNAL.finished, finished, END_FIELDS),
      // One that cannot be understood is told of when the machine is to be accounted.
      ...(running
        ? { use, accountedUntilSeconds: await readLedger(this.layout.machine(id)).then(accountedUntil, () => null) }
        : {}),
    };
  }

  private path(record: MachineRecord, name: string): string {
    return this.layout.inMachine(record.id, name);
  }
}

type FieldType =
  | 'string'
  | 'number'
  | 'boolean'
  | 'string or null'
  | 'number or null'
  | 'string or undefined'
  | 'number or undefined';

const RECORD_FIELDS: Readonly<Record<keyof MachineRecord, FieldType>> = {
  id: 'string',
  uuid: 'string',
  slot: 'number',
  hostname: 'string',
  ip: 'string',
  mac: 'string',
  machinetype: 'string',
  machineModel: 'string',
  processors: 'number',
  memoryMiB: 'number',
  hs06: 'number',
  hs06PerProcessor: 'number or null',
  createdTimeSeconds: 'number',
  firstShutdownTimeSeconds: 'number',
  graceSeconds: 'number',
  maxWallclockSeconds: 'number',
  fizzleSeconds: 'number',
  heartbeatFile: 'string or null',
  heartbeatSeconds: 'number',
  machinesDirDays: 'number',
  accountingFqan: 'string or null',
  accountingFormat: 'string or undefined',
  hepscore23PerProcessor: 'number or undefined',
  joboutputsMib: 'number or undefined',
  joboutputsFiles: 'number or undefined',
  mjfForm: 'string or undefined',
  egressDeny: 'string or undefined',
  egressAllow: 'string or undefined',
};
const STOP_FIELDS: Readonly<Record<keyof StopRequest, FieldType>> = {
  reason: 'string',
  message: 'string',
  overrides: 'boolean',
  politely: 'boolean',
  requestedTimeSeconds: 'number',
};
const SUSPENSION_FIELDS: Readonly<Record<keyof MachineSuspension, FieldType>> = {
  by: 'string',
  sinceSeconds: 'number',
  reason: 'string',
  who: 'string or undefined',
};
const END_FIELDS: Readonly<Record<keyof MachineEnd, FieldType>> = {
  timeSeconds: 'number',
  message: 'string or null',
  cpuSeconds: 'number',
  suspendedSeconds: 'number or undefined',
  reason: 'string',
};

/** A JSON object with these fields; what a disk or a hand has spoilt must not become a time of 0 or a slot NaN. */
function checked<T extends object>(name: string, text: string, fields: Readonly<Record<keyof T, FieldType>>): T {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) throw new Error(`its ${name} holds no object`);
  for (const [field, type] of Object.entries(fields) as [string, FieldType][]) {
    const given = (value as Record<string, unknown>)[field];
    const kind = given === null ? 'null' : typeof given;
    if (!type.split(' or ').includes(kind))
      throw new Error(`its ${name} has ${field} = ${JSON.stringify(given)}, not a ${type}`);
  }
  return value as T;
}

function checkedRecord(id: string, text: string | null): MachineRecord {
  if (text === null) throw new Error(`no ${JOURNAL.record} in it`);
  const record = checked<MachineRecord & { version: number }>(JOURNAL.record, text, {
    version: 'number',
    ...RECORD_FIELDS,
  });
  if (record.version !== RECORD_VERSION || record.id !== id) {
    throw new Error(`its ${JOURNAL.record} is of version ${record.version} and for ${record.id}`);
  }
  return record;
}

function checkedTime(name: string, text: string): number {
  if (!/^[1-9]\d{0,11}$/.test(text.trim())) throw new Error(`its ${name} holds "${text}", not a Unix time`);
  return Number(text);
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

/** Not flushed to the disk, they may be empty after a crash of the host, which no machine outlives: they count as none. */
function parseSuspension(text: string | null): MachineSuspension | null {
  try {
    return text === null ? null : checked(JOURNAL.suspended, text, SUSPENSION_FIELDS);
  } catch {
    return null;
  }
}

function parseSuspensions(text: string | null): PastSuspensions & { readonly lastSinceSeconds: number | null } {
  const none = { ...NO_SUSPENSIONS, lastSinceSeconds: null };
  if (text === null) return none;
  try {
    const { count, seconds, lastSinceSeconds } = JSON.parse(text) as Record<string, unknown>;
    const whole = [count, seconds, lastSinceSeconds].every((value) => typeof value === 'number' && value >= 0);
    return whole ? ({ count, seconds, lastSinceSeconds } as never) : none;
  } catch {
    return none;
  }
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
