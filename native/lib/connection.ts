import type { OpenOptions } from './calls.js';
import { NwfilterCalls } from './nwfilters.js';

/**
 * A connection to a hypervisor. It emits `lifecycle`, `ioError` and `closed`; an open connection does not keep the
 * process alive, a call that waits for its answer does.
 *
 * Its methods are spread over one file per subject, each class adding to the one before: `calls.ts` (calls, events,
 * close), `host.ts`, `stats.ts`, `domains.ts`, `forensics.ts`, `tuning.ts`, `networks.ts`, `nwfilters.ts`.
 */
export class Connection extends NwfilterCalls {
  private constructor(callTimeoutSeconds: number | undefined) {
    super(callTimeoutSeconds);
  }

  /** See `open`. */
  static async open(uri: string, options: OpenOptions = {}): Promise<Connection> {
    const connection = new Connection(options.callTimeoutSeconds);
    await connection.openUri(uri, options);
    return connection;
  }
}

/**
 * Opens a connection (virConnectOpenAuth), such as `qemu:///system` or `test:///default`. Rejects with LibvirtError, and
 * with LibvirtTimeoutError when there is no answer within `callTimeoutSeconds`; a connection that opens later than that
 * is closed at once. Each connection has threads of its own, so one that hangs holds up no other.
 */
export function open(uri: string, options?: OpenOptions): Promise<Connection> {
  return Connection.open(uri, options);
}
