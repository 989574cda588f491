/**
 * Machines of half a year on virtual time, accounted by the real code with real files: looked at, paused, accounted by
 * month and at their ends, while vacd dies at random steps and a sender takes what it finds at any moment. Seeded.
 */

import { mkdir, mkdtemp, readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, accountEnd, accountMonths } from '../../src/accounting/account.js';
import { outgoingRecords, recordsOfMonth } from '../../src/accounting/archive.js';
import { accountedUntil, readLedger } from '../../src/accounting/ledger.js';
import { beginSync, dueMonths, spoolSync } from '../../src/accounting/sync.js';
import { looked, type MachineUse, pointsOf } from '../../src/accounting/use.js';
import { readUse, writeUse } from '../../src/accounting/use-file.js';
import type { AccountingFormat } from '../../src/config/types.js';
import { monthEndsBetween, monthName, monthStart } from '../../src/factory/months.js';
import type { MachineRecord } from '../../src/factory/types.js';
import { removeTree } from '../../src/host/files.js';
import { StateLayout } from '../../src/machines/layout.js';
import { seededRandom } from '../../src/vacquery/random.js';
import { testRecord } from '../machines/record.js';
import { Receiver } from './receiver.js';
import { SITE } from './samples.js';

const BEGIN = Date.UTC(2026, 5, 15) / 1000;
const FORMATS: readonly AccountingFormat[] = ['apel-v0.3', 'apel-v0.4', 'cloud-v0.4'];
const DAY = 86_400;

interface Simulated {
  readonly record: MachineRecord;
  readonly started: number;
  readonly ended: number;
  /** It is paused from the first until the second; equal: never. */
  readonly pause: readonly [number, number];
  readonly cpuPerSecond: number;
}

interface Event {
  readonly time: number;
  readonly kind: 'look' | 'end' | 'sync';
  readonly machine: Simulated | null;
}

class Crash extends Error {}

export interface Outcome {
  readonly machines: number;
  readonly crashes: number;
  readonly records: number;
  /** What does not agree; empty when all is well. */
  readonly problems: readonly string[];
}

/** @param directory of a fast filesystem; everything is made below it, and removed */
export async function accountMany(
  seed: number,
  { machines: count, crashes, directory }: { machines: number; crashes: number; directory: string },
): Promise<Outcome> {
  const layout = new StateLayout(await mkdtemp(join(directory, 'vac-accounting-')));
  try {
    return await new ManyMachines(layout, seededRandom(seed), count, crashes).run();
  } finally {
    await rm(layout.root, { recursive: true, force: true });
  }
}

class ManyMachines {
  private readonly receiver = new Receiver();
  private readonly machines: Simulated[];
  /** What a vacd that did not die yet has in its memory, by id. */
  private memory = new Map<string, { use: MachineUse | null; accountedUntil: number | null }>();
  private crashed = 0;
  private nowSeconds = BEGIN;
  private crashPart = 0;

  constructor(
    private readonly layout: StateLayout,
    private readonly random: () => number,
    count: number,
    private readonly crashes: number,
  ) {
    this.machines = Array.from({ length: count }, (_, index) => this.machine(index));
  }

  async run(): Promise<Outcome> {
    const events = this.events();
    for (const [index, event] of events.entries()) {
      this.nowSeconds = event.time;
      // So many crashes as are left, spread over the steps that are left: some 6 for each event.
      this.crashPart = (this.crashes - this.crashed) / ((events.length - index) * 4);
      while (!(await this.survives(event)));
    }
    await this.send(Number.POSITIVE_INFINITY);
    const problems = await this.problems();
    const records = this.receiver.jobs.size + this.receiver.vms.size;
    return { machines: this.machines.length, crashes: this.crashed, records, problems };
  }

  /** False: vacd died over it, and the next one has begun with what the files say. */
  private async survives(event: Event): Promise<boolean> {
    try {
      if (event.machine === null) await this.sync();
      else await this.lookAfter(event.machine, event.kind);
      return true;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.crashed += 1;
      this.memory = new Map();
      return false;
    }
  }

