/** What /metrics tells of machines' syslog: lines that are known to be lost, and how it goes with the collector. */

import type { ForwardingFacts } from '../host/syslog-forwarder.js';
import type { LostLines } from '../host/syslog-keeper.js';
import type { MetricsFacts, Sample, Series } from './metrics-gauges.js';

export interface SyslogFacts {
  readonly lost: LostLines;
  /** null: nothing is forwarded. */
  readonly forwarding: ForwardingFacts | null;
}

export const SYSLOG_GAUGES: readonly Series[] = [
  {
    name: 'vac_syslog_forward_waiting_bytes',
    help: "Machines' syslog that waits for the collector.",
    read: (facts) => ofForwarding(facts, ({ waitingBytes }) => [[waitingBytes]]),
  },
  {
    name: 'vac_syslog_forward_up',
    help: "Whether the collector took machines' syslog when it was last tried.",
    read: (facts) => ofForwarding(facts, ({ problem }) => [[problem === null ? 1 : 0]]),
  },
];

export const SYSLOG_COUNTERS: readonly Series[] = [
  {
    name: 'vac_syslog_lost_lines_total',
    help: 'Lines of machines that are known to be lost: udp, sent and not received; full, beyond syslog_mb; forward, dropped because too many waited for the collector.',
    labels: ['reason'],
    read: ({ sources }) => {
      const facts = sources.syslog?.() ?? null;
      if (facts === null) return [];
      return [
        [facts.lost.udp, { reason: 'udp' }],
        [facts.lost.full, { reason: 'full' }],
        [facts.forwarding?.droppedLines ?? 0, { reason: 'forward' }],
      ];
    },
  },
  {
    name: 'vac_syslog_forwarded_lines_total',
    help: "Lines of machines' syslog that the collector has.",
    read: (facts) => ofForwarding(facts, ({ deliveredLines }) => [[deliveredLines]]),
  },
];

function ofForwarding(
  { sources }: MetricsFacts,
  read: (facts: ForwardingFacts) => readonly Sample[],
): readonly Sample[] {
  const forwarding = sources.syslog?.()?.forwarding ?? null;
  return forwarding === null ? [] : read(forwarding);
}
