/**
 * The archive of joboutputs (joboutputs_archive_url): what machines that are over have left is put to the site's storage,
 * by PUT to URL/<space>/<factory>/<machine>/<file>.
 *
 * The queue is the machines' directories: `archive.json`, written when a machine is cleared, says where to and which files
 * have arrived; it is done when the file says so. So a restart goes on with the file after the last one that arrived, and a
 * machine's directory is forgotten only when it is done or given up, which is when its time (machines_dir_days) is over.
 */

import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { VacError } from '../errors.js';
import type { MachineRecord } from '../factory/types.js';
import { readTextIfThere, writeFileAtomic } from '../host/files.js';
import { redacted } from '../host/http-errors.js';
import { putFile } from '../host/http-put.js';
import { readPem } from '../host/x509-credential.js';
import type { StateLayout } from '../machines/layout.js';
import type { Trail } from '../trail/trail.js';
import type { Logger } from './log.js';
import type { ArchiveFacts } from './trust-facts.js';

export interface OutputsArchiveParts {
  readonly layout: StateLayout;
  readonly trail: Pick<Trail, 'note'>;
  readonly log: Logger;
  readonly space: () => string;
  readonly factory: string;
  /** joboutputs_archive_url of a machinetype; null: its outputs stay here. */
  readonly urlOf: (machinetype: string) => string | null;
  /** joboutputs_archive_auth_file. */
  readonly authFile: () => string | null;
  readonly caDirectory?: string;
  /** Of the first retry; it doubles up to `MAX_RETRY_MS`. */
  readonly firstRetryMs?: number;
}

/** What `archive.json` holds. */
interface Order {
  readonly version: 1;
  /** Of the machine's directory there. */
  readonly url: string;
  /** Names that have arrived. */
  readonly arrived: readonly string[];
  readonly state: 'due' | 'done' | 'given-up';
}

interface Job {
  readonly record: MachineRecord;
  failures: number;
  retryAtMs: number;
}

const ORDER = 'archive.json';
const CONCURRENT = 2;
const FIRST_RETRY_MS = 10_000;
const MAX_RETRY_MS = 3_600_000;
const IDLE_SECONDS = 60;
const TICK_MS = 1_000;
/** joboutputs are limited already; these are against what got past. */
const MAX_FILES = 10_000;
const MAX_FILE_BYTES = 100e9;

export class OutputsArchive {
  private readonly jobs = new Map<string, Job>();
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly abort = new AbortController();
  private timer: NodeJS.Timeout | null = null;
  private trouble: string | null = null;

  constructor(private readonly parts: OutputsArchiveParts) {}