  private async lookAfter(machine: Simulated, kind: Event['kind']): Promise<void> {
    const { record, started, ended } = machine;
    const directory = this.layout.machine(record.id);
    if (!this.memory.has(record.id)) {
      await mkdir(directory, { recursive: true });
      const known = { use: await readUse(directory), accountedUntil: accountedUntil(await readLedger(directory)) };
      this.memory.set(record.id, known);
    }
    const known = this.memory.get(record.id)!;
    const account: Account = {
      layout: this.layout,
      record,
      site: SITE,
      life: { startedTimeSeconds: started, points: pointsOf(known.use) },
      onStep: (name) => this.step(name),
    };
    if (kind === 'end') {
      const end = { timeSeconds: ended, message: null, cpuSeconds: cpuAt(machine, ended), reason: 'it ended' };
      const how = { byMonth: true, nowSeconds: this.nowSeconds };
      await accountEnd(account, { ...end, suspendedSeconds: pausedAt(machine, ended) }, how);
      await this.step('cleared');
      await removeTree(directory);
      this.memory.delete(record.id);
      return;
    }
    known.use = looked(
      known.use,
      { cpuSeconds: cpuAt(machine, this.nowSeconds), isPaused: this.isPaused(machine) },
      {
        unixSeconds: this.nowSeconds,
        bootId: 'a boot',
        bootSeconds: this.nowSeconds,
      },
    );
    await writeUse(directory, known.use);
    const month = monthStart(this.nowSeconds);
    if (started < month && (known.accountedUntil ?? 0) < month) {
      const life = { ...account.life, points: pointsOf(known.use) };
      known.accountedUntil = await accountMonths({ ...account, life }, month);
    }
  }

  private async sync(): Promise<void> {
    const allTold = await beginSync(this.layout);
    for (const month of await dueMonths(this.layout, this.nowSeconds)) {
      await spoolSync(this.layout, month, SITE.gocdbSitename, this.nowSeconds, (name) => this.step(name));
    }
    await allTold();
  }

  /** Something happens between any two steps. */
  private async step(name: string): Promise<void> {
    if (this.random() < 0.02) await this.send(this.random() * 40);
    if (this.crashed < this.crashes && this.random() < this.crashPart) throw new Crash(name);
  }

