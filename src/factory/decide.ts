/**
 * The decision: from the facts of one moment to what should be done, each with its reason. Pure: no clock, no
 * randomness, no files of its own. The order of actions is their order of importance, not of execution.
 */

import type { Config, MachinetypeConfig } from '../config/types.js';
import { judgeMachinetype, type SupportedModels } from './eligibility.js';
import { machineAction } from './lifecycle.js';
import { refuseAllStarts } from './limits.js';
import { holdsProcessors, ownNews } from './news.js';
import { type Score, scoreMachinetypes } from './shares.js';
import type { Action, Decision, FactoryState, MachinetypeNews, Plan, ServiceName } from './types.js';

/**
 * @param rng uniform in [0, 1); breaks ties between equally starved machinetypes
 * @param models machine models that this program can create
 */
export function decide(state: FactoryState, config: Config, rng: () => number, models: SupportedModels): Plan {
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
  for (const zombie of state.zombies) {
    if (zombie.busy) continue;
    const reason = `domain ${zombie.name} (${zombie.uuid}) has a slot's name but no machine directory explains it`;
    actions.push({ kind: 'destroyZombie', uuid: zombie.uuid, name: zombie.name, reason });
    decisions.push({
      timeSeconds: state.nowSeconds,
      slot: zombie.slot,
      machinetype: null,
      machine: null,
      code: 'machine',
      reason: `destroy: ${reason}`,
    });
  }
  for (const service of Object.keys(state.host.services) as ServiceName[]) {
    const { ready, busy, problem, retryInSeconds } = state.host.services[service];
    if (ready || busy || retryInSeconds > 0) continue;
    // The others live on the network's addresses, and the network is libvirt's.
    if (service === 'network' ? state.host.hypervisorProblem !== null : !state.host.services.network.ready) continue;
    actions.push({ kind: 'ensureService', service, reason: problem || 'not brought up yet' });
  }

  planStarts(state, config, rng, models, actions, decisions);
  return { actions, decisions };
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
  resumeMachine: 'resume',
};

/** Slots with nothing in them that could still hold their address, name or disks. */
export function freeSlots(state: FactoryState): number[] {
  const taken = new Set<number>();
  for (const machine of state.machines) if (machine.phase !== 'cleared') taken.add(machine.record.slot);
  for (const zombie of state.zombies) taken.add(zombie.slot);
  const free: number[] = [];
  for (let slot = 0; slot < state.slots; slot++) if (!taken.has(slot)) free.push(slot);
  return free;
}

function planStarts(
  state: FactoryState,
  config: Config,
  rng: () => number,
  models: SupportedModels,
  actions: Action[],
  decisions: Decision[],
): void {
  const { settings, machinetypes } = config;
  const note = (subject: { slot?: number; machinetype?: string }, code: Decision['code'], reason: string) =>
    decisions.push({
      timeSeconds: state.nowSeconds,
      slot: subject.slot ?? null,
      machinetype: subject.machinetype ?? null,
      machine: null,
      code,
      reason,
    });

  const slots = freeSlots(state);
  const refusal = refuseAllStarts(state, settings);
  if (refusal !== null) {
    for (const slot of slots) note({ slot }, refusal.code, refusal.reason);
    for (const type of machinetypes) note({ machinetype: type.name }, refusal.code, refusal.reason);
    return;
  }

  const news: MachinetypeNews[] = [
    ...state.peers,
    ...machinetypes.map((type) => ownNews(state.factory, type.name, state.machines, state.lastEnds, state.nowSeconds)),
  ];
  const byName = new Map(machinetypes.map((type) => [type.name, type]));
  let freeProcessors =
    state.totalProcessors - state.machines.filter(holdsProcessors).reduce((sum, m) => sum + m.record.processors, 0);
  let starting = state.machines.filter((m) => m.phase === 'starting').length;
  let startsLeft = state.orders.startsLeft ?? Number.POSITIVE_INFINITY;
  const usedIds = new Set(state.machines.map((m) => `${m.record.createdTimeSeconds} ${m.record.slot}`));

  for (const slot of slots) {
    const limit = startLimit({ freeProcessors, starting, startsLeft }, settings.maxStartingMachines);
    if (limit !== null) {
      note({ slot }, limit.code, limit.reason);
      continue;
    }
    if (usedIds.has(`${state.nowSeconds} ${slot}`)) {
      note({ slot }, 'same-second', 'a machine was created in it this very second; its name is taken until the next');
      continue;
    }
    const choice = chooseMachinetype(state, config, news, freeProcessors, rng, models);
    if (choice.type === null) {
      note({ slot }, 'nothing-eligible', choice.reason);
      continue;
    }
    const { type, reason } = choice;
    const processors = Math.min(freeProcessors, type.maxProcessors);
    actions.push({
      kind: 'createMachine',
      slot,
      machinetype: type.name,
      processors,
      shutdownTimeSeconds: Math.min(
        state.nowSeconds + type.maxWallclockSeconds,
        settings.shutdownTimeSeconds ?? Number.POSITIVE_INFINITY,
      ),
      reason,
    });
    note(
      { slot, machinetype: type.name },
      'started',
      `start ${type.name} (${processors} ${processors === 1 ? 'processor' : 'processors'}): ${reason}`,
    );
    announce(news, state.factory, type.name, processors, settings.hs06PerProcessor ?? 1);
    freeProcessors -= processors;
    starting += 1;
    startsLeft -= 1;
  }
  explainTypes(state, config, news, freeProcessors, rng, models, byName, note);
}

