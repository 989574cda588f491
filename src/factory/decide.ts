/**
 * The decision: from the facts of one moment to what should be done, each with its reason. Pure: no clock, no
 * randomness, no files of its own. The order of actions is their order of importance, not of execution.
 */

import type { Config } from '../config/types.js';
import type { SupportedModels } from './eligibility.js';
import { machineAction } from './lifecycle.js';
import type { Action, Decision, Plan } from './plan.js';
import { planStarts } from './starts.js';
import type { FactoryState, ServiceName } from './types.js';

/**
 * @param rng uniform in [0, 1); breaks ties between equally starved machinetypes
 * @param models machine models that this program can create
 */
export function decide(state: FactoryState, config: Config, rng: () => number, models: SupportedModels): Plan {
  const starts = planStarts({ state, config, rng, models });
  const parts = [lookAfterMachines(state, config), endZombies(state), bringUpServices(state), starts];
  return {
    actions: parts.flatMap((part) => part.actions),
    decisions: parts.flatMap((part) => part.decisions),
    standstill: starts.standstill,
  };
}

/** What an administrator reads for an action on a machine. */
const MACHINE_VERBS: Partial<Record<Action['kind'], string>> = {
  recordStarted: 'found again',
  requestStop: 'ask to stop',
  destroyMachine: 'destroy',
  endMachine: 'ended',
  clearMachine: 'clear',
  forgetMachine: 'remove its directory',
  lowerShutdownTime: 'end earlier',
  exportMachine: 'export again',
  accountMonth: 'account for the month',
  resumeMachine: 'resume',
  holdMachine: 'hold',
  keepMemory: 'keep its memory',
  releaseMachine: 'release',
  suspendMachine: 'suspend',
  throttleMachine: 'throttle',
};

type PartOfPlan = Omit<Plan, 'standstill'>;

function lookAfterMachines(state: FactoryState, config: Config): PartOfPlan {
  const actions: Action[] = [];
  const decisions: Decision[] = [];
  for (const machine of state.machines) {
    const action = machineAction(machine, state, config.settings);
    if (action === null) continue;
    actions.push(action);
    decisions.push({
      timeSeconds: state.nowSeconds,
      slot: machine.record.slot,
      machinetype: machine.record.machinetype,
      machine: machine.record.id,
      code: 'machine',
      reason: `${MACHINE_VERBS[action.kind] ?? action.kind}: ${action.reason}`,
    });
  }
  return { actions, decisions };
}

function endZombies(state: FactoryState): PartOfPlan {
  const actions: Action[] = [];
  const decisions: Decision[] = [];
  for (const { uuid, name, slot, busy, retryInSeconds } of state.zombies) {
    if (busy || retryInSeconds > 0) continue;
    const reason = `domain ${name} (${uuid}) has a slot's name but no machine directory explains it`;
    actions.push({ kind: 'destroyZombie', uuid, name, reason });
    decisions.push({
      timeSeconds: state.nowSeconds,
      slot,
      machinetype: null,
      machine: null,
      code: 'machine',
      reason: `destroy: ${reason}`,
    });
  }
  return { actions, decisions };
}

function bringUpServices(state: FactoryState): PartOfPlan {
  const { services, hypervisorProblem } = state.host;
  const actions: Action[] = [];
  for (const service of Object.keys(services) as ServiceName[]) {
    const { ready, busy, problem, retryInSeconds } = services[service];
    if (ready || busy || retryInSeconds > 0) continue;
    // The firewall is the kernel's; the others live on the network's addresses, and the network is libvirt's.
    if (service === 'network' && hypervisorProblem !== null) continue;
    if (service !== 'firewall' && service !== 'network' && !services.network.ready) continue;
    actions.push({ kind: 'ensureService', service, reason: problem || 'not brought up yet' });
  }
  return { actions, decisions: [] };
}