  /** Takes up what an earlier vacd has not ended. */
  async start(cleared: readonly MachineRecord[]): Promise<void> {
    for (const record of cleared) {
      if ((await this.read(record.id))?.state === 'due') this.enqueue(record);
    }
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  async close(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.abort.abort(new Error('vacd ends'));
    await Promise.all(this.underWay.values());
  }

  /** Why outputs are not archived now, for people; null: nothing waits for a server that failed. */
  problem(): string | null {
    const waiting = [...this.jobs.values()].filter(({ failures }) => failures > 0).length;
    return waiting === 0 ? null : `joboutputs of ${waiting} machines wait to be archived: ${this.trouble}`;
  }

  facts(): ArchiveFacts {
    const jobs = [...this.jobs.values()];
    return { waitingMachines: jobs.length, failingMachines: jobs.filter(({ failures }) => failures > 0).length };
  }

  /** A step of clearing: takes down that its outputs are to be sent; nothing where no URL is configured. */
  async order(record: MachineRecord): Promise<void> {
    const base = this.parts.urlOf(record.machinetype);
    const known = await this.read(record.id);
    // Of a vacd that died before the machine was cleared: nobody else takes it up.
    if (known?.state === 'due') this.enqueue(record);
    if (base === null || known !== null) return;
    const path = [this.parts.space(), this.parts.factory, record.id].map(encodeURIComponent).join('/');
    await this.write(record.id, { version: 1, url: `${base.replace(/\/+$/, '')}/${path}`, arrived: [], state: 'due' });
    this.enqueue(record);
  }

  /** Before a machine's directory is removed: what is not sent by now is given up, and told. */
  async giveUp(record: MachineRecord): Promise<void> {
    this.jobs.delete(record.id);
    await this.underWay.get(record.id);
    const order = await this.read(record.id);
    if (order?.state !== 'due') return;
    const { log, trail } = this.parts;
    const text = `its outputs are not, or not all, in ${redacted(order.url)}, and its time here is over (machines_dir_days): ${this.trouble ?? 'there was no time'}`;
    log.error({ machine: record.id }, `${record.hostname}: ${text}`);
    await trail.note(record, 'archive-given-up', 'vacd', text);
    await this.write(record.id, { ...order, state: 'given-up' });
  }

  private enqueue(record: MachineRecord): void {
    if (this.jobs.has(record.id)) return;
    this.jobs.set(record.id, { record, failures: 0, retryAtMs: 0 });
    this.tick();
  }

  private tick(): void {
    if (this.abort.signal.aborted || this.timer === null) return;
    const nowMs = performance.now();
    for (const job of this.jobs.values()) {
      if (this.underWay.size >= CONCURRENT) return;
      if (job.retryAtMs > nowMs || this.underWay.has(job.record.id)) continue;
      const { id } = job.record;
      this.underWay.set(
        id,
        this.send(job).finally(() => {
          this.underWay.delete(id);
          if (job.failures === 0) this.tick();
        }),
      );
    }
  }

  private async send(job: Job): Promise<void> {
    const { log } = this.parts;
    const { record } = job;
    try {
      const count = await this.sendAll(record);
      this.jobs.delete(record.id);
      if (job.failures > 0) log.info({ machine: record.id }, `${record.hostname}: its outputs are archived after all`);
      log.info({ machine: record.id }, `${record.hostname}: ${count} files of joboutputs archived`);
    } catch (error) {
      if (this.abort.signal.aborted) return;
      const { message } = error as Error;
      if (message !== this.trouble) log.warn({ machine: record.id }, `${message}; it is tried again`);
      this.trouble = message;
      job.failures += 1;
      const { firstRetryMs = FIRST_RETRY_MS } = this.parts;
      job.retryAtMs = performance.now() + Math.min(MAX_RETRY_MS, firstRetryMs * 2 ** Math.min(job.failures - 1, 12));
    }
  }

  private async sendAll(record: MachineRecord): Promise<number> {
    let order = await this.read(record.id);
    if (order?.state !== 'due') return 0;
    const directory = this.parts.layout.inMachine(record.id, 'joboutputs');
    const entries = await readdir(directory, { withFileTypes: true });
    const names = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
    const arrived = new Set(order.arrived);
    let leftOut = Math.max(0, names.length - MAX_FILES);
    for (const name of names.sort().slice(0, MAX_FILES)) {
      if (arrived.has(name)) continue;
      if (!(await this.sendFile(join(directory, name), `${order.url}/${encodeURIComponent(name)}`))) {
        leftOut += 1;
        continue;
      }
      arrived.add(name);
      order = { ...order, arrived: [...arrived] };
      // Not waited for on the disk: the worst is that a file is put twice.
      await this.write(record.id, order, false);
    }
    const notAll = leftOut === 0 ? '' : `; ${leftOut} left out, as too many, too large, or of a name that is no text`;
    const text = `${arrived.size} files in ${redacted(order.url)}${notAll}`;
    if (leftOut > 0) this.parts.log.warn({ machine: record.id }, `${record.hostname}: ${text}`);
    await this.parts.trail.note(record, 'archived', 'vacd', text);
    await this.write(record.id, { ...order, state: 'done' });
    return arrived.size;
  }

  /**
   * It was the guest's: no link is followed, and only what was there when it was opened is sent.
   *
   * @returns false: it is none that can be sent
   */
  private async sendFile(path: string, url: string): Promise<boolean> {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await open(path, flags).catch((error: NodeJS.ErrnoException) => {
      // By the name that we read of it there is no file when that is no UTF-8: the others must not wait for it for ever.
      if (error.code === 'ENOENT' || error.code === 'ELOOP') return null;
      throw error;
    });
    if (handle === null) return false;
    const info = await handle.stat();
    if (!info.isFile() || info.size > MAX_FILE_BYTES) {
      await handle.close();
      return false;
    }
    const { caDirectory } = this.parts;
    const authorization = await this.authorization().catch(async (error: Error) => {
      await handle.close();
      throw error;
    });
    // A range that ends before its beginning would be refused.
    const body = handle.createReadStream(info.size === 0 ? {} : { start: 0, end: info.size - 1 });
    await putFile(url, {
      body,
      bytes: info.size,
      authorization,
      idleSeconds: IDLE_SECONDS,
      signal: this.abort.signal,
      ...(caDirectory === undefined ? {} : { caDirectory }),
    });
    return true;
  }

  /** Read anew each time: tokens are renewed. */
  private async authorization(): Promise<string | null> {
    const path = this.parts.authFile();
    if (path === null) return null;
    const refuse = (why: string) => new VacError('upload-failed', `joboutputs_archive_auth_file ${path} ${why}`);
    const { text, mode } = await readPem(path);
    if ((mode & 0o077) !== 0) throw refuse('may be read by others than its owner; chmod 600 it');
    const line = text.trim();
    if (line === '' || /[\p{Cc}]/u.test(line)) throw refuse('is empty, or has more than one line');
    if (/^[A-Za-z][\w-]* \S/.test(line)) return line;
    if (line.includes(':')) return `Basic ${Buffer.from(line).toString('base64')}`;
    return `Bearer ${line}`;
  }

  private async read(id: string): Promise<Order | null> {
    const text = await readTextIfThere(this.parts.layout.inMachine(id, ORDER));
    if (text === null) return null;
    try {
      const order = JSON.parse(text) as Order;
      return order.version === 1 && typeof order.url === 'string' && Array.isArray(order.arrived) ? order : null;
    } catch {
      return null;
    }
  }

  private async write(id: string, order: Order, durable = true): Promise<void> {
    // The URL may hold a password.
    const options = { mode: 0o600, durable };
    await writeFileAtomic(this.parts.layout.inMachine(id, ORDER), `${JSON.stringify(order, null, 1)}\n`, options);
  }
}
