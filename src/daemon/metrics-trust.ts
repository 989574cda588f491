/** What /metrics tells of containment, the processes without root, the trail, accounting, quarantine and the archive. */

import { slotHostname } from '../machines/layout.js';
import type { MetricsFacts, Sample, Series } from './metrics-gauges.js';
import type { TrustFacts } from './trust-facts.js';

export const TRUST_GAUGES: readonly Series[] = [
  {
    name: 'vac_child_up',
    help: 'Whether the processes without root serve: metadata, to machines; vacquery, to the space; metrics, this text.',
    labels: ['process'],
    read: (facts) =>
      ofTrust(facts, ({ children }) =>
        [...children].map(([process, { serving }]): Sample => [Number(serving), { process }]),
      ),
  },
  {
    name: 'vac_joboutputs_only_watched',
    help: 'Whether joboutputs have no file systems of their own on this host, so that their limits are only watched.',
    read: (facts) => ofTrust(facts, ({ joboutputsWatched }) => [[Number(joboutputsWatched)]]),
  },
  {
    name: 'vac_trail_failing',
    help: 'Whether the trail could not be written when last tried; then no machine starts.',
    read: (facts) => ofTrust(facts, ({ trail }) => [[Number(trail.problem !== null)]]),
  },
  {
    name: 'vac_accounting_waiting_messages',
    help: 'Records and sync messages in apel-outgoing that nobody has sent yet.',
    read: (facts) => ofTrust(facts, ({ outgoing }) => (outgoing === null ? [] : [[outgoing.count]])),
  },
  {
    name: 'vac_accounting_oldest_waiting_timestamp_seconds',
    help: 'When the oldest message in apel-outgoing was put there; missing when none waits.',
    read: (facts) =>
      ofTrust(facts, ({ outgoing }) => {
        const oldest = outgoing?.oldestTimeSeconds ?? null;
        return oldest === null ? [] : [[oldest]];
      }),
  },
  {
    name: 'vac_quarantined_machines',
    help: 'Machines that are held in quarantine, or what is left of them.',
    read: ({ memory }) => [[memory.quarantines.size]],
  },
  {
    name: 'vac_joboutputs_archive_waiting_machines',
    help: 'Machines that are over and whose joboutputs are not, or not all, in the archive yet.',
    read: (facts) => ofTrust(facts, ({ archive }) => [[archive.waitingMachines]]),
  },
  {
    name: 'vac_joboutputs_archive_failing_machines',
    help: 'Those of them for which it was tried, and failed.',
    read: (facts) => ofTrust(facts, ({ archive }) => [[archive.failingMachines]]),
  },
];

export const TRUST_COUNTERS: readonly Series[] = [
  {
    name: 'vac_dropped_packets_total',
    help: 'Packets from and to machines that were dropped, by reason; counted anew when the rules are made anew.',
    labels: ['reason'],
    read: (facts) =>
      ofTrust(facts, ({ drops }) =>
        Object.entries(drops?.byReason ?? {}).map(([reason, { packets }]): Sample => [packets, { reason }]),
      ),
  },
  {
    name: 'vac_machine_dropped_packets_total',
    help: "Packets that were dropped, by the machine's host name, which passes from machine to machine; none of those without any.",
    labels: ['machine'],
    read: (facts) =>
      ofTrust(facts, ({ drops }) =>
        [...(drops?.bySlot ?? [])].map(
          ([slot, { packets }]): Sample => [packets, { machine: slotHostname(facts.state.factory, slot) }],
        ),
      ),
  },
  {
    name: 'vac_child_ends_total',
    help: 'How often a process without root ended without being told to, and was replaced.',
    labels: ['process'],
    read: (facts) =>
      ofTrust(facts, ({ children }) => [...children].map(([process, { ends }]): Sample => [ends, { process }])),
  },
  {
    name: 'vac_trail_records_total',
    help: 'Records in the trail since its beginning.',
    read: (facts) => ofTrust(facts, ({ trail }) => [[trail.records]]),
  },
];

function ofTrust({ sources }: MetricsFacts, read: (facts: TrustFacts) => readonly Sample[]): readonly Sample[] {
  const facts = sources.trust?.() ?? null;
  return facts === null ? [] : read(facts);
}
