/**
 * How the child gives up root. It is done after all modules are loaded, so that the program may lie where only root can
 * read (below /root, as a checkout often does), and before the first byte from outside.
 */

import { readFileSync, writeFileSync } from 'node:fs';

export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** The kernel, when it must end a process for memory, shall take this one long before vacd, which is never a good choice. */
const OOM_SCORE = '500';

/**
 * Becomes another user for good: no groups, no capabilities, no way back.
 *
 * @throws Error when anything of it did not happen; the process must end then
 */
export function dropRoot({ uid, gid }: Identity): void {
  if (uid === 0 || gid === 0) throw new Error('the child must be given a user other than root');
  writeFileSync('/proc/self/oom_score_adj', OOM_SCORE);
  process.chdir('/');
  process.umask(0o777);
  process.setgroups!([]);
  process.setgid!(gid);
  process.setuid!(uid);
  const wrong = rightsLeft(readFileSync('/proc/self/status', 'utf8'), { uid, gid });
  if (wrong !== null || canBecomeRoot()) throw new Error(`root was not given up: ${wrong ?? 'setuid(0) works'}`);
}

/**
 * What in /proc/PID/status says that a process is more than this user; null: nothing. With no_new_privs, programs that
 * are setuid or have capabilities give it no more either.
 */
export function rightsLeft(status: string, { uid, gid }: Identity): string | null {
  const wanted = new Map([
    ['Uid', `${uid} ${uid} ${uid} ${uid}`],
    ['Gid', `${gid} ${gid} ${gid} ${gid}`],
    ['Groups', ''],
    ['CapInh', '0000000000000000'],
    ['CapPrm', '0000000000000000'],
    ['CapEff', '0000000000000000'],
    ['CapAmb', '0000000000000000'],
    ['NoNewPrivs', '1'],
  ]);
  for (const line of status.split('\n')) {
    const [name = '', value = ''] = line.split(':');
    const found = value.trim().replace(/\s+/g, ' ');
    if (wanted.has(name) && wanted.get(name) !== found) return `${name} is "${found}"`;
    wanted.delete(name);
  }
  return wanted.size === 0 ? null : `${[...wanted.keys()].join(', ')} cannot be seen`;
}

function canBecomeRoot(): boolean {
  for (const become of [() => process.setuid!(0), () => process.setgid!(0)]) {
    try {
      become();
      return true;
    } catch {
      // As it should be.
    }
  }
  return false;
}
