import { expect, test } from 'vitest';
import type { TrustFacts } from '../../src/daemon/trust-facts.js';
import { trustProblems } from '../../src/daemon/trust-problems.js';
import { trustFacts } from './trust-facts.js';

const NOW = 1_700_000_000;
const problems = (facts: Partial<TrustFacts>) =>
  trustProblems(trustFacts(facts), NOW, { trail: '/v/trail', outgoing: '/v/apel-outgoing' });

test('nothing is told while all is well, or comes right by itself', () => {
  expect(problems({})).toEqual([]);
  expect(
    problems({
      children: new Map([['metadata', { serving: true, ends: 3, problem: null }]]),
      outgoing: { count: 9, oldestTimeSeconds: NOW - 2 * 86_400 },
      forwardingStuck: { forSeconds: 3600, problem: 'ECONNREFUSED' },
      archive: { waitingMachines: 1, failingMachines: 1 },
    }),
  ).toEqual([]);
});

test('each problem says what to do', () => {
  expect(problems({ trail: { records: 1, problem: 'ENOSPC: no space', damage: null } })).toEqual([
    'trail: /v/trail cannot be written (ENOSPC: no space): no machine starts, and none is cleaned up; make room there, or mend its rights',
  ]);
  expect(problems({ trail: { records: 1, problem: null, damage: 'records were removed' } })).toEqual([
    'trail: records were removed; vac trace --verify says where (told until vacd is restarted)',
  ]);
  const child = { serving: false, ends: 5, problem: 'the process that serves /metrics does not stay up' };
  expect(problems({ children: new Map([['metrics', child]]) })).toEqual([
    'the process that serves /metrics does not stay up; journalctl -u vacd says what each died of',
  ]);
  expect(problems({ outgoing: { count: 9, oldestTimeSeconds: NOW - 2 * 86_400 - 1 } })).toEqual([
    "accounting: nothing sends the 9 messages in /v/apel-outgoing, the oldest since 2023-11-12 22:13:19 UTC; see systemctl status vac-apel-send, or the site's own sender",
  ]);
  expect(problems({ forwardingStuck: { forSeconds: 3601, problem: 'ECONNREFUSED' } })).toEqual([
    'syslog_forward: the collector takes nothing since 2023-11-14 21:13:19 UTC (ECONNREFUSED); mend it, or the option: lines wait here, and beyond syslog_forward_mb the oldest are lost',
  ]);
});