  /** As ssmsend does it: what it has sent it removes, and then the directories that are empty. */
  private async send(limit: number): Promise<void> {
    let sent = 0;
    for (const day of (await readdir(this.layout.apelOutgoing()).catch(() => [])).sort()) {
      if (!/^[0-9a-f]{8}$/.test(day)) continue;
      const path = join(this.layout.apelOutgoing(), day);
      for (const name of (await readdir(path)).sort()) {
        if (sent >= limit || !/^[0-9a-f]{14}$/.test(name)) continue;
        this.receiver.take(await readFile(join(path, name), 'utf8'), this.nowSeconds);
        await rm(join(path, name));
        sent += 1;
      }
      await rmdir(path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOTEMPTY') throw error;
      });
    }
  }

  private async problems(): Promise<string[]> {
    const problems: string[] = [];
    const uses = this.receiver.uses();
    const expected = new Map(this.machines.flatMap((machine) => [...useByMonth(machine)]));
    for (const [key, { wall, cpu }] of expected) {
      const told = uses.get(key) ?? { wall: 0, cpu: 0 };
      if (told.wall !== wall) problems.push(`${key}: ${told.wall} s of wall × processors, not ${wall}`);
      if (Math.abs(told.cpu - cpu) > 1) problems.push(`${key}: ${told.cpu} s of CPU, not ${cpu}`);
    }
    for (const key of uses.keys()) if (!expected.has(key)) problems.push(`${key}: it did not run then`);
    const cpuTold = sum([...uses.values()].map(({ cpu }) => cpu));
    const cpuUsed = sum(this.machines.map((machine) => Math.round(cpuAt(machine, machine.ended))));
    if (cpuTold !== cpuUsed) problems.push(`${cpuTold} s of CPU in all, not ${cpuUsed}`);
    const records = this.receiver.jobs.size + this.receiver.vms.size;
    if (records !== expected.size) problems.push(`${records} records are kept for ${expected.size} months of machines`);
    const twice = this.receiver.received - this.receiver.syncsReceived - records;
    if (twice !== 0) problems.push(`${twice} records were sent twice`);
    return [...problems, ...(await this.archiveProblems(records))];
  }

  private async archiveProblems(records: number): Promise<string[]> {
    const problems: string[] = [];
    let archived = 0;
    const months = new Set(
      this.machines.flatMap((machine) => [...useByMonth(machine).keys()].map((key) => key.split(' ')[1]!)),
    );
    for (const month of [...months].sort()) {
      let jobs = 0;
      for await (const { parsed } of recordsOfMonth(this.layout, month)) {
        archived += 1;
        if (parsed === null) problems.push(`the archive of ${month} has what is no record`);
        else if (parsed.format !== 'cloud-v0.4') jobs += 1;
      }
      const told = this.receiver.syncs.get(`${SITE.gocdbSitename} ${SITE.space}/vac-${SITE.factory} ${month}`) ?? 0;
      if (told !== jobs) problems.push(`sync told of ${told} jobs of ${month}, the archive has ${jobs}`);
    }
    if (archived !== records) problems.push(`${archived} records in the archive, ${records} at the receiver`);
    for await (const { file } of outgoingRecords(this.layout)) problems.push(`${file.day}/${file.name} was left`);
    return problems;
  }

  private machine(index: number): Simulated {
    const started = BEGIN + Math.floor(this.random() * 150 * DAY);
    // Mostly hours, sometimes weeks.
    const seconds = 600 + Math.floor(10 ** (2.5 + this.random() * 4.1));
    const ended = started + seconds;
    const pauseFrom = started + Math.floor(this.random() * seconds);
    const pauseUntil = this.random() < 0.2 ? pauseFrom + Math.floor(this.random() * (ended - pauseFrom)) : pauseFrom;
    const uuid = `machine-${index}`;
    return {
      record: testRecord({
        id: uuid,
        uuid,
        processors: 1 + Math.floor(this.random() * 8),
        accountingFormat: FORMATS[index % FORMATS.length]!,
        fizzleSeconds: 600,
      }),
      started,
      ended,
      pause: [pauseFrom, pauseUntil],
      cpuPerSecond: this.random() * 8,
    };
  }

  private isPaused({ pause: [from, until] }: Simulated): boolean {
    return this.nowSeconds >= from && this.nowSeconds < until;
  }

  private events(): Event[] {
    const events: Event[] = [];
    let last = BEGIN;
    for (const machine of this.machines) {
      const { started, ended, pause } = machine;
      const months = monthEndsBetween(started, ended);
      // Somebody looks soon after a month's end, or vacd was away and it is not looked at before its end.
      const after = months.map((end) => end + Math.floor(this.random() * 30)).filter(() => this.random() < 0.8);
      const looks = [started, ...(pause[0] === pause[1] ? [] : pause), ...after];
      const times = new Set(
        looks.filter((time) => time >= started && time < ended && (months.length > 0 || pause[0] !== pause[1])),
      );
      for (const time of times) events.push({ time, kind: 'look', machine });
      events.push({ time: ended, kind: 'end', machine });
      last = Math.max(last, ended);
    }
    // As the timer does it, and until everything of the last month is told.
    const days = Math.ceil((last - BEGIN) / DAY) + 40;
    const every = Math.max(1, Math.floor(20_000 / this.machines.length));
    for (let day = 1; day < days; day += 1) {
      const time = BEGIN + day * DAY + 3 * 3600;
      const isFirst = new Date(time * 1000).getUTCDate() === 1;
      if (isFirst || day % every === 0) events.push({ time, kind: 'sync', machine: null });
    }
    return events.sort((one, other) => one.time - other.time);
  }
}

function pausedAt({ pause: [from, until] }: Simulated, time: number): number {
  return Math.max(0, Math.min(time, until) - from);
}

function cpuAt(machine: Simulated, time: number): number {
  return (time - machine.started - pausedAt(machine, time)) * machine.cpuPerSecond;
}

/** The truth: by machine and month, wall × processors and CPU in seconds. */
function useByMonth(machine: Simulated): Map<string, { wall: number; cpu: number }> {
  const { record, started, ended } = machine;
  const cuts = [started, ...monthEndsBetween(started, ended), ended];
  return new Map(
    cuts.slice(1).map((until, index) => {
      const from = cuts[index]!;
      const wall = (until - from - (pausedAt(machine, until) - pausedAt(machine, from))) * record.processors;
      const cpu = Math.round(cpuAt(machine, until)) - Math.round(cpuAt(machine, from));
      return [`${record.uuid} ${monthName(from)}`, { wall, cpu }];
    }),
  );
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
