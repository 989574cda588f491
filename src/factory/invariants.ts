/**
 * What must hold of every plan, whatever the state it was made from: checked by the property tests and at each step
 * of the simulator. Pure. Said a second time, from what a plan is for, and not in the terms that `decide` works in.
 */

import type { Config } from '../config/types.js';
import { blackHole } from './early-deaths.js';
import { evidenceFor, judgeMachinetype, type SupportedModels } from './eligibility.js';
import { holdsProcessors, ownNews } from './news.js';
import { drainInForce, effectiveShutdownTime } from './orders.js';
import { checkOvernight } from './overnight-invariants.js';
import type { Action, ActionOf, Plan } from './plan.js';
import type { FactoryState, Machine, MachinetypeNews } from './types.js';

type Creation = ActionOf<'createMachine'>;

/** @returns what is violated, one line each; empty when all is well */
export function checkInvariants(
  state: FactoryState,
  plan: Plan,
  config: Config,
  models: SupportedModels = new Set(config.machinetypes.map((type) => type.machineModel)),
): string[] {
  const creations = plan.actions.filter((action): action is Creation => action.kind === 'createMachine');
  return [
    ...checkProcessors(state, creations),
    ...checkSlots(state, creations),
    ...checkTypes(state, creations, config, models),
    ...checkBlackHoles(state, creations, config),
    ...checkTimes(state, creations, config),
    ...checkStartLimits(state, creations, config),
    ...checkSubjects(state, plan),
    ...checkJudgements(state, plan),
    ...checkOvernight(state, plan, config),
    ...checkReasons(plan),
  ];
}

/** Machines never hold more processors than the factory has; those over an older, higher limit make no room. */
function checkProcessors(state: FactoryState, creations: readonly Creation[]): string[] {
  if (creations.length === 0) return [];
  const held = state.machines.filter(holdsProcessors).reduce((sum, machine) => sum + machine.record.processors, 0);
  const given = creations.reduce((sum, creation) => sum + creation.processors, 0);
  if (held + given <= state.totalProcessors) return [];
  return [`${held} processors held and ${given} given are more than ${state.totalProcessors}`];
}

/** A slot has one machine at a time, and a machine's name (second and slot) is its own for ever. */
function checkSlots(state: FactoryState, creations: readonly Creation[]): string[] {
  const problems: string[] = [];
  const seen = new Set<number>();
  for (const { slot } of creations) {
    if (seen.has(slot)) problems.push(`slot ${slot} is given twice`);
    seen.add(slot);
    if (!Number.isInteger(slot) || slot < 0 || slot >= state.slots) problems.push(`there is no slot ${slot}`);
    for (const { record, phase } of state.machines) {
      if (record.slot !== slot) continue;
      if (phase !== 'cleared') problems.push(`slot ${slot} is given while ${record.id} is ${phase} in it`);
      else if (record.createdTimeSeconds === state.nowSeconds) problems.push(`slot ${slot} is given twice in a second`);
    }
    if (state.zombies.some((zombie) => zombie.slot === slot))
      problems.push(`slot ${slot} is given while a zombie is in it`);
  }
  return problems;
}

/** Only types that may start are started; each start is news for the next, so that one scout goes at a time. */
function checkTypes(
  state: FactoryState,
  creations: readonly Creation[],
  config: Config,
  models: SupportedModels,
): string[] {
  const problems: string[] = [];
  const news: MachinetypeNews[] = [
    ...state.peers,
    ...config.machinetypes.map(({ name }) =>
      ownNews(state.factory, name, state.machines, state.lastEnds, state.nowSeconds),
    ),
  ];
  for (const { machinetype, processors } of creations) {
    const type = config.machinetypes.find(({ name }) => name === machinetype);
    const image = state.images.get(machinetype);
    if (image !== undefined && image.phase !== 'ready') {
      problems.push(`${machinetype} is started, and its image ${image.doing}`);
    }
    if (type === undefined) {
      problems.push(`${machinetype} is started and not configured`);
      continue;
    }
    if (processors < type.minProcessors || processors > type.maxProcessors) {
      problems.push(`${machinetype} gets ${processors} processors, not ${type.minProcessors} to ${type.maxProcessors}`);
    }
    const verdict = judgeMachinetype(type, news, evidenceFor(type, state, config, models));
    if (!verdict.eligible) problems.push(`${machinetype} is started although ${verdict.reason}`);
    const power = processors * (config.settings.hs06PerProcessor ?? 1);
    news.push({
      factory: state.factory,
      machinetype,
      runningHs06: power,
      runningMachines: 1,
      runningProcessors: processors,
      beforeFizzle: 1,
      lastEnd: null,
    });
  }
  return problems;
}

/** Where machines of a type die early again and again, one is tried at a time. */
function checkBlackHoles(state: FactoryState, creations: readonly Creation[], config: Config): string[] {
  return config.machinetypes.flatMap((type) => {
    const started = creations.filter(({ machinetype }) => machinetype === type.name).length;
    return started > 1 && blackHole(type, state) !== null ? [`${started} of ${type.name} are tried at once`] : [];
  });
}

