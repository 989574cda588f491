/** Whether a machine of a type may be started now: backoff after aborts, one scout at a time, time left (SPEC 4). */

import type { Config, MachinetypeConfig } from '../config/types.js';
import { isCredibleTime } from './credible-time.js';
import { type BlackHole, blackHole, blackHoleText } from './early-deaths.js';
import { isLater } from './news.js';
import { type ShutdownLimit, shutdownLimit } from './orders.js';
import { isAbort } from './outcome.js';
import type { DecisionCode } from './plan.js';
import { type ScoutTurn, scoutTurn } from './scouts.js';
import type { CreationFailure, FactoryState, MachinetypeNews } from './types.js';

export type Verdict =
  | { readonly eligible: true; readonly reason: string }
  | { readonly eligible: false; readonly code: DecisionCode; readonly reason: string };

/** Machine models that this program can create; a type of another model is reported and left alone. */
export type SupportedModels = ReadonlySet<string>;

/** A type whose machines cannot even be created is tried again after backoff_seconds, doubled up to this. */
export const MAX_CREATION_BACKOFF_SECONDS = 600;

/** When, in Unix seconds, creation of a type may be tried again after failures in a row on this factory. */
export function creationRetryTime(failure: CreationFailure, backoffSeconds: number): number {
  const wait = Math.max(1, backoffSeconds) * 2 ** Math.min(failure.count - 1, 10);
  return failure.timeSeconds + Math.min(Math.max(backoffSeconds, MAX_CREATION_BACKOFF_SECONDS), wait);
}

/** The newest abort of a type in all factories' news; null if its last ends were all good. */
export function lastAbort(
  news: readonly MachinetypeNews[],
  machinetype: string,
  nowSeconds: number,
): MachinetypeNews['lastEnd'] {
  let newest: MachinetypeNews['lastEnd'] = null;
  for (const { machinetype: name, lastEnd } of news) {
    if (name !== machinetype || lastEnd === null || !isAbort(lastEnd.message)) continue;
    if (!isCredibleTime(lastEnd.timeSeconds, nowSeconds)) continue;
    if (isLater(lastEnd, newest)) newest = lastEnd;
  }
  return newest;
}

/** What a type is judged by, besides everybody's news. */
export interface Evidence {
  readonly nowSeconds: number;
  /** No machine may live past it; null = no such limit. */
  readonly endBy: ShutdownLimit | null;
  readonly failure: CreationFailure | undefined;
  readonly blackHole: BlackHole | null;
  readonly models: SupportedModels;
  /** This factory's turn to send a scout, once the backoff after the abort of the machine of this name is over. */
  readonly scoutTurn: (abortedMachine: string) => ScoutTurn;
}

/** What this factory's state and configuration say of a type. Good for one pass: a scout's turn is worked out once. */
export function evidenceFor(
  type: MachinetypeConfig,
  state: FactoryState,
  { settings }: Config,
  models: SupportedModels,
): Evidence {
  const turns = new Map<string, ScoutTurn>();
  const { factory } = state;
  const { name: machinetype, fizzleSeconds } = type;
  return {
    nowSeconds: state.nowSeconds,
    endBy: shutdownLimit(state, settings),
    failure: state.creationFailures.get(type.name),
    blackHole: blackHole(type, state),
    models,
    scoutTurn(abortedMachine) {
      const question = { factory, factories: settings.factories, machinetype, fizzleSeconds, abortedMachine };
      const turn = turns.get(abortedMachine) ?? scoutTurn(question);
      turns.set(abortedMachine, turn);
      return turn;
    },
  };
}

/** @param news all factories' news, this one's and this pass's own intents included */
export function judgeMachinetype(
  type: MachinetypeConfig,
  news: readonly MachinetypeNews[],
  evidence: Evidence,
): Verdict {
  const { nowSeconds, endBy, failure, models } = evidence;
  if (type.targetShare <= 0) return no('no-share', 'its target_share is 0');
  if (!models.has(type.machineModel)) {
    return no('unsupported-model', `machine_model ${type.machineModel} cannot be created by this version`);
  }
  if (endBy !== null) {
    const leftSeconds = endBy.timeSeconds - nowSeconds;
    if (leftSeconds < type.minWallclockSeconds) {
      return no(
        'min-wallclock',
        `${Math.max(0, leftSeconds)} s are left before ${endBy.by}, it needs ${type.minWallclockSeconds} s`,
      );
    }
  }
  if (failure !== undefined && isCredibleTime(failure.timeSeconds, nowSeconds)) {
    const retryTime = creationRetryTime(failure, type.backoffSeconds);
    if (nowSeconds < retryTime) {
      return no(
        'creation-failed',
        `creating it failed ${times(failure.count)} (${failure.message}); next try in ${retryTime - nowSeconds} s`,
      );
    }
  }
  return judgeBlackHole(type, evidence) ?? judgeBackoff(type, news, evidence);
}

/** Null: nothing against it. */
function judgeBlackHole(type: MachinetypeConfig, { blackHole: hole, nowSeconds }: Evidence): Verdict | null {
  if (hole === null) return null;
  if (nowSeconds < hole.nextTryTimeSeconds) {
    return no('black-hole', `${blackHoleText(hole)}; next try in ${hole.nextTryTimeSeconds - nowSeconds} s`);
  }
  if (hole.onTrial === null) return null;
  return no(
    'black-hole',
    `${blackHoleText(hole)}; one is tried at a time, and ${hole.onTrial} has yet to live for ${type.fizzleSeconds} s`,
  );
}

function judgeBackoff(
  type: MachinetypeConfig,
  news: readonly MachinetypeNews[],
  { nowSeconds, scoutTurn: turnAfter }: Evidence,
): Verdict {
  const abort = lastAbort(news, type.name, nowSeconds);
  if (abort === null) return { eligible: true, reason: 'no abort is known' };
  const backoffEnds = abort.timeSeconds + type.backoffSeconds;
  const abortText = `"${abort.message}" of ${abort.hostname}, ${Math.max(0, nowSeconds - abort.timeSeconds)} s ago`;
  if (nowSeconds <= backoffEnds) {
    return no('backoff', `backs off for ${backoffEnds - nowSeconds + 1} s more after ${abortText}`);
  }
  const scouts = news.reduce((sum, item) => sum + (item.machinetype === type.name ? item.beforeFizzle : 0), 0);
  const scoutingEnds = backoffEnds + type.fizzleSeconds;
  if (nowSeconds <= scoutingEnds && scouts > 0) {
    return no(
      'scouting',
      `a scout is out to see if work is back after ${abortText}; others wait up to ${scoutingEnds - nowSeconds + 1} s`,
    );
  }
  if (nowSeconds > scoutingEnds) return { eligible: true, reason: `the last abort is long ago: ${abortText}` };
  const turn = turnAfter(abort.hostname);
  const waitSeconds = Math.ceil(backoffEnds + turn.delaySeconds - nowSeconds);
  if (waitSeconds > 0) {
    return no(
      'scouting',
      `waits ${waitSeconds} s for its turn among ${turn.factories} factories to send a scout after ${abortText}`,
    );
  }
  return { eligible: true, reason: `a scout after ${abortText}` };
}

function no(code: DecisionCode, reason: string): Verdict {
  return { eligible: false, code, reason };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times in a row`;
}
