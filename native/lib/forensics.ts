import type { CallOptions } from './calls.js';
import { DomainCalls } from './domains.js';
import { combineFlags } from './flags.js';

export interface SaveOptions extends CallOptions {
  /** Do not fill the host's page cache with the image. */
  readonly bypassCache?: boolean | undefined;
  /** State after `restoreDomain`, whatever it is now. */
  readonly running?: boolean | undefined;
  readonly paused?: boolean | undefined;
}

const dumpFormats = { raw: 0, kdumpZlib: 1, kdumpLzo: 2, kdumpSnappy: 3, winDmp: 4 } as const;

export interface CoreDumpOptions extends CallOptions {
  /** Memory alone, as an ELF file that `crash` reads; otherwise with the device state, in QEMU's migration format. */
  readonly memoryOnly?: boolean | undefined;
  /** Let the guest run meanwhile. */
  readonly live?: boolean | undefined;
  /** Destroy the guest afterwards (it counts as crashed). */
  readonly crash?: boolean | undefined;
  /** Reset the guest afterwards. */
  readonly reset?: boolean | undefined;
  readonly bypassCache?: boolean | undefined;
  /** Default `raw`; the others with `memoryOnly` alone. */
  readonly format?: keyof typeof dumpFormats | undefined;
}

export interface SnapshotOptions extends CallOptions {
  /** Disks alone, without memory. */
  readonly diskOnly?: boolean | undefined;
  /** Have libvirt forget it at once: only the files remain. */
  readonly noMetadata?: boolean | undefined;
  /** Freeze the guest's file systems by its agent. */
  readonly quiesce?: boolean | undefined;
  /** All disks or none. */
  readonly atomic?: boolean | undefined;
  /** Let the guest run while its memory is written. */
  readonly live?: boolean | undefined;
  /** Use image files that are there already. */
  readonly reuseExternal?: boolean | undefined;
  /** Stop the guest afterwards. */
  readonly halt?: boolean | undefined;
}

const SAVE_FLAGS = { bypassCache: 1, running: 2, paused: 4 };
const DUMP_FLAGS = { crash: 1, live: 2, bypassCache: 4, reset: 8, memoryOnly: 16 };
const SNAPSHOT_FLAGS = {
  noMetadata: 1 << 2,
  halt: 1 << 3,
  diskOnly: 1 << 4,
  reuseExternal: 1 << 5,
  quiesce: 1 << 6,
  atomic: 1 << 7,
  live: 1 << 8,
};
const SNAPSHOT_DELETE_FLAGS = { children: 1, metadataOnly: 2 };

/**
 * Calls that keep what a domain held. They write gigabytes: give them a `timeoutSeconds` of their own. Paths are the
 * daemon's.
 */
export abstract class ForensicsCalls extends DomainCalls {
  /** Stops the domain and writes its memory and state to a file (virDomainSaveFlags). */
  async saveDomain(uuid: string, path: string, options: SaveOptions = {}): Promise<void> {
    await this.call('saveDomain', [uuid, path, combineFlags(SAVE_FLAGS, options)], options);
  }

  /** Starts a domain from a file of `saveDomain` (virDomainRestoreFlags). */
  async restoreDomain(path: string, options: SaveOptions = {}): Promise<void> {
    await this.call('restoreDomain', [path, combineFlags(SAVE_FLAGS, options)], options);
  }

  /** Writes the domain's memory to a file (virDomainCoreDumpWithFormat). */
  async coreDumpDomain(uuid: string, path: string, options: CoreDumpOptions = {}): Promise<void> {
    const format = dumpFormats[options.format ?? 'raw'];
    await this.call('coreDumpDomain', [uuid, path, format, combineFlags(DUMP_FLAGS, options)], options);
  }

  /** Cancels a save or dump that goes on in another call (virDomainAbortJob). */
  async abortDomainJob(uuid: string, options?: CallOptions): Promise<void> {
    await this.call('abortDomainJob', [uuid], options);
  }

  /** Makes a snapshot as `<domainsnapshot>` XML says, and gives its name (virDomainSnapshotCreateXML). */
  createSnapshot(uuid: string, xml: string, options: SnapshotOptions = {}): Promise<string> {
    return this.call('createSnapshot', [uuid, xml, combineFlags(SNAPSHOT_FLAGS, options)], options);
  }

  /** Names of the domain's snapshots (virDomainListAllSnapshots). */
  listSnapshots(uuid: string, options?: CallOptions): Promise<string[]> {
    return this.call('listSnapshots', [uuid], options);
  }

  /** `metadataOnly` keeps the files; `children` takes those made from it too (virDomainSnapshotDelete). */
  async deleteSnapshot(
    uuid: string,
    name: string,
    options: { metadataOnly?: boolean | undefined; children?: boolean | undefined } & CallOptions = {},
  ): Promise<void> {
    await this.call('deleteSnapshot', [uuid, name, combineFlags(SNAPSHOT_DELETE_FLAGS, options)], options);
  }
}
