/** What every NFS backend implements, and what all of them are given. The choice among them is made in nfs.ts. */

import { VacError } from '../errors.js';

/** Fixed, so that guests need no portmapper to find them; the firewall lets machines come to these alone. */
export const NFS_PORT = 2049;
export const MOUNT_PORT = 20048;

/**
 * The directories of a machine that it sees, where in its directory each really is, and whether it may write there.
 *
 * Each lies within a file system of the machine's own, and not at its root: nfs-ganesha takes a file system for exported
 * as soon as it comes by it over the `..` of another's root, and it looks up the `..` of every directory that a handle,
 * forged ones included, names. So between these and the host's file system lies `private/`, for root alone, and the root
 * of a tmpfs, whose handle nobody can guess.
 */
export const EXPORTED_DIRECTORIES = [
  { name: 'machinefeatures', place: 'shared/private/machinefeatures', writable: false },
  { name: 'jobfeatures', place: 'shared/private/jobfeatures', writable: false },
  { name: 'joboutputs', place: 'shared/private/outputs/joboutputs', writable: true },
] as const;

/** What one machine is given: three directories, for its IP alone. */
export interface MachineExports {
  /** The name of the machine's directory: `<created>_<machinetype>_<hostname>`. */
  readonly machineId: string;
  readonly uuid: string;
  readonly hostname: string;
  readonly machinetype: string;
  readonly clientIp: string;
  /** Absolute; holds machinefeatures, jobfeatures and joboutputs, as directories or links. */
  readonly directory: string;
  /** The machine has written as much as it may (machines/joboutputs-watch.ts). */
  readonly joboutputsReadOnly?: true;
}

export interface ExportedDirectory {
  readonly name: string;
  /** Where it really is; in the machine's directory there is a link to it. */
  readonly path: string;
  readonly writable: boolean;
}

/** What a machine sees, and whether it may write there now. */
export function exportedDirectories({ directory, joboutputsReadOnly }: MachineExports): readonly ExportedDirectory[] {
  return EXPORTED_DIRECTORIES.map(({ name, place, writable }) => ({
    name,
    path: `${directory}/${place}`,
    writable: writable && !joboutputsReadOnly,
  }));
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
  /** Whether a server that we started has ended by itself since it was last to run; true once for each end. */
  hasEnded?(): Promise<boolean>;
  addressOf(exports: MachineExports): MountAddresses;
  /** For tests and the demo: ends what ensureRunning started. */
  stop(): Promise<void>;
}

export interface NfsOptions {
  /** vacd's state directory; the ganesha backend keeps its files in `nfs/` below it. */
  readonly stateDir: string;
  /** The factory's address that guests mount from (SPEC 5: 169.254.169.254). */
  readonly address: string;
  /** The unprivileged user and group that every guest user counts as. */
  readonly guestOwner: { readonly uid: number; readonly gid: number };
  /** Told which backend was chosen, and why. */
  readonly info?: (message: string) => void;
  /** Told what works only in part. */
  readonly warn?: (message: string) => void;
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
    throw new VacError(
      'nfs-refused',
      `${field} "${value}" of machine ${exports.machineId} cannot be exported by NFS: use only letters, digits and . _ : @ + - in paths and names`,
    );
  }
}
