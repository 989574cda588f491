/** What keeps machines contained, traced and accounted for, as monitors and people are told of it. */

import type { WaitingMessages } from '../accounting/outgoing.js';
import type { ChildFacts } from '../guard/guard.js';
import type { DropCounts } from '../host/firewall.js';
import type { TrailFacts } from '../trail/trail.js';

export interface TrustFacts {
  /** Packets of machines that were dropped; null: nothing counts them, or not yet. */
  readonly drops: DropCounts | null;
  /** Processes without root that serve machines and the network, by name. */
  readonly children: ReadonlyMap<string, ChildFacts>;
  /** joboutputs have no file systems of their own: their limits are only watched. */
  readonly joboutputsWatched: boolean;
  readonly trail: TrailFacts;
  /** What apel-outgoing holds; null: not looked at yet, or it cannot be read. */
  readonly outgoing: WaitingMessages | null;
  readonly archive: ArchiveFacts;
  /** null: nothing is forwarded, or nothing waits and nothing is wrong. */
  readonly forwardingStuck: StuckForwarding | null;
}

/** Uploads of joboutputs (joboutputs_archive_url). */
export interface ArchiveFacts {
  /** Machines whose outputs are not all there yet. */
  readonly waitingMachines: number;
  /** Those of them for which it was tried and failed. */
  readonly failingMachines: number;
}

export interface StuckForwarding {
  /** Seconds since it took the last line, or had no trouble. */
  readonly forSeconds: number;
  /** null: nothing is known to be wrong, and yet nothing goes on. */
  readonly problem: string | null;
}
