/**
 * Looks after the files of the syslog relay from outside rsyslogd: closes the log of a machine that has written enough,
 * removes old ones, and says in a machine's log how many of its lines were lost, where that can be known. Datagrams
 * that were sent (the firewall counts them) and lines that came by UDP (they are in the log) should be as many.
 */

import { createReadStream } from 'node:fs';
import { appendFile, readdir, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { readTextIfThere, writeFileAtomic } from './files.js';
import { type LoggedMachine, UNKNOWN } from './syslog-table.js';

export interface KeeperOptions {
  readonly logs: string;
  /** Where rsyslogd's own files are. */
  readonly directory: string;
  readonly factory: string;
  readonly days: number;
  readonly maxMegabytes: number;
  readonly datagramsSent?: () => Promise<ReadonlyMap<string, number> | null>;
  /** Whether what was sent so far is in the logs, or lost: nothing waits for a receiver that is held up. Default: yes. */
  readonly hasReadAll?: () => Promise<boolean>;
}

export interface LostLines {
  /** Sent by UDP, and not received: floods, or while the receiver was away. */
  readonly udp: number;
  /** Not kept, because the machine's log was as large as it may be. */
  readonly full: number;
}

interface Account {
  readonly address: string;
  /** The firewall's counter when it was last read; null: it counts nothing, so nothing is known. */
  counter: number | null;
  sent: number;
  /** Lines that came by UDP, as far as the log was read. */
  received: number;
  readBytes: number;
  /** What was missing at the look before: a datagram may be on its way to the log. */
  missing: number;
  /** Lines whose loss was said in the log. */
  said: number;
}

/** Between two removals of old logs. */
const TIDY_SECONDS = 600;
/** rsyslogd's complaints and counters; larger files are emptied. */
const MAX_OWN_FILE_BYTES = 2 ** 20;

export class LogKeeper {
  /** Ids of machines whose log takes no more lines. */
  readonly full = new Set<string>();
  /** By machine id; null: not read yet from where the vacd before this one left them. */
  private accounts: Map<string, Account> | null = null;
  /** Also of machines that are over: rsyslogd goes on to tell of them, and they count once. */
  private readonly refused = new Map<string, number>();
  private lostByUdp = 0;
  private lostByFull = 0;
  private tidiedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly options: KeeperOptions) {}

  get lost(): LostLines {
    return { udp: this.lostByUdp, full: this.lostByFull };
  }

  /** Machines have got addresses: from here on their datagrams are counted. */
  async open(machines: readonly (readonly [string, LoggedMachine])[]): Promise<void> {
    if (machines.length === 0) return;
    const counters = (await this.options.datagramsSent?.()) ?? null;
    const accounts = await this.readAccounts();
    for (const [address, { id }] of machines) {
      const counter = counterOf(counters, address);
      const readBytes = (await sizeOf(this.path(id))) ?? 0;
      accounts.set(id, { address, counter, sent: 0, received: 0, readBytes, missing: 0, said: 0 });
    }
    await this.writeAccounts();
  }

  async look(machines: ReadonlyMap<string, LoggedMachine>): Promise<void> {
    const accounts = await this.readAccounts();
    const ids = new Set([...machines.values()].map((machine) => machine.id));
    for (const id of accounts.keys()) if (!ids.has(id)) accounts.delete(id);
    await this.open([...machines].filter(([, { id }]) => !accounts.has(id)));
    for (const id of [...ids, UNKNOWN]) await this.closeIfLarge(id);
    const counters = (await this.options.datagramsSent?.()) ?? null;
    // Datagrams that wait are not lost; after the counters, so that these have nothing that came later.
    const isSettled = counters !== null && ((await this.options.hasReadAll?.()) ?? true);
    if (isSettled) for (const id of ids) await this.settle(id, counters, false);
    await this.writeAccounts();
    await this.noteRefused();
    await this.tidy(ids);
  }

  /** Machines are over, and all that they sent was read: says what is missing for good. */
  async close(ids: readonly string[]): Promise<void> {
    const counters = (await this.options.datagramsSent?.()) ?? null;
    for (const id of ids) {
      await this.settle(id, counters, true);
      const refused = this.refused.get(id) ?? 0;
      if (refused > 0) await this.say(id, `at least ${refused} more lines were not kept here`);
      (await this.readAccounts()).delete(id);
      this.full.delete(id);
    }
    await this.writeAccounts();
  }

  private async closeIfLarge(id: string): Promise<void> {
    const { maxMegabytes } = this.options;
    const isFull = ((await sizeOf(this.path(id))) ?? 0) >= maxMegabytes * 1e6;
    if (isFull === this.full.has(id)) return;
    if (!isFull) {
      this.full.delete(id);
      return;
    }
    this.full.add(id);
    await this.say(id, `this log has ${maxMegabytes} MB (syslog_mb): no more lines are kept here`);
  }

  /** @param isLast nothing is on its way any more */
  private async settle(id: string, counters: ReadonlyMap<string, number> | null, isLast: boolean): Promise<void> {
    const account = (await this.readAccounts()).get(id);
    if (account === undefined || this.full.has(id)) return;
    const counter = counterOf(counters, account.address);
    if (counter === null) return;
    if (account.counter === null) account.readBytes = (await sizeOf(this.path(id))) ?? 0;
    // A table that was made anew counts from 0.
    else account.sent += counter >= account.counter ? counter - account.counter : counter;
    account.counter = counter;
    await this.readOn(id, account);
    const missing = Math.max(0, account.sent - account.received);
    const lost = (isLast ? missing : Math.min(missing, account.missing)) - account.said;
    account.missing = missing;
    if (lost <= 0) return;
    account.said += lost;
    this.lostByUdp += lost;
    await this.say(id, `${lost} lines lost that were sent by UDP: too many at once, or the receiver was away`);
  }

  private async readAccounts(): Promise<Map<string, Account>> {
    if (this.accounts === null) {
      const text = (await readTextIfThere(this.accountsPath)) ?? '{}';
      try {
        this.accounts = new Map(Object.entries(JSON.parse(text) as Record<string, Account>));
      } catch {
        this.accounts = new Map();
      }
    }
    return this.accounts;
  }

  /** What a vacd before this one had counted is not lost; after a crash of the host counting begins anew. */
  private async writeAccounts(): Promise<void> {
    const text = `${JSON.stringify(Object.fromEntries(await this.readAccounts()))}\n`;
    await writeFileAtomic(this.accountsPath, text, { durable: false });
  }

  private get accountsPath(): string {
    return join(this.options.directory, 'counted.json');
  }

  private async readOn(id: string, account: Account): Promise<void> {
    const size = await sizeOf(this.path(id));
    if (size === null || size <= account.readBytes) return;
    const stream = createReadStream(this.path(id), { start: account.readBytes, end: size - 1 });
    for await (const line of createInterface({ input: stream })) if (/^\S+ \S+ udp /.test(line)) account.received++;
    account.readBytes = size;
  }

  /** rsyslogd's own counts of lines that found a full log. */
  private async noteRefused(): Promise<void> {
    const path = join(this.options.directory, 'statistics');
    for (const [id, count] of parseRefused((await readTextIfThere(path)) ?? '')) {
      const before = this.refused.get(id) ?? 0;
      // A receiver that was started anew counts from 0.
      this.lostByFull += count >= before ? count - before : count;
      this.refused.set(id, count);
    }
  }

  private async tidy(living: ReadonlySet<string>): Promise<void> {
    const nowMs = Date.now();
    if (performance.now() - this.tidiedMs < TIDY_SECONDS * 1000) return;
    this.tidiedMs = performance.now();
    for (const name of ['statistics', 'vac-syslog.log']) {
      const path = join(this.options.directory, name);
      if (((await sizeOf(path)) ?? 0) > MAX_OWN_FILE_BYTES) await truncate(path);
    }
    if (this.options.days === 0) return;
    for (const name of await readdir(this.options.logs)) {
      if (!name.endsWith('.log') || living.has(name.slice(0, -'.log'.length))) continue;
      const path = join(this.options.logs, name);
      const { mtimeMs } = await stat(path);
      if (nowMs - mtimeMs > this.options.days * 86_400_000) await rm(path, { force: true });
    }
  }

  /** One line of our own, in the form of the others. */
  private async say(id: string, text: string): Promise<void> {
    const time = new Date().toISOString();
    await appendFile(this.path(id), `${time} - vacd syslog.warning ${time} ${this.options.factory} vacd: ${text}\n`);
  }

  private path(id: string): string {
    return join(this.options.logs, `${id}.log`);
  }
}

/** An address that is not counted yet has sent nothing. */
function counterOf(counters: ReadonlyMap<string, number> | null, address: string): number | null {
  return counters === null ? null : (counters.get(address) ?? 0);
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    (file) => file.size,
    () => null,
  );
}

/** The latest counts of bucket `full` by machine in what impstats writes, one JSON object a line behind its time. */
export function parseRefused(statistics: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of statistics.split('\n')) {
    if (!line.includes('"dynstats.bucket"')) continue;
    try {
      const bucket = JSON.parse(line.slice(line.indexOf('{'))) as { name?: string; values?: Record<string, number> };
      if (bucket.name !== 'full') continue;
      for (const [id, count] of Object.entries(bucket.values ?? {})) counts.set(id, Number(count));
    } catch {
      // The line that is being written.
    }
  }
  return counts;
}
