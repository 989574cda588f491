import { LockedError } from './errors.js';
import { binding } from './native.js';

/**
 * Tells the service manager about this process (sd_notify(3)): `READY=1`, `WATCHDOG=1`, `STATUS=…`, several separated by
 * newlines. False when $NOTIFY_SOCKET is unset, as when not started by systemd. Throws an Error with `code` (as
 * `ECONNREFUSED`, or `EAGAIN` when its queue is full) when the socket named there does not take the message.
 */
export function sdNotify(state: string): boolean {
  const socketPath = process.env.NOTIFY_SOCKET;
  if (!socketPath) return false;
  binding.sdNotify(socketPath, state);
  return true;
}

/** A lock that this process holds. */
export class FileLock {
  #descriptor: number | null;

  /** @internal */
  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  /** Gives the lock up. The file stays: removing it would let two processes lock two files of one name. */
  release(): void {
    if (this.#descriptor === null) return;
    binding.unlockFile(this.#descriptor);
    this.#descriptor = null;
  }
}

/**
 * Locks a file for this process alone, making it if need be (flock(2), exclusive). The kernel gives the lock up when the
 * process ends, however it does; it is not inherited by programs that the process starts. Throws LockedError when it is
 * held already, else an Error with `code` and `syscall` as Node's own have them. A symbolic link is refused (ELOOP).
 */
export function lockFile(path: string): FileLock {
  try {
    return new FileLock(binding.lockFile(path));
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (syscall === 'flock' && (code === 'EWOULDBLOCK' || code === 'EAGAIN')) throw new LockedError(path);
    throw error;
  }
}
