/** What /metrics tells of overnight mode; no sample where the configuration has none. */

import type { OvernightBlocker, OvernightStateName, OvernightVerdict } from '../factory/overnight-types.js';
import type { MetricsFacts, Sample, Series } from './metrics-gauges.js';

/** All of them, so that a graph has no holes. */
const STATES: Readonly<Record<OvernightStateName, true>> = {
  closed: true,
  waiting: true,
  open: true,
  running: true,
  throttled: true,
  suspended: true,
  stopping: true,
};

const BLOCKERS: Readonly<Record<OvernightBlocker['code'], true>> = {
  window: true,
  owner: true,
  unknown: true,
  'other-cpu': true,
  battery: true,
  lid: true,
  metered: true,
  paused: true,
};

export const OVERNIGHT_GAUGES: readonly Series[] = [
  {
    name: 'vac_overnight_state',
    help: 'Whether overnight mode is in this state: 1 for the one that it is in.',
    labels: ['state'],
    read: (facts) =>
      ofVerdict(facts, ({ state }) => Object.keys(STATES).map((name) => [name === state ? 1 : 0, { state: name }])),
  },
  {
    name: 'vac_overnight_since_timestamp_seconds',
    help: 'When overnight mode came into its state.',
    read: (facts) => ofVerdict(facts, ({ sinceSeconds }) => [[sinceSeconds]]),
  },
  {
    name: 'vac_overnight_window_open',
    help: 'Whether a window of overnight mode is open.',
    read: (facts) => ofVerdict(facts, ({ windowOpen }) => [[windowOpen ? 1 : 0]]),
  },
  {
    name: 'vac_overnight_blockers',
    help: 'What speaks against machines now, by kind; unknown: a sensor that this host lacks, which counts as in use.',
    labels: ['code'],
    read: (facts) =>
      ofVerdict(facts, ({ blockers }) =>
        Object.keys(BLOCKERS).map((code) => [blockers.filter((blocker) => blocker.code === code).length, { code }]),
      ),
  },
  {
    name: 'vac_overnight_suspended_machines',
    help: 'Machines that are suspended for the owner of the host.',
    read: (facts) =>
      ofVerdict(facts, () => [
        [
          facts.state.machines.filter(({ phase, suspension }) => phase === 'running' && suspension?.by === 'overnight')
            .length,
        ],
      ]),
  },
];

function ofVerdict(
  { state: { overnight } }: MetricsFacts,
  read: (verdict: OvernightVerdict) => readonly Sample[],
): readonly Sample[] {
  return overnight === null ? [] : read(overnight);
}
