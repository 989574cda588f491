import { expect, test } from 'vitest';
import type { MetricsFacts } from '../../src/daemon/metrics-gauges.js';
import { TRUST_COUNTERS, TRUST_GAUGES } from '../../src/daemon/metrics-trust.js';
import type { TrustFacts } from '../../src/daemon/trust-facts.js';
import { trustFacts } from './trust-facts.js';

const read = (trust: TrustFacts | null) =>
  Object.fromEntries(
    [...TRUST_GAUGES, ...TRUST_COUNTERS].map(({ name, read }) => [
      name,
      read({
        memory: { quarantines: new Map([['a', {}]]) },
        state: { factory: 'wn01.example.org' },
        sources: trust === null ? {} : { trust: () => trust },
      } as unknown as MetricsFacts),
    ]),
  );

test('each fact is a series', () => {
  const drop = (packets: number) => ({ packets, bytes: 60 * packets });
  const facts = trustFacts({
    drops: {
      byReason: { spoofed_ip: drop(3), neighbour: drop(0) } as NonNullable<TrustFacts['drops']>['byReason'],
      bySlot: new Map([[1, drop(3)]]),
    },
    children: new Map([
      ['metadata', { serving: true, ends: 2, problem: null }],
      ['metrics', { serving: false, ends: 0, problem: 'it does not stay up' }],
    ]),
    joboutputsWatched: true,
    trail: { records: 17, problem: 'ENOSPC', damage: null },
    outgoing: { count: 4, oldestTimeSeconds: 1_700_000_000 },
    archive: { waitingMachines: 3, failingMachines: 1 },
  });
  expect(read(facts)).toEqual({
    vac_child_up: [
      [1, { process: 'metadata' }],
      [0, { process: 'metrics' }],
    ],
    vac_joboutputs_only_watched: [[1]],
    vac_trail_failing: [[1]],
    vac_accounting_waiting_messages: [[4]],
    vac_accounting_oldest_waiting_timestamp_seconds: [[1_700_000_000]],
    vac_quarantined_machines: [[1]],
    vac_joboutputs_archive_waiting_machines: [[3]],
    vac_joboutputs_archive_failing_machines: [[1]],
    vac_dropped_packets_total: [
      [3, { reason: 'spoofed_ip' }],
      [0, { reason: 'neighbour' }],
    ],
    vac_machine_dropped_packets_total: [[3, { machine: 'wn01-01.example.org' }]],
    vac_child_ends_total: [
      [2, { process: 'metadata' }],
      [0, { process: 'metrics' }],
    ],
    vac_trail_records_total: [[17]],
  });
});

test('what is not known is left out, and is not 0', () => {
  const known = read(trustFacts({ outgoing: null }));
  expect(known.vac_accounting_waiting_messages).toEqual([]);
  expect(known.vac_accounting_oldest_waiting_timestamp_seconds).toEqual([]);
  expect(known.vac_dropped_packets_total).toEqual([]);
  const idle = read(trustFacts({ outgoing: { count: 0, oldestTimeSeconds: null } }));
  expect(idle.vac_accounting_waiting_messages).toEqual([[0]]);
  expect(idle.vac_accounting_oldest_waiting_timestamp_seconds).toEqual([]);
  const { vac_quarantined_machines: held, ...others } = read(null);
  expect(held).toEqual([[1]]);
  expect(Object.values(others).flat()).toEqual([]);
});
