/** What must hold of every plan on a host in overnight mode, and of machines that are held in quarantine (invariants.ts). */

import type { Config } from '../config/types.js';
import type { Action, Plan } from './plan.js';
import type { FactoryState, Machine } from './types.js';

/** @returns what is violated, one line each */
export function checkOvernight(state: FactoryState, plan: Plan, config: Config): string[] {
  return [
    ...checkStarts(state, plan),
    ...checkMemory(state, plan, config),
    ...state.machines.flatMap((machine) => checkMachine(machine, state, plan)),
  ];
}

function checkStarts({ overnight }: FactoryState, plan: Plan): string[] {
  if (overnight === null) return [];
  return plan.actions.flatMap((action) => {
    if (action.kind !== 'createMachine') return [];
    if (!overnight.mayStart) return [`a start although ${overnight.reason}`];
    const { goneBySeconds } = overnight;
    return goneBySeconds !== null && action.shutdownTimeSeconds > goneBySeconds ? ['a start beyond the window'] : [];
  });
}

/** Machines that are over an older, higher limit make no room. */
function checkMemory({ machines, host }: FactoryState, plan: Plan, { overnight, machinetypes }: Config): string[] {
  const given = plan.actions.map((action) => {
    if (action.kind !== 'createMachine') return 0;
    const type = machinetypes.find(({ name }) => name === action.machinetype);
    return action.processors * (type?.mibPerProcessor ?? 0);
  });
  const starts = given.reduce((sum, mib) => sum + mib, 0);
  if (overnight === null || starts === 0) return [];
  const held = machines.reduce((sum, { phase, record }) => sum + (phase === 'cleared' ? 0 : record.memoryMiB), 0);
  const limit = (overnight.memoryPercent / 100) * host.memoryMiB;
  return held + starts <= limit ? [] : [`machines would have ${held + starts} MiB of ${limit} MiB`];
}

/** What may end or halt a machine. */
const ENDS: ReadonlySet<Action['kind']> = new Set(['requestStop', 'destroyMachine', 'suspendMachine']);

function checkMachine(machine: Machine, { overnight }: FactoryState, plan: Plan): string[] {
  const { record, phase, domain, suspension, stop, busy, retryInSeconds } = machine;
  const action = plan.actions.find((each) => 'machine' in each && each.machine === record.id);
  const problems: string[] = [];
  if (action?.kind === 'resumeMachine' && suspension !== null) {
    if (suspension.by === 'quarantine') problems.push(`${record.id} is resumed out of quarantine`);
    const mayRun = overnight === null || overnight.machines === 'run' || overnight.machines === 'throttle';
    if (!mayRun) problems.push(`${record.id} is resumed although ${overnight.reason}`);
  }
  if (overnight === null || suspension?.by === 'quarantine') return problems;
  const runs = phase === 'running' && domain === 'running' && !busy && retryInSeconds === 0;
  const mayNot = overnight.machines === 'suspend' || overnight.machines === 'stop';
  if (runs && mayNot && stop === null && !ENDS.has(action?.kind ?? 'clearMachine')) {
    problems.push(`${record.id} runs on although ${overnight.reason}`);
  }
  return problems;
}
