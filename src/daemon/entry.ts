/** What the entry points need before any real part of the host is touched, and how they end when they cannot go on. */

import { hostname } from 'node:os';
import { VacError } from '../errors.js';

/** This host's fully qualified name, as far as it knows it. */
export function hostFqdn(): string {
  return hostname().toLowerCase();
}

/** vacd makes bridges, exports and machines: nothing of that is for others than root. */
export function requireRoot(): void {
  if (process.getuid?.() !== 0) {
    throw new VacError('not-root', 'vacd must be run as root: it makes machines, networks and exports (try sudo)');
  }
}

/**
 * Loads a module that needs libvirt's library.
 *
 * @throws VacError `libvirt-missing` on a host without it, or where the binding was not built
 */
export async function loadWithLibvirt<Module>(load: () => Promise<Module>): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    const { message } = cause as Error;
    if (!/libvirt|binding|\.node\b/.test(message)) throw cause;
    const [firstLine] = message.split('\n');
    throw new VacError(
      'libvirt-missing',
      `libvirt cannot be used on this host (${firstLine}); install it (apt-get install libvirt0 libvirt-daemon-system), and build its binding with npm run build`,
      { cause },
    );
  }
}

/** One line for what an administrator can do something about, all of it for what is our fault. */
export function explainEnd(program: string, error: Error & { code?: string }): string {
  const plain = error instanceof VacError || error.code?.startsWith('ERR_PARSE_ARGS');
  return `${program}: ${plain ? error.message : error.stack}\n`;
}
