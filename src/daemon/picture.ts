/** The picture of this factory that queries are answered from, and when it must be taken anew. */

import type { Config } from '../config/types.js';
import type { JournalEntry } from '../machines/journal.js';
import type { Clock, FactorySnapshot } from '../vacquery/index.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';
import { factorySnapshot, type HostStatus, readHostStatus } from './snapshot.js';

/** What changes by itself (CPU time, fizzle, heartbeats) is told no older than this. */
const PICTURE_MS = 200;

/**
 * Taken when somebody asks, and anew when a machine or the configuration has changed since, so that the next answer
 * tells of a start that was only just intended. While nobody asks, nothing is done.
 */
export class Picture {
  private snapshot: FactorySnapshot | null = null;
  private madeMs = 0;
  private config: Config | null = null;
  /** What the snapshot was made from: a machine's entry is another object with each change of it. */
  private entries: readonly JournalEntry[] = [];

  constructor(
    private readonly memory: Memory,
    private readonly host: () => HostStatus,
  ) {}

  /**
   * The same object as long as there is nothing new to tell.
   *
   * @param nowMs on the clock of the Memory
   */
  current(nowMs: number, nowSeconds: number): FactorySnapshot {
    if (this.snapshot !== null && nowMs < this.madeMs + PICTURE_MS && this.isUnchanged()) return this.snapshot;
    this.madeMs = nowMs;
    this.config = this.memory.config;
    this.entries = [...this.memory.machines.values()].map(({ entry }) => entry);
    this.snapshot = factorySnapshot(this.memory, this.host(), nowSeconds);
    return this.snapshot;
  }

  /** No machine has changed since, nor the configuration. */
  isUnchanged(): boolean {
    const { config, machines } = this.memory;
    if (config !== this.config || machines.size !== this.entries.length) return false;
    let index = 0;
    for (const { entry } of machines.values()) if (entry !== this.entries[index++]) return false;
    return true;
  }
}

/** Load, memory and free space are looked at this often: no query ever waits for a file. */
const HOST_STATUS_MS = 10_000;

const UNKNOWN: HostStatus = {
  root_disk_avail_kb: null,
  root_disk_avail_inodes: null,
  vac_disk_avail_kb: null,
  vac_disk_avail_inodes: null,
  load_average: null,
  kernel_version: null,
  os_issue: null,
  boot_time: null,
  swap_used_kb: null,
  swap_free_kb: null,
  mem_used_kb: null,
  mem_total_kb: null,
};

/** What the host itself told last. */
export class HostWatch {
  status: HostStatus = UNKNOWN;
  private problem: string | null = null;
  private closed = false;
  private cancelNext = () => {};

  constructor(
    private readonly stateDir: string,
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  /** Resolves after the first look. A look that hangs is the last one until it ends. */
  async start(): Promise<void> {
    try {
      this.status = await readHostStatus(this.stateDir);
      this.problem = null;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.problem) this.log.warn(`the state of this host cannot be told to those who ask: ${message}`);
      this.problem = message;
      this.status = UNKNOWN;
    }
    if (!this.closed) this.cancelNext = this.clock.at(this.clock.nowMs() + HOST_STATUS_MS, () => void this.start());
  }

  close(): void {
    this.closed = true;
    this.cancelNext();
  }
}
