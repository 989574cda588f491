/**
 * The command line of the child: away from the network, limits, then Node as root with next to no capabilities, which
 * loads and drops them.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Identity } from './confine.js';

/** What the child is told on its command line, as JSON. */
export interface Task extends Identity {
  /** Names of the parts that it has. */
  readonly parts: readonly string[];
  /** It may open connections and sockets of its own. */
  readonly network: boolean;
  readonly sockets: readonly { readonly part: string; readonly name: string; readonly descriptor: number }[];
}

/** Where in the child the channel is; its sockets come after it. */
export const CHANNEL_DESCRIPTOR = 3;

/** The program as it is built: TypeScript's loader in tests would read files when root is gone. */
const ENTRY = fileURLToPath(new URL('../../dist/vacd-guard.js', import.meta.url));

/** Connections of all machines, its sockets, and what Node needs itself. */
const MAX_DESCRIPTORS = 4096;
/** All that it can write to, buffers beside the heap and stacks of threads included. */
const MAX_DATA_BYTES = 512 * 2 ** 20;

/** linux/capability.h */
const CAP_SYS_ADMIN = 21n;

/** Memory is dear on a host that sells it; the child keeps little, for a short time. */
const NODE_FLAGS = ['--max-old-space-size=96', '--max-semi-space-size=1', '--v8-pool-size=1'];

/**
 * @param mark an argument that makes the process known as this vacd's (see `leftover.ts`)
 * @param entry the module that it runs
 * @returns program and arguments
 */
export function guardCommand(task: Task, mark: string, entry = ENTRY): [string, string[]] {
  // Sockets that it is given stay in the host's network; whatever it makes itself is in one of its own that leads nowhere.
  const apart = task.network || !maySetApart() ? [] : ['unshare', '--net', '--ipc', '--'];
  const limits = [
    '--core=0',
    `--nofile=${MAX_DESCRIPTORS}`,
    // Not a byte into any file.
    '--fsize=0',
    `--data=${MAX_DATA_BYTES}`,
    // No process and no thread more than Node has made while it was root, to which this does not apply.
    ...(inFirstUserNamespace() ? ['--nproc=0'] : []),
  ];
  const rights = [
    '--no-new-privs',
    '--inh-caps=-all',
    // To read the program wherever it lies, and to become the other user.
    '--bounding-set=-all,+dac_read_search,+setuid,+setgid',
  ];
  const node = [process.execPath, ...NODE_FLAGS, entry, `--of=${mark}`, JSON.stringify(task)];
  const [program = '', ...args] = [...apart, 'prlimit', ...limits, '--', 'setpriv', ...rights, '--', ...node];
  return [program, args];
}

/** Whether vacd may make namespaces; as root in a container it may not always. */
function maySetApart(): boolean {
  try {
    const [, effective = '0'] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
  } catch {
    return false;
  }
}

/** In a container with users of its own, root counts as any user for the limit of processes: Node could not start. */
function inFirstUserNamespace(): boolean {
  try {
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
  } catch {
    return false;
  }
}