/** Counts a start as soon as it is intended, so that the next choice of this very pass already sees it. */
function announce(news: MachinetypeNews[], factory: string, machinetype: string, processors: number, power: number) {
  const index = news.findIndex((item) => item.factory === factory && item.machinetype === machinetype);
  const own = news[index]!;
  news[index] = {
    ...own,
    runningHs06: own.runningHs06 + processors * power,
    runningMachines: own.runningMachines + 1,
    runningProcessors: own.runningProcessors + processors,
    beforeFizzle: own.beforeFizzle + 1,
  };
}

function startLimit(
  now: { freeProcessors: number; starting: number; startsLeft: number },
  maxStartingMachines: number,
): { code: Decision['code']; reason: string } | null {
  if (now.startsLeft <= 0)
    return { code: 'starts-limit', reason: 'as many machines as were asked for have been started' };
  if (now.freeProcessors <= 0) return { code: 'all-taken', reason: 'all processors are given to machines' };
  if (now.starting >= maxStartingMachines) {
    return {
      code: 'starting-limit',
      reason: `${now.starting} machines are being created at once (max_starting_machines)`,
    };
  }
  return null;
}

type Choice =
  | { readonly type: MachinetypeConfig; readonly reason: string }
  | { readonly type: null; readonly reason: string };

/** The most starved machinetype that is eligible and fits; or why there is none. */
function chooseMachinetype(
  state: FactoryState,
  config: Config,
  news: readonly MachinetypeNews[],
  freeProcessors: number,
  rng: () => number,
  models: SupportedModels,
): Choice {
  const scores = scoreMachinetypes(config.machinetypes, news, rng);
  const refusals: string[] = [];
  for (const score of scores) {
    const type = config.machinetypes.find((candidate) => candidate.name === score.machinetype)!;
    const verdict = judge(type, state, config, news, freeProcessors, models);
    if (verdict.eligible) return { type, reason: startReason(score, scores, refusals, verdict.reason) };
    refusals.push(`${type.name} ${verdict.reason}`);
  }
  const idle = config.machinetypes.filter((type) => type.targetShare <= 0).length;
  const none =
    config.machinetypes.length === 0 ? 'no machinetype is configured' : `${idle} machinetypes have target_share 0`;
  return { type: null, reason: refusals.length > 0 ? refusals.join('; ') : none };
}

function judge(
  type: MachinetypeConfig,
  state: FactoryState,
  config: Config,
  news: readonly MachinetypeNews[],
  freeProcessors: number,
  models: SupportedModels,
) {
  const verdict = judgeMachinetype(
    type,
    news,
    state.nowSeconds,
    config.settings.shutdownTimeSeconds,
    state.creationFailures.get(type.name),
    models,
  );
  // With none free at all no type is too big, and another reason is the better one.
  if (verdict.eligible && freeProcessors > 0 && type.minProcessors > freeProcessors) {
    const reason = `needs ${type.minProcessors} processors, ${freeProcessors} are free`;
    return { eligible: false as const, code: 'too-big' as const, reason };
  }
  return verdict;
}

function startReason(chosen: Score, scores: readonly Score[], refusals: readonly string[], eligible: string): string {
  const inLine = scores.map((s) => `${s.machinetype} ${s.score.toFixed(2)}`).join(', ');
  const grouped = scores.some((s) => s.machinegroup === chosen.machinegroup && s !== chosen);
  const group = grouped ? ` (its group ${chosen.machinegroup} ${chosen.groupScore.toFixed(2)})` : '';
  const skipped = refusals.length > 0 ? `; passed over: ${refusals.join('; ')}` : '';
  return `least power per share${group}: ${inLine}; ${eligible}${skipped}`;
}

/** For `vac why TYPE`: what would be said of each type if a slot were free now. */
function explainTypes(
  state: FactoryState,
  config: Config,
  news: readonly MachinetypeNews[],
  freeProcessors: number,
  rng: () => number,
  models: SupportedModels,
  byName: ReadonlyMap<string, MachinetypeConfig>,
  note: (subject: { machinetype: string }, code: Decision['code'], reason: string) => void,
): void {
  const scores = scoreMachinetypes(config.machinetypes, news, rng);
  const rank = new Map(scores.map((score, index) => [score.machinetype, index]));
  for (const type of byName.values()) {
    const verdict = judge(type, state, config, news, freeProcessors, models);
    if (!verdict.eligible) note({ machinetype: type.name }, verdict.code, verdict.reason);
    else {
      const place = (rank.get(type.name) ?? 0) + 1;
      const left =
        freeProcessors > 0 ? `${freeProcessors} processors are free` : 'all processors are given to machines';
      note(
        { machinetype: type.name },
        freeProcessors > 0 ? 'may-start' : 'all-taken',
        `may start, number ${place} of ${scores.length} in line by share; ${left}`,
      );
    }
  }
}
