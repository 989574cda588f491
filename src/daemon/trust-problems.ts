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
 * One line each, the worst first; empty when all is well. What is wrong and what to do comes early: `vac check` cuts long lines.
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
      `trail: ${where.trail} cannot be written (${trail.problem}): no machine starts, and none is cleaned up; make room there, or mend its rights`,
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
      `accounting: nothing sends the ${count} messages in ${where.outgoing}, the oldest since ${utcTime(oldestTimeSeconds)}; see systemctl status vac-apel-send, or the site's own sender`,
    );
  }
  if (forwardingStuck !== null && forwardingStuck.forSeconds > MAX_STUCK_SECONDS) {
    const since = utcTime(Math.floor(nowSeconds - forwardingStuck.forSeconds));
    const why = forwardingStuck.problem ?? 'it says nothing';
    problems.push(
      `syslog_forward: the collector takes nothing since ${since} (${why}); mend it, or the option: lines wait here, and beyond syslog_forward_mb the oldest are lost`,
    );
  }
  return problems;
}
