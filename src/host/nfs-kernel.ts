/**
 * The kernel's NFS server, by exportfs. Commands are planned by pure functions and parsed by pure functions; only
 * {@link KernelNfs} runs them.
 */

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { isVacError, VacError } from '../errors.js';
import { isInstalled, run } from './exec.js';
import { Serial } from './helper-daemon.js';
import {
  checkExportable,
  EXPORTED_DIRECTORIES,
  exportedDirectories,
  type MachineExports,
  MOUNT_PORT,
  type MountAddresses,
  type NfsOptions,
  type NfsServer,
} from './nfs-exports.js';

/** One line of `exportfs -v`. */
export interface KernelExport {
  readonly path: string;
  /** An address, or `<world>` and other forms that are not ours. */
  readonly client: string;
  readonly options: readonly string[];
}

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
}

/** What exports a machine's directories; harmless to run again. */
export function planAdd(exports: MachineExports, guestOwner: NfsOptions['guestOwner']): Command[] {
  return exportedDirectories(exports).map(({ name, path, writable }) => {
    const options = [
      writable ? 'rw' : 'ro',
      // A guest's write that was answered is on disk: a heartbeat or result is not lost with the host.
      'sync',
      'root_squash',
      'all_squash',
      `anonuid=${guestOwner.uid}`,
      `anongid=${guestOwner.gid}`,
      // A hostile guest can forge file handles; this is the check that they lie below the exported directory.
      'subtree_check',
      'sec=sys',
      `fsid=${exportFsid(exports.uuid, name)}`,
    ];
    return { command: 'exportfs', args: ['-o', options.join(','), `${exports.clientIp}:${path}`] };
  });
}

/** What ends a machine's exports among those there are. */
export function planRemove(machineId: string, there: readonly KernelExport[]): Command[] {
  return there
    .filter((entry) => machineIdOf(entry.path) === machineId)
    .map(({ client, path }) => ({ command: 'exportfs', args: ['-u', `${client}:${path}`] }));
}

/** Machines all of whose directories are exported. */
export function listMachines(there: readonly KernelExport[]): Set<string> {
  const counts = new Map<string, number>();
  for (const { path } of there) {
    const id = machineIdOf(path);
    if (id !== null) counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return new Set([...counts].filter(([, count]) => count >= EXPORTED_DIRECTORIES.length).map(([id]) => id));
}

/** A version before file systems of their own exported `<machine>/<name>`: such machines may live yet, and must end too. */
const PLACES = EXPORTED_DIRECTORIES.flatMap(({ name, place }) => [place, name]);

/** `<anything>/<machine id>/<place of an exported directory>`; null for a path that is not of this form. */
function machineIdOf(path: string): string | null {
  const known = PLACES.find((place) => path.endsWith(`/${place}`));
  if (known === undefined) return null;
  const id = basename(path.slice(0, -known.length));
  return /^\d+_[a-z0-9-]+_[A-Za-z0-9.-]+$/.test(id) ? id : null;
}

/**
 * An fsid of 128 bits from the machine's UUID and the directory's name: file handles stay the same when the server is
 * restarted, on file systems without a UUID too.
 */
export function exportFsid(uuid: string, directoryName: string): string {
  const hex = createHash('sha256').update(`${uuid}/${directoryName}`).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Reads `exportfs -v`: `PATH CLIENT(options)`, with a line break and tabs after a path of more than 14 characters. */
export function parseExportfs(text: string): KernelExport[] {
  const entries: KernelExport[] = [];
  for (const match of text.matchAll(/^(\S+)\s+([^\s(]+)\(([^)]*)\)$/gm)) {
    entries.push({ path: match[1]!, client: match[2]!, options: match[3]!.split(',') });
  }
  return entries;
}

export class KernelNfs implements NfsServer {
  readonly name = 'kernel';
  private readonly serial = new Serial();
  private startedByHand = false;

  constructor(private readonly options: NfsOptions) {}

  async ensureRunning(): Promise<void> {
    if ((await serverThreads()) > 0) return;
    try {
      if (existsSync('/run/systemd/system')) {
        await run('systemctl', ['start', 'nfs-server.service']);
      } else {
        for (const { command, args } of START_BY_HAND) await run(command, args);
        this.startedByHand = true;
      }
    } catch (cause) {
      throw new VacError('nfs-unavailable', `the kernel's NFS server does not start: ${(cause as Error).message}`, {
        cause,
      });
    }
    if ((await serverThreads()) === 0) {
      throw new VacError(
        'nfs-unavailable',
        "the kernel's NFS server has no threads after its start; see `systemctl status nfs-server`",
      );
    }
  }

  add(exports: MachineExports): Promise<void> {
    checkExportable(exports);
    return this.serial.run(() => this.perform(planAdd(exports, this.options.guestOwner)));
  }

  remove(machineId: string): Promise<void> {
    return this.serial.run(async () => this.perform(planRemove(machineId, await this.there())));
  }

  async list(): Promise<Set<string>> {
    if ((await serverThreads()) === 0) throw new VacError('nfs-unavailable', "the kernel's NFS server does not run");
    return listMachines(await this.there());
  }

  addressOf(exports: MachineExports): MountAddresses {
    const [machinefeatures, jobfeatures, joboutputs] = exportedDirectories(exports).map(
      ({ path }) => `${this.options.address}:${path}`,
    );
    return { machinefeatures: machinefeatures!, jobfeatures: jobfeatures!, joboutputs: joboutputs! };
  }

  /** A server that systemd runs is the site's own, and stays. */
  async stop(): Promise<void> {
    if (this.startedByHand) await run('rpc.nfsd', ['0']);
    this.startedByHand = false;
  }

  private async there(): Promise<KernelExport[]> {
    return parseExportfs((await run('exportfs', ['-v'])).stdout);
  }

  private async perform(commands: readonly Command[]): Promise<void> {
    for (const { command, args } of commands) {
      try {
        await run(command, args);
      } catch (cause) {
        throw new VacError('nfs-refused', (cause as Error).message, { cause });
      }
    }
  }
}

/** Where no systemd does it. mountd stays after {@link KernelNfs.stop}: without threads there is nothing to mount. */
const START_BY_HAND: readonly Command[] = [
  { command: 'rpc.nfsd', args: ['8'] },
  { command: 'rpc.mountd', args: ['--port', String(MOUNT_PORT)] },
];

/** Threads of the server in this network namespace; 0 when it does not run. */
async function serverThreads(): Promise<number> {
  return Number(await readFile('/proc/fs/nfsd/threads', 'utf8').catch(() => '0'));
}

/** Null where the kernel's NFS server can be used, else the reason why not. */
export async function kernelNfsdUsable(): Promise<string | null> {
  for (const program of ['exportfs', 'rpc.nfsd']) {
    if (!(await isInstalled(program))) return `${program} is not installed (package nfs-kernel-server or nfs-utils)`;
  }
  if (await kernelHasNfsd()) return null;
  try {
    await run('modprobe', ['nfsd']);
  } catch (error) {
    if (!isVacError(error, 'command-failed') && !isVacError(error, 'command-missing')) throw error;
  }
  return (await kernelHasNfsd()) ? null : 'this kernel has no NFS server (no module nfsd)';
}

async function kernelHasNfsd(): Promise<boolean> {
  return /^nodev\s+nfsd$/m.test(await readFile('/proc/filesystems', 'utf8'));
}
