/** A host of the model: large enough for its slots, so that load, memory and disks never hold a start up. */

import type { HostFacts } from '../factory/types.js';

const READY = { ready: true, problem: '', readyForSeconds: 86_400, busy: false, retryInSeconds: 0 };
const SERVICES: HostFacts['services'] = { firewall: READY, network: READY, metadata: READY, nfs: READY, syslog: READY };

/** @param hypervisorProblem null: libvirt answers */
export function healthyHost(processors: number, hypervisorProblem: HostFacts['hypervisorProblem'] = null): HostFacts {
  return {
    processors,
    memoryMiB: Number.MAX_SAFE_INTEGER,
    loadAverages: [0, 0, 0],
    ioPressurePercent: null,
    stateFreeBytes: 1e12,
    hypervisorProblem,
    services: SERVICES,
  };
}
