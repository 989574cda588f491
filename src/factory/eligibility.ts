/** Whether a machine of a type may be started now: backoff after aborts, one scout at a time, time left (SPEC 4). */

import type { MachinetypeConfig } from '../config/types.js';
import { isAbort } from './outcome.js';
import type { CreationFailure, DecisionCode, MachinetypeNews } from './types.js';

export type Verdict =
  | { readonly eligible: true; readonly reason: string }
  | { readonly eligible: false; readonly code: DecisionCode; readonly reason: string };

/** Machine models that this program can create; a type of another model is reported and left alone. */
export type SupportedModels = ReadonlySet<string>;

/** A type whose machines cannot even be created is tried again after backoff_seconds, doubled up to this. */
export const MAX_CREATION_BACKOFF_SECONDS = 600;

/**
 * Times this far ahead of now tell of a clock that is (or was) wrong. They are ignored: one factory whose clock is a
 * day ahead would else stop a type in the whole space for a day.
 */
export const MAX_CLOCK_ERROR_SECONDS = 300;

/** Whether a time that something is said to have happened at can be so. */
export function isCredibleTime(timeSeconds: number, nowSeconds: number): boolean {
  return timeSeconds <= nowSeconds + MAX_CLOCK_ERROR_SECONDS;
}

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
    if (newest === null || lastEnd.timeSeconds > newest.timeSeconds) newest = lastEnd;
  }
  return newest;
}

/**
 * @param news all factories' news, this one's and this pass's own intents included
 * @param endByTimeSeconds settings' shutdown_time: no machine may live past it; null = no such limit
 */
export function judgeMachinetype(
  type: MachinetypeConfig,
  news: readonly MachinetypeNews[],
  nowSeconds: number,
  endByTimeSeconds: number | null,
  failure: CreationFailure | undefined,
  models: SupportedModels,
): Verdict {
  if (type.targetShare <= 0) return no('no-share', 'its target_share is 0');
  if (!models.has(type.machineModel)) {
    return no('unsupported-model', `machine_model ${type.machineModel} cannot be created by this version`);
  }
  const promise = unkeptPromise(type);
  if (promise !== null) return no('unsupported-option', promise);
  if (endByTimeSeconds !== null) {
    const leftSeconds = endByTimeSeconds - nowSeconds;
    if (leftSeconds < type.minWallclockSeconds) {
      return no(
        'min-wallclock',
        `${Math.max(0, leftSeconds)} s are left before shutdown_time, it needs ${type.minWallclockSeconds} s`,
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
  return judgeBackoff(type, news, nowSeconds);
}

/**
 * What the configuration promises of a type that this version cannot keep. Such a machine must not start: an image
 * whose signature nobody checked, a job without its proxy (SPEC 6).
 */
export function unkeptPromise(type: MachinetypeConfig): string | null {
  if (type.imageSigningDn !== null) return 'image_signing_dn is set, and this version cannot check signatures';
  if (type.userDataProxy) return 'user_data_proxy is set, and this version makes no X.509 proxies';
  if (/^https?:/.test(type.rootImage)) {
    return `root_image ${type.rootImage} is a URL, which this version cannot fetch; download it and give its path`;
  }
  return null;
}

function judgeBackoff(type: MachinetypeConfig, news: readonly MachinetypeNews[], nowSeconds: number): Verdict {
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
  return nowSeconds <= scoutingEnds
    ? { eligible: true, reason: `a scout after ${abortText}` }
    : { eligible: true, reason: `the last abort is long ago: ${abortText}` };
}

function no(code: DecisionCode, reason: string): Verdict {
  return { eligible: false, code, reason };
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times in a row`;
}
