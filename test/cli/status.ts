/** A factory's status for tests of what is shown of it. */

import type { FactoryStatus, MachineStatus } from '../../src/daemon/status.js';
import { machineStatus } from '../../src/daemon/status.js';
import type { LoggedDecision } from '../../src/factory/decision-log.js';
import type { Machine, MachineRecord } from '../../src/factory/types.js';
import { FACTORY, machine, NOW, services } from '../factory/builders.js';

export function machineView(changes: Partial<Machine> = {}, record: Partial<MachineRecord> = {}): MachineStatus {
  return machineStatus(machine(changes, record));
}

export function logged(changes: Partial<LoggedDecision> = {}): LoggedDecision {
  const timeSeconds = changes.timeSeconds ?? NOW - 5;
  return {
    timeSeconds,
    sinceSeconds: timeSeconds,
    times: 1,
    slot: null,
    machinetype: null,
    machine: null,
    code: 'nothing-eligible',
    reason: 'prod backs off for 12 s more',
    ...changes,
  };
}

/** A factory of four slots with nothing in them. */
export function factoryView(changes: Partial<FactoryStatus> = {}): FactoryStatus {
  const share = { targetShare: 1, wanted: 0.5, now: 0, runningMachines: 0, runningHs06: 0 };
  return {
    timeSeconds: NOW,
    factory: FACTORY,
    space: 'vac01.example.com',
    slots: 4,
    processors: 4,
    processorsUsed: 0,
    hypervisor: 'KVM (vmx)',
    services: services(),
    loadAverages: [0.42, 0.5, 1.234],
    machines: [],
    quarantines: [],
    standstill: null,
    problems: [],
    drain: null,
    shutdownTimeSeconds: null,
    shares: [
      { ...share, machinetype: 'prod', machinegroup: 'prod' },
      { ...share, machinetype: 'user', machinegroup: 'user' },
    ],
    slotDecisions: [],
    machinetypeDecisions: [],
    done: [],
    ...changes,
  };
}
