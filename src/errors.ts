/**
 * Failures at the edges (commands, files, sockets, libvirt) as one class with a stable code. The core returns values
 * instead; a programmer's error is an assertion.
 */

/** Every code and what it means to an administrator. Codes are stable: scripts and monitoring may match them. */
export const ERROR_CODES = {
  'address-in-use': 'Another program already listens on the address and port that this one needs.',
  'address-missing': 'The host does not have the address that something should listen on.',
  'already-running': 'Another vacd uses the same state directory.',
  'command-failed': 'A program on the host ended with an error; its own words are in the message.',
  'command-missing': 'A program that is needed is not installed or not executable.',
  'command-timeout': 'A program on the host did not end in time and was killed with all its children.',
  'config-bad': 'The configuration has errors; the message lists all of them.',
  'credential-unusable':
    'An X.509 certificate or its key cannot be used: missing, damaged, encrypted, too near its end, or no pair.',
  'daemon-not-running': 'No vacd answers on the control socket of that state directory.',
  'daemon-refused': 'A running vacd did not understand or accept what it was asked.',
  'disk-too-large': 'A disk of a machine should be larger than any file can be where it is made.',
  'fetch-failed': 'A web server does not give what a URL names: it is down, slow, untrusted, or answers wrongly.',
  'file-unusable': 'A file that was named on the command line, or that is needed to answer, cannot be read or written.',
  'firewall-wrong': 'The rules that contain machines are missing, altered or cannot be made.',
  'helper-failed':
    'A long-lived helper process (NFS server, message bus, syslog receiver) did not come up or did not stay up.',
  'hypervisor-refused': 'libvirt answered, and refused; its own words are in the message.',
  'hypervisor-unreachable': 'libvirt does not answer: it is down, restarting or hangs.',
  'image-cache-full': 'There is no room in the image cache, or on its disk, for an image that a server has.',
  'image-missing': 'A root image cannot be read.',
  'image-unusable': 'A root image is no stand-alone qcow2 and no bootable raw disk.',
  'libvirt-missing': "libvirt's library or the binding to it cannot be loaded.",
  'network-wrong': "The machines' private network is missing, altered or cannot be made.",
  'nfs-refused': 'The NFS server runs but did not accept an export or its removal.',
  'nfs-unavailable': 'No NFS server can be used or started on this host, or it does not answer.',
  'no-such-thing': 'What was named is not known to this factory.',
  'not-root': 'Root is needed.',
  'orders-not-kept': 'An order holds, but could not be written down: a restart of vacd would not know of it.',
  'quarantine-failed': 'A machine could not be taken into quarantine; nothing was done to it.',
  'space-key-unusable': 'The file with the keys of the space cannot be used; nothing that needs them is believed.',
  'space-unknown': 'Neither the options, nor a configuration, nor a vacd on this host tells which space is meant.',
  'spool-unusable': 'Accounting records cannot be moved into apel-archive or apel-outgoing.',
  'syslog-unavailable': "The receiver of machines' syslog cannot be started.",
  'upload-failed': 'A web server does not take a file: it is down, slow, untrusted, or refuses.',
  'user-data-unusable': 'user_data is too large for the way to the machine, or of a form that nothing can be added to.',
  'user-data-unavailable': "A machinetype's user_data, or a file that goes into it, cannot be read or fetched.",
  'volume-group-full': 'The LVM volume group for machines has no room for another disk.',
  'volume-group-missing': 'The LVM volume group or thin pool that volume_group names is not there.',
  usage: 'The command line is wrong.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An operational failure: one sentence that names the thing and says what to do, and a code to match on. */
export class VacError extends Error {
  override readonly name: string = 'VacError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Whether `error` is a VacError with this code. */
export function isVacError(error: unknown, code: ErrorCode): error is VacError {
  return error instanceof VacError && error.code === code;
}
