/**
 * How machines get at machinefeatures, jobfeatures and joboutputs by NFS (SPEC 5): one interface, a backend per file.
 * Each directory is exported to its machine's address alone, read-only but for joboutputs, and every user of the guest
 * counts as one unprivileged user of the host.
 */

import { VacError } from '../errors.js';
import {
  type MachineExports,
  type MountAddresses,
  mountAddresses,
  type NfsOptions,
  type NfsServer,
} from './nfs-exports.js';
import { GaneshaNfs, ganeshaInstalled } from './nfs-ganesha.js';
import { KernelNfs, kernelNfsdUsable } from './nfs-kernel.js';

export type { MachineExports, MountAddresses, NfsOptions, NfsServer } from './nfs-exports.js';

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

/** @throws VacError `nfs-unavailable` when what is wanted cannot be had on this host */
export async function createNfsServer(wanted: NfsWanted, options: NfsOptions): Promise<NfsServer> {
  const [kernelProblem, ganeshaProblem] = await Promise.all([kernelNfsdUsable(), ganeshaInstalled()]);
  const { name, reason } = chooseNfsBackend(wanted, { kernelProblem, ganeshaProblem });
  options.info?.(`NFS for machines: ${name}; ${reason}`);
  return NFS_BACKENDS[name](options);
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
