/**
 * Where joboutputs are plain directories on the host's own file system: looks every few seconds how much is in them, and
 * takes a machine that has more than it may the right to write. A weaker promise than a file system of its own
 * (guest-directories.ts): in the seconds between two looks it can write more.
 */

import { realpath } from 'node:fs/promises';
import { joboutputsLimits } from '../factory/joboutputs-limits.js';
import type { MachineRecord } from '../factory/types.js';
import { measureHostileTree } from '../host/hostile-tree.js';
import type { NfsServer } from '../host/nfs.js';
import { exportsOf } from './create.js';
import type { StateLayout } from './layout.js';

/** Between two looks. */
const WATCH_SECONDS = 5;

export interface JoboutputsWatchParts {
  readonly layout: StateLayout;
  readonly nfs: NfsServer;
  readonly log: { warn(message: string): void };
}

export class JoboutputsWatch {
  /** Ids of machines that may write no more. */
  private readonly full = new Set<string>();

  private timer: NodeJS.Timeout | null = null;

  constructor(private readonly parts: JoboutputsWatchParts) {}

  /** Looks again and again; the next look begins some seconds after the last has ended. */
  start(running: () => readonly MachineRecord[]): void {
    this.timer = setTimeout(async () => {
      await this.look(running());
      if (this.timer !== null) this.start(running);
    }, WATCH_SECONDS * 1000);
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** One after the other: there is no hurry that is worth the host's disk. */
  async look(running: readonly MachineRecord[]): Promise<void> {
    const ids = new Set(running.map(({ id }) => id));
    for (const id of this.full) if (!ids.has(id)) this.full.delete(id);
    for (const record of running) {
      await this.lookAt(record).catch((error: Error) =>
        this.parts.log.warn(`${record.hostname}: its joboutputs cannot be looked at: ${error.message}`),
      );
    }
  }

  private async lookAt(record: MachineRecord): Promise<void> {
    const { layout, nfs, log } = this.parts;
    const limits = joboutputsLimits(record);
    // The name in the machine's directory is a link of ours; from where that leads on, none is followed.
    const directory = await realpath(layout.inMachine(record.id, 'joboutputs'));
    const { bytes, entries } = await measureHostileTree(directory, { bytes: limits.bytes, entries: limits.files });
    if (bytes <= limits.bytes && entries <= limits.files) return;
    // Each time: somebody may have exported it anew. The NFS server is told only what it does not know.
    await nfs.add({ ...exportsOf(layout, record), joboutputsReadOnly: true });
    if (this.full.has(record.id)) return;
    this.full.add(record.id);
    log.warn(
      `${record.hostname}: its joboutputs hold more than it may write (${limits.bytes / 2 ** 20} MiB, ${limits.files} files); it can write no more`,
    );
  }
}
