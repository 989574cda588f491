import { expect, test } from 'vitest';
import type { MetricsFacts } from '../../src/daemon/metrics-gauges.js';
import { SYSLOG_COUNTERS, SYSLOG_GAUGES, type SyslogFacts } from '../../src/daemon/metrics-syslog.js';

const read = (syslog: SyslogFacts | null) =>
  Object.fromEntries(
    [...SYSLOG_GAUGES, ...SYSLOG_COUNTERS].map(({ name, read }) => [
      name,
      read({ sources: { syslog: () => syslog } } as unknown as MetricsFacts),
    ]),
  );
const forwarding = { deliveredLines: 10, droppedLines: 2, waitingBytes: 300, problem: null };

test('lost lines are told by reason, the collector where there is one', () => {
  expect(read({ lost: { udp: 3, full: 4 }, forwarding })).toEqual({
    vac_syslog_forward_waiting_bytes: [[300]],
    vac_syslog_forward_up: [[1]],
    vac_syslog_lost_lines_total: [
      [3, { reason: 'udp' }],
      [4, { reason: 'full' }],
      [2, { reason: 'forward' }],
    ],
    vac_syslog_forwarded_lines_total: [[10]],
  });
  const away = read({ lost: { udp: 0, full: 0 }, forwarding: { ...forwarding, problem: 'ECONNREFUSED' } });
  expect(away.vac_syslog_forward_up).toEqual([[0]]);
  expect(read({ lost: { udp: 0, full: 0 }, forwarding: null }).vac_syslog_forward_up).toEqual([]);
  expect(Object.values(read(null)).flat()).toEqual([]);
});
