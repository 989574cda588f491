/** What /metrics tells of gossip: how many of the others live by it, what it sends and takes, and what it refuses. */

import type { Liveness } from '../vacquery/index.js';
import type { MetricsFacts, Sample, Series } from './metrics-gauges.js';
import type { GossipFacts } from './space-report.js';

const LIVENESSES: readonly Liveness[] = ['alive', 'suspect', 'expired', 'left', 'unheard'];

export const GOSSIP_GAUGES: readonly Series[] = [
  {
    name: 'vac_gossip_peers',
    help: 'Other factories of the space by what gossip knows of them; unheard: those that do not gossip, too.',
    labels: ['liveness'],
    read: (facts) =>
      ofGossip(facts, ({ peers }) => LIVENESSES.map((liveness) => [peers.get(liveness) ?? 0, { liveness }])),
  },
];

export const GOSSIP_COUNTERS: readonly Series[] = [
  {
    name: 'vac_gossip_datagrams_total',
    help: 'Datagrams of gossip sent, and received and believed.',
    labels: ['direction'],
    read: (facts) =>
      ofGossip(facts, ({ counts }) => [
        [counts.received, { direction: 'received' }],
        [counts.sent, { direction: 'sent' }],
      ]),
  },
  {
    name: 'vac_gossip_bytes_total',
    help: 'Bytes of these datagrams, without headers; of those sent, without signatures.',
    labels: ['direction'],
    read: (facts) =>
      ofGossip(facts, ({ counts, receivedBytes }) => [
        [receivedBytes, { direction: 'received' }],
        [counts.sentBytes, { direction: 'sent' }],
      ]),
  },
  {
    name: 'vac_gossip_changes_total',
    help: 'Changes of other factories that came by gossip: new ones, known ones, and those that are not believed.',
    labels: ['outcome'],
    read: (facts) =>
      ofGossip(facts, ({ counts: { changes, duplicates, disbelieved } }) => [
        [changes, { outcome: 'new' }],
        [duplicates, { outcome: 'known' }],
        [disbelieved, { outcome: 'disbelieved' }],
      ]),
  },
  {
    name: 'vac_gossip_refused_total',
    help: 'Datagrams of gossip that were not believed, by reason.',
    labels: ['reason'],
    read: (facts) =>
      ofGossip(facts, ({ counts }) =>
        Object.entries(counts.refused).map(([reason, count]): Sample => [count ?? 0, { reason }]),
      ),
  },
];

/** Nothing from a factory on its own. */
function ofGossip({ gossip }: MetricsFacts, read: (gossip: GossipFacts) => readonly Sample[]): readonly Sample[] {
  return gossip === null ? [] : read(gossip);
}
