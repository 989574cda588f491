/**
 * What of it needs an administrator, and what he is to do; for `vac check` and status. Pure: what comes right by itself
 * within hours (a collector that is restarted, a sender that runs daily) is not told.
 */

import { utcTime } from '../factory/orders.js';
import type { TrustFacts } from './trust-facts.js';

/** A sender that runs daily has then missed one. */
const MAX_WAITING_SECONDS = 2 * 86_400;
const MAX_STUCK_SECONDS = 3600;

/**
 * One line each, the worst first; empty when all is well.
 *
 * @param where directories, as they are told
 */
export function trustProblems(
  { trail, children, outgoing, forwardingStuck }: TrustFacts,
  nowSeconds: number,
  where: { readonly trail: string; readonly outgoing: string },
): string[] {
  const problems: string[] = [];
  if (trail.problem !== null) {
    problems.push(
      `trail: ${where.trail} cannot be written (${trail.problem}); no machine starts, and none that has ended is cleaned up, until it can: make room there, or put its rights right`,
    );
  }
  if (trail.damage !== null) {
    problems.push(`trail: ${trail.damage}; vac trace --verify says where (told until vacd is restarted)`);
  }
  for (const { problem } of children.values()) {
    if (problem !== null) problems.push(`${problem}; journalctl -u vacd says what each died of`);
  }
  const { count, oldestTimeSeconds } = outgoing ?? { count: 0, oldestTimeSeconds: null };
  if (oldestTimeSeconds !== null && nowSeconds - oldestTimeSeconds > MAX_WAITING_SECONDS) {
    problems.push(
      `accounting: ${count} messages wait in ${where.outgoing}, the oldest since ${utcTime(oldestTimeSeconds)}: nothing sends them; see systemctl status vac-apel-send.timer vac-apel-send.service, or what else sends them here`,
    );
  }
  if (forwardingStuck !== null && forwardingStuck.forSeconds > MAX_STUCK_SECONDS) {
    const since = utcTime(Math.floor(nowSeconds - forwardingStuck.forSeconds));
    const why = forwardingStuck.problem ?? 'it says nothing';
    problems.push(
      `syslog_forward: the collector takes no lines of machines since ${since} (${why}); they wait here, and beyond syslog_forward_mb the oldest are lost: mend the collector, or syslog_forward`,
    );
  }
  return problems;
}
