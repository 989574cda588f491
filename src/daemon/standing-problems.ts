/** What is wrong with a factory and stays so until somebody, or something, puts it right; for `vac check` and status. */

import type { Config } from '../config/types.js';
import { blackHole, blackHoleText } from '../factory/early-deaths.js';
import { refuseAllStarts, unheardReason } from '../factory/limits.js';
import { NOT_LOOKED_AT_YET } from '../factory/overnight-owner.js';
import type { DecisionCode } from '../factory/plan.js';
import type { FactoryState, ServiceName } from '../factory/types.js';

/**
 * Why nothing starts that is somebody's wish, or comes and goes with the work of the host; and what is told here in words
 * of its own.
 */
const NO_PROBLEM: ReadonlySet<DecisionCode> = new Set([
  'draining',
  'shutdown-time',
  'overloaded',
  'io-pressure',
  'overnight',
  'space-unheard',
  'query-port',
  'hypervisor-down',
  'service-down',
]);

/** A type is reported when it could not be created so often in a row. */
const MIN_CREATION_FAILURES = 3;

/** One line each; empty when nothing keeps this factory from starting machines that somebody should do something about. */
export function whatStopsStarts(state: FactoryState, config: Config): string[] {
  const { hypervisorProblem, services } = state.host;
  const problems: string[] = [];
  // Until it was asked for the first time there is nothing to tell of.
  if (hypervisorProblem !== null && hypervisorProblem.sinceSeconds > 0) {
    problems.push(`libvirt does not answer: ${hypervisorProblem.message}`);
  }
  for (const name of Object.keys(services) as ServiceName[]) {
    const { ready, problem } = services[name];
    if (!ready && problem !== '') problems.push(`no working ${name}: ${problem}`);
  }
  if (state.queryProblem !== null) problems.push(unheardReason(state.queryProblem));
  problems.push(...blindSensors(state));
  const standstill = refuseAllStarts(state, config.settings);
  if (standstill !== null && !NO_PROBLEM.has(standstill.code)) problems.push(standstill.reason);
  return problems;
}

/** That its window is closed, or its owner there, is what a desktop is for; with a sensor that it lacks it would never start anything. */
function blindSensors({ overnight }: FactoryState): string[] {
  const unknown = overnight?.blockers.filter(({ code }) => code === 'unknown') ?? [];
  return unknown
    .filter(({ reason }) => !reason.includes(NOT_LOOKED_AT_YET))
    .map(({ reason }) => `overnight: ${reason}`);
}

/** One line each, what stops all starts first; empty when all is well. */
export function standingProblems(state: FactoryState, config: Config): string[] {
  const problems = whatStopsStarts(state, config);
  for (const type of config.machinetypes) {
    const failure = state.creationFailures.get(type.name);
    if (failure !== undefined && failure.count >= MIN_CREATION_FAILURES) {
      problems.push(`${type.name}: creating it failed ${failure.count} times in a row (${failure.message})`);
    }
    const image = state.images.get(type.name);
    if (type.targetShare > 0 && image?.phase === 'unavailable') problems.push(`${type.name}: its image ${image.doing}`);
    const hole = blackHole(type, state);
    if (hole !== null) problems.push(`${type.name}: ${blackHoleText(hole)}; fewer are started until one lives`);
  }
  if (state.blockedSlots.length > 0) {
    const slots = [...state.blockedSlots].sort((a, b) => a - b).join(', ');
    problems.push(`machine directories of slots ${slots} cannot be read (see the log); nothing starts there`);
  }
  return problems;
}