/** A new machine's end is within max_wallclock_seconds and shutdown_time, and leaves it min_wallclock_seconds. */
function checkTimes(state: FactoryState, creations: readonly Creation[], config: Config): string[] {
  const endBySeconds = effectiveShutdownTime(state, config.settings) ?? Number.POSITIVE_INFINITY;
  return creations.flatMap(({ machinetype, shutdownTimeSeconds: ends }) => {
    const type = config.machinetypes.find(({ name }) => name === machinetype);
    if (type === undefined) return [];
    const leftSeconds = ends - state.nowSeconds;
    const problems: string[] = [];
    if (leftSeconds > type.maxWallclockSeconds) problems.push(`${machinetype} may live for ${leftSeconds} s`);
    if (leftSeconds < Math.min(type.minWallclockSeconds, type.maxWallclockSeconds)) {
      problems.push(`${machinetype} has only ${leftSeconds} s to live`);
    }
    if (ends > endBySeconds) problems.push(`${machinetype} may live beyond shutdown_time`);
    return problems;
  });
}

/** Orders, max_starting_machines, and what every machine needs of the host. */
function checkStartLimits(state: FactoryState, creations: readonly Creation[], { settings }: Config): string[] {
  if (creations.length === 0) return [];
  const { host, orders } = state;
  const starting = state.machines.filter((machine) => machine.phase === 'starting').length + creations.length;
  const forbidden: readonly (readonly [boolean, string])[] = [
    [starting > settings.maxStartingMachines, `${starting} machines are being created at once`],
    [
      creations.length > (orders.startsLeft ?? Number.POSITIVE_INFINITY),
      `more starts than the ${orders.startsLeft} left`,
    ],
    [orders.stopAll || drainInForce(state) !== null || settings.draining, 'a start while draining'],
    [state.queryProblem !== null, 'a start unheard by the others'],
    [!state.spaceHeard, 'a start before the space was heard'],
    [host.hypervisorProblem !== null, 'a start without libvirt'],
    [Object.values(host.services).some((service) => !service.ready), 'a start without a service'],
    [host.stateFreeBytes < 1e9, 'a start on a full disk'],
  ];
  return forbidden.flatMap(([violated, problem]) => (violated ? [problem] : []));
}

/** Each machine, zombie and service has at most one action, and none while an earlier one is under way. */
function checkSubjects(state: FactoryState, plan: Plan): string[] {
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const action of plan.actions) {
    const subject = subjectOf(action);
    if (subject === null) continue;
    if (seen.has(subject.name)) problems.push(`more than one action on ${subject.name}`);
    seen.add(subject.name);
    const there = subject.find(state);
    if (there === undefined) problems.push(`${action.kind} of ${subject.name}, which is not there`);
    else if (there.busy) problems.push(`${action.kind} of ${subject.name}, which is busy`);
    else if ((there.retryInSeconds ?? 0) > 0)
      problems.push(`${action.kind} of ${subject.name} before its retry is due`);
  }
  return problems;
}

interface Subject {
  readonly name: string;
  find(state: FactoryState): { readonly busy: boolean; readonly retryInSeconds?: number } | undefined;
}

function subjectOf(action: Action): Subject | null {
  switch (action.kind) {
    case 'createMachine':
      return null;
    case 'fetchImage':
      return { name: `image of ${action.machinetype}`, find: (state) => state.images.get(action.machinetype) };
    case 'ensureService':
      return { name: `service ${action.service}`, find: (state) => state.host.services[action.service] };
    case 'destroyZombie':
      return {
        name: `zombie ${action.uuid}`,
        find: (state) => state.zombies.find((zombie) => zombie.uuid === action.uuid),
      };
    default:
      return {
        name: `machine ${action.machine}`,
        find: (state) => state.machines.find((machine) => machine.record.id === action.machine),
      };
  }
}

/** No machine is judged on what is not known of its domain, and a promised shutdowntime is kept. */
function checkJudgements(state: FactoryState, plan: Plan): string[] {
  return plan.actions.flatMap((action) => {
    const machine = 'machine' in action ? state.machines.find(({ record }) => record.id === action.machine) : undefined;
    const problem = machine === undefined ? null : misjudged(machine, action, state.nowSeconds);
    return problem === null ? [] : [`${action.kind} of ${machine?.record.id}, ${problem}`];
  });
}

function misjudged(machine: Machine, action: Action, nowSeconds: number): string | null {
  const { phase, domain, startedTimeSeconds, shutdownTimeSeconds, record } = machine;
  switch (action.kind) {
    case 'endMachine':
      if (domain !== 'gone') return `whose domain is ${domain}`;
      return action.end.timeSeconds < (startedTimeSeconds ?? 0) ? 'dated before its start' : null;
    case 'recordStarted':
    case 'requestStop':
    case 'destroyMachine':
    case 'resumeMachine':
    case 'suspendMachine':
    case 'throttleMachine':
      return domain === 'gone' || domain === 'unknown' ? `whose domain is ${domain}` : null;
    case 'lowerShutdownTime':
      if (action.shutdownTimeSeconds >= shutdownTimeSeconds) return 'which would raise it';
      return action.shutdownTimeSeconds < nowSeconds + record.graceSeconds ? 'at too short notice' : null;
    case 'clearMachine':
      return phase === 'ended' ? null : `which is ${phase}`;
    case 'forgetMachine':
      return phase === 'cleared' ? null : `which is ${phase}`;
    default:
      return null;
  }
}

/** Nothing is done without saying why, and no entry of the decision log is empty. */
function checkReasons(plan: Plan): string[] {
  return [
    ...plan.actions.filter((action) => action.reason === '').map((action) => `${action.kind} without a reason`),
    ...plan.decisions
      .filter((decision) => decision.reason === '')
      .map(({ code }) => `decision ${code} without a reason`),
  ];
}
