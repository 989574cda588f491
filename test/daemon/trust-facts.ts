import type { TrustFacts } from '../../src/daemon/trust-facts.js';

/** Of a factory with which all is well, but for what is given. */
export function trustFacts(facts: Partial<TrustFacts> = {}): TrustFacts {
  return {
    drops: null,
    children: new Map(),
    joboutputsWatched: false,
    trail: { records: 0, problem: null, damage: null },
    outgoing: null,
    archive: { waitingMachines: 0, failingMachines: 0 },
    forwardingStuck: null,
    ...facts,
  };
}
