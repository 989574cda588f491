/**
 * How machines get at machinefeatures, jobfeatures and joboutputs by NFS (SPEC 5): one interface, a backend per file.
 * Each directory is exported to its machine's address alone, read-only but for joboutputs, and every user of the guest
 * counts as one unprivileged user of the host.
 */

import { VacError } from '../errors.js';
import { ganeshaInstalled, GaneshaNfs } from './nfs-ganesha.js';
import { KernelNfs, kernelNfsdUsable } from './nfs-kernel.js';

/** The directories of a machine that it sees, and whether it may write there. */
export const EXPORTED_DIRECTORIES = [
  { name: 'machinefeatures', writable: false },
  { name: 'jobfeatures', writable: false },
  { name: 'joboutputs', writable: true },
] as const;

/** What one machine is given: three directories, for its IP alone. */
export interface MachineExports {
  /** The name of the machine's directory: `<created>_<machinetype>_<hostname>`. */
  readonly machineId: string;
  readonly uuid: string;
  readonly hostname: string;
  readonly machinetype: string;
  readonly clientIp: string;
  /** Absolute; holds machinefeatures/, jobfeatures/ and joboutputs/. */
  readonly directory: string;
}

/** `<server>:<path>` of each directory, as a guest mounts it. */
export interface MountAddresses {
  readonly machinefeatures: string;
  readonly jobfeatures: string;
  readonly joboutputs: string;
}

export interface NfsServer {
  readonly name: 'kernel' | 'ganesha' | 'none';
  /** Brings the server up if it is not; idempotent. Throws VacError `nfs-unavailable` with what to do. */
  ensureRunning(): Promise<void>;
  /** Idempotent; completes exports that are there in part. Throws VacError `nfs-refused`, `nfs-unavailable`. */
  add(exports: MachineExports): Promise<void>;
  /** Idempotent, and fine when the directory is gone. */
  remove(machineId: string): Promise<void>;
  /**
   * Machines whose exports are all there, as the server says and not as we remember: those left by an earlier vacd
   * too. Throws VacError `nfs-unavailable` when the server does not answer.
   */
  list(): Promise<Set<string>>;
  addressOf(exports: MachineExports): MountAddresses;
  /** For tests and the demo: ends what ensureRunning started. */
  stop(): Promise<void>;
}

export type NfsWanted = 'auto' | NfsServer['name'];

/** Of this host: null where a backend can be used, else the reason why not. */
export interface NfsFacts {
  readonly kernelProblem: string | null;
  readonly ganeshaProblem: string | null;
}

export interface NfsChoice {
  readonly name: NfsServer['name'];
  /** One sentence for the log. */
  readonly reason: string;
}

/**
 * Which backend serves: the kernel's where it can, since every site knows it, else nfs-ganesha.
 *
 * @throws VacError `nfs-unavailable` when what is wanted cannot be had
 */
export function chooseNfsBackend(wanted: NfsWanted, facts: NfsFacts): NfsChoice {
  const { kernelProblem, ganeshaProblem } = facts;
  if (wanted === 'none') return { name: 'none', reason: 'NFS is switched off (nfs = none)' };
  if (wanted === 'kernel' || (wanted === 'auto' && kernelProblem === null)) {
    if (kernelProblem === null) return { name: 'kernel', reason: "the kernel's NFS server can be used" };
    throw new VacError('nfs-unavailable', `nfs = kernel, but ${kernelProblem}`);
  }
  if (ganeshaProblem === null) {
    return { name: 'ganesha', reason: wanted === 'ganesha' ? 'nfs = ganesha' : `nfs-ganesha, since ${kernelProblem}` };
  }
  if (wanted === 'ganesha') throw new VacError('nfs-unavailable', `nfs = ganesha, but ${ganeshaProblem}`);
  throw new VacError(
    'nfs-unavailable',
    `no NFS server for the machines: ${kernelProblem}; ${ganeshaProblem}. Install one, or set nfs = none if all machines read their features by HTTP`,
  );
}

export interface NfsOptions {
  /** vacd's state directory; the ganesha backend keeps its files in `nfs/` below it. */
  readonly stateDir: string;
  /** The factory's address that guests mount from (SPEC 5: 169.254.169.254). */
  readonly address: string;
  /** The unprivileged user and group that every guest user counts as. */
  readonly guestOwner: { readonly uid: number; readonly gid: number };
  /** Told what works only in part; default: nobody. */
  readonly warn?: (message: string) => void;
}

/** @throws VacError `nfs-unavailable` when what is wanted cannot be had on this host */
export async function createNfsServer(wanted: NfsWanted, options: NfsOptions): Promise<NfsServer> {
  const [kernelProblem, ganeshaProblem] = await Promise.all([kernelNfsdUsable(), ganeshaInstalled()]);
  return NFS_BACKENDS[chooseNfsBackend(wanted, { kernelProblem, ganeshaProblem }).name](options);
}

const NFS_BACKENDS: Record<NfsServer['name'], (options: NfsOptions) => NfsServer> = {
  kernel: (options) => new KernelNfs(options),
  ganesha: (options) => new GaneshaNfs(options),
  none: (options) => new NoNfs(options),
};

/** Exports nothing: machines read their features by HTTP. */
export class NoNfs implements NfsServer {
  readonly name = 'none';

  constructor(private readonly options: Pick<NfsOptions, 'address'>) {}

  async ensureRunning(): Promise<void> {}
  async add(): Promise<void> {}
  async remove(): Promise<void> {}
  async list(): Promise<Set<string>> {
    return new Set();
  }
  addressOf(exports: MachineExports): MountAddresses {
    return mountAddresses(this.options.address, exports.directory);
  }
  async stop(): Promise<void> {}
}

export function mountAddresses(address: string, directory: string): MountAddresses {
  return {
    machinefeatures: `${address}:${directory}/machinefeatures`,
    jobfeatures: `${address}:${directory}/jobfeatures`,
    joboutputs: `${address}:${directory}/joboutputs`,
  };
}

/**
 * What goes into exportfs's arguments and ganesha's files must not need quoting. All of it is made by vacd from names
 * that the configuration has checked, so a failure here is a state directory with unusual characters.
 *
 * @throws VacError `nfs-refused`
 */
export function checkExportable(exports: MachineExports): void {
  for (const [field, value] of Object.entries(exports) as [string, string][]) {
    if (/^[A-Za-z0-9._:@+/-]+$/.test(value) && !/(^|\/)\.\.?(\/|$)/.test(value)) continue;
    throw new VacError('nfs-refused', `${field} "${value}" of machine ${exports.machineId} cannot be exported by NFS: use only letters, digits and . _ : @ + - in paths and names`);
  }
}
