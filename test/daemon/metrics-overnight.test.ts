import { expect, test } from 'vitest';
import type { MetricsFacts } from '../../src/daemon/metrics-gauges.js';
import { OVERNIGHT_GAUGES } from '../../src/daemon/metrics-overnight.js';
import type { FactoryState } from '../../src/factory/types.js';
import { machine, NOW, overnight, state } from '../factory/builders.js';

const read = (changes: Partial<FactoryState>) =>
  Object.fromEntries(
    OVERNIGHT_GAUGES.map(({ name, read }) => [name, read({ state: state(changes) } as unknown as MetricsFacts)]),
  );

test('the state is one of all, with its time, what speaks against machines, and how many stand still', () => {
  const suspension = { by: 'overnight', sinceSeconds: NOW - 60, reason: 'anna active on seat0' } as const;
  const told = read({
    overnight: overnight({
      state: 'suspended',
      sinceSeconds: NOW - 60,
      windowOpen: true,
      blockers: [
        { code: 'owner', reason: 'anna active on seat0' },
        { code: 'owner', reason: 'anna active on tty1' },
      ],
    }),
    machines: [
      machine({ domain: 'paused', suspension }),
      machine({ domain: 'paused', suspension: { ...suspension, by: 'quarantine' } }),
      machine(),
    ],
  });
  expect(told.vac_overnight_state).toHaveLength(7);
  expect(told.vac_overnight_state?.filter(([value]) => value === 1)).toEqual([[1, { state: 'suspended' }]]);
  expect(told.vac_overnight_since_timestamp_seconds).toEqual([[NOW - 60]]);
  expect(told.vac_overnight_window_open).toEqual([[1]]);
  expect(told.vac_overnight_blockers).toContainEqual([2, { code: 'owner' }]);
  expect(told.vac_overnight_blockers).toContainEqual([0, { code: 'other-cpu' }]);
  expect(told.vac_overnight_suspended_machines).toEqual([[1]]);
});

test('without overnight mode there is nothing', () => {
  expect(Object.values(read({ overnight: null })).flat()).toEqual([]);
});
