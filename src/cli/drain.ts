/** `vac drain` and `vac undrain`: whether this factory starts machines. */

import { askDaemon } from '../daemon/control.js';
import { VacError } from '../errors.js';

/**
 * @param reason words that `vac why` will give; null = drain no longer
 * @returns what to tell the administrator
 * @throws VacError `daemon-not-running`, `daemon-refused`
 */
export async function drain(socketPath: string, reason: readonly string[] | null): Promise<string> {
  const words = reason?.join(' ') || 'an administrator asked for it (vac drain)';
  const reply = await askDaemon(
    socketPath,
    reason === null ? { command: 'undrain' } : { command: 'drain', reason: words },
  );
  if (!reply.ok) throw new VacError('daemon-refused', reply.error);
  const running = reply.status.machines.filter((machine) => machine.phase === 'running').length;
  return reason === null
    ? `${reply.status.factory} starts machines again`
    : `${reply.status.factory} starts nothing more; ${running} machines run on`;
}
