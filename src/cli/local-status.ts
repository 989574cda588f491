/** The vacd on this host, for commands that are worth something without it too. */

import { askDaemon } from '../daemon/control.js';
import type { FactoryStatus } from '../daemon/status.js';

/** Null: none runs there, it may not be asked, or it takes longer than this. Never rejects. */
export async function localStatus(socketPath: string, timeoutMs: number): Promise<FactoryStatus | null> {
  const asked = askDaemon(socketPath, { command: 'status' }).then(
    (reply) => (reply.ok ? reply.status : null),
    () => null,
  );
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, null);
  });
  try {
    return await Promise.race([asked, timeUp]);
  } finally {
    clearTimeout(timer);
  }
}
