/**
 * `vac check`: a plugin for Nagios and Icinga. The first line says it all, with performance data after a `|`; further
 * lines are details. Texts of machines and other factories never bring a `|` or a line of their own.
 */

import type { FactoryStatus, PeerAnswer } from '../../vacquery/index.js';
import { inOrder } from './answers.js';
import {
  CHECK_THRESHOLDS,
  type CheckThresholds,
  type FactoryProblem,
  factoryProblems,
  type PollMoment,
  statusOf,
} from './factory-problems.js';
import { datum, factoryData, heartbeatDatum, plain, spaceData } from './performance-data.js';
import { counted, cut, duration, harmless } from './text.js';

export { CHECK_THRESHOLDS, type CheckThresholds } from './factory-problems.js';

export interface CheckResult {
  /** As Nagios has them: 0 fine, 1 warning, 2 critical, 3 unknown. */
  readonly code: 0 | 1 | 2 | 3;
  readonly lines: readonly string[];
}

/** A factory that was asked, and what is wrong with it. */
export interface CheckedFactory {
  readonly factory: string;
  readonly outcome: PeerAnswer['outcome'];
  readonly problems: readonly FactoryProblem[];
}

/** What a check of the local factory looks at: the files that site monitoring reads (SPEC 5, 11). */
export interface LocalCheckFacts {
  /** Where the files are. */
  readonly stateDir: string;
  /** Since the file's ctime; null: there is no such file. */
  readonly factoryHeartbeatAgeSeconds: number | null;
  readonly responderHeartbeatAgeSeconds: number | null;
  /** Text of the file factory-error; null: there is none. */
  readonly factoryError: string | null;
  /** Text of the file counts; null: there is none. */
  readonly counts: string | null;
  /** What the daemon itself calls wrong, if it could be asked. */
  readonly problems?: readonly string[];
}

export interface CheckFactoriesOptions extends PollMoment {
  readonly thresholds?: Partial<CheckThresholds>;
  /** What else is to be known, below all other lines. */
  readonly notes?: readonly string[];
}

const CODES = { warning: 1, critical: 2 } as const;
/** Programs that run plugins keep a few kilobytes of what they say. */
const MAX_DETAILS = 50;
const MAX_PROBLEM_CHARACTERS = 200;
/** Factories named in the first line. */
const MAX_NAMED = 3;
/** A file that is newer than now by more than this tells of a clock that was set back. */
const TOLERATED_FUTURE_SECONDS = 60;

/**
 * Of this host's factory, from its files, by the predecessor's rules and in its words (SPEC 11): critical when a
 * heartbeat is missing or old, or there is a factory-error. What the daemon calls a problem besides is a warning.
 */
export function checkLocal(facts: LocalCheckFacts, thresholds: Partial<CheckThresholds> = {}): CheckResult {
  const limit = thresholds.heartbeatSeconds ?? CHECK_THRESHOLDS.heartbeatSeconds;
  const counts = parseCounts(facts.counts);
  const suffix =
    counts === null ? '' : ` (${counts.running}/${counts.slots} ${counts.processors}/${counts.maxProcessors})`;
  const problems = [
    ...heartbeatProblems('factory', facts.factoryHeartbeatAgeSeconds, limit, facts.stateDir),
    ...heartbeatProblems('responder', facts.responderHeartbeatAgeSeconds, limit, facts.stateDir),
    ...(facts.factoryError === null
      ? []
      : [critical(`factory-error: ${oneLine(facts.factoryError) || 'the file is empty'}`)]),
    ...(facts.problems ?? []).map((text): FactoryProblem => ({ severity: 'warning', text: oneLine(text) })),
  ].sort((a, b) => CODES[b.severity] - CODES[a.severity]);
  const performance = [
    ...(counts === null
      ? []
      : [
          datum('slots', counts.running, { max: counts.slots }),
          datum('processors', counts.processors, { max: counts.maxProcessors }),
          datum('hs06', counts.hs06),
        ]),
    ...heartbeatDatum('factory', facts.factoryHeartbeatAgeSeconds, limit),
    ...heartbeatDatum('responder', facts.responderHeartbeatAgeSeconds, limit),
  ];
  const [worst, ...others] = problems;
  if (worst === undefined) return result(0, `Factory + responder ok${suffix}`, performance, []);
  const word = worst.severity === 'warning' ? 'WARNING: ' : '';
  return result(CODES[worst.severity], `${word}${worst.text}${suffix}`, performance, others.map(labelled));
}

/** Nothing is known of what was to be checked, for this reason. */
export function unknown(reason: string): CheckResult {
  return result(3, `UNKNOWN: ${reason}`, [], []);
}

/** Of factories that were asked by a factory query; the worst of them decides. */
export function checkFactories(
  answers: readonly PeerAnswer<FactoryStatus>[],
  options: CheckFactoriesOptions,
): CheckResult & { readonly factories: readonly CheckedFactory[] } {
  const thresholds = { ...CHECK_THRESHOLDS, ...options.thresholds };
  const factories = inOrder(answers).map((answer) => ({
    factory: answer.factory,
    outcome: answer.outcome,
    problems: factoryProblems(answer, options, thresholds),
  }));
  const { code, lines } =
    answers.length === 0 ? unknown('there is no factory to ask') : judged(factories, answers, thresholds);
  return { code, lines: [...lines, ...(options.notes ?? []).map(withoutBars)], factories };
}

function judged(
  checked: readonly CheckedFactory[],
  answers: readonly PeerAnswer<FactoryStatus>[],
  thresholds: CheckThresholds,
): CheckResult {
  const statuses = answers.flatMap((answer) => statusOf(answer) ?? []);
  const performance =
    answers.length === 1
      ? statuses.flatMap((status) => factoryData(status, thresholds))
      : spaceData(statuses, answers.length, thresholds);
  const troubled = checked.filter(({ problems }) => problems.length > 0);
  if (troubled.length === 0) {
    const [only] = checked;
    const who = checked.length === 1 ? only!.factory : counted(checked.length, 'factory', 'factories');
    return result(0, `OK: ${who}, ${usage(statuses)}`, performance, []);
  }
  const isCritical = troubled.some(({ problems }) => problems[0]!.severity === 'critical');
  const worst = troubled
    .filter(({ problems }) => !isCritical || problems[0]!.severity === 'critical')
    .map(({ factory, problems }) => `${factory}: ${problems[0]!.text}`);
  const more = worst.length > MAX_NAMED ? ` and ${worst.length - MAX_NAMED} more` : '';
  const scope = checked.length === 1 ? '' : `${troubled.length} of ${checked.length} factories: `;
  const first = `${isCritical ? 'CRITICAL' : 'WARNING'}: ${scope}${worst.slice(0, MAX_NAMED).join(', ')}${more}`;
  const details = troubled.flatMap(({ factory, problems }) =>
    problems.map((problem) => `${factory}: ${labelled(problem)}`),
  );
  // The only detail there is has been said.
  return result(isCritical ? 2 : 1, first, performance, details.length > 1 ? details : []);
}

function critical(text: string): FactoryProblem {
  return { severity: 'critical', text };
}

function labelled({ severity, text }: FactoryProblem): string {
  return `${severity.toUpperCase()}: ${text}`;
}

function heartbeatProblems(
  name: string,
  ageSeconds: number | null,
  limitSeconds: number,
  stateDir: string,
): FactoryProblem[] {
  if (ageSeconds === null) return [critical(`No vacd ${name} heartbeat file in ${stateDir}: does vacd run?`)];
  if (ageSeconds > limitSeconds) {
    return [critical(`No vacd ${name} heartbeat in ${(ageSeconds / 3600).toFixed(2)} hours`)];
  }
  if (ageSeconds >= -TOLERATED_FUTURE_SECONDS) return [];
  return [
    {
      severity: 'warning',
      text: `${name} heartbeat is ${duration(-ageSeconds)} in the future: was the clock set back?`,
    },
  ];
}

interface Counts {
  readonly running: number;
  readonly slots: number;
  readonly processors: number;
  readonly maxProcessors: number;
  readonly hs06: number;
}

/** "running slots procs maxprocs hs06" (SPEC 5). */
export function parseCounts(text: string | null): Counts | null {
  const numbers = /^\s*(\d+) (\d+) ([\d.]+) ([\d.]+) ([\d.]+)\s*$/
    .exec(text ?? '')
    ?.slice(1)
    .map(Number);
  if (numbers === undefined || numbers.some(Number.isNaN)) return null;
  const [running, slots, processors, maxProcessors, hs06] = numbers as [number, number, number, number, number];
  return { running, slots, processors, maxProcessors, hs06 };
}

function usage(statuses: readonly FactoryStatus[]): string {
  const sum = (of: (status: FactoryStatus) => number) => plain(statuses.reduce((total, each) => total + of(each), 0));
  return [
    `${sum((s) => s.running_machines)}/${sum((s) => s.max_machines)} machines`,
    `${sum((s) => s.running_processors)}/${sum((s) => s.max_processors)} processors`,
  ].join(', ');
}

/** The first line of a text, harmless here. */
function oneLine(text: string): string {
  const [first] = text.trim().split(/\r?\n/, 1);
  return cut(harmless(first ?? ''), MAX_PROBLEM_CHARACTERS);
}

function withoutBars(text: string): string {
  return harmless(text).replaceAll('|', '/');
}

function result(
  code: CheckResult['code'],
  text: string,
  performance: readonly string[],
  details: readonly string[],
): CheckResult {
  const shown = details.slice(0, MAX_DETAILS).map(withoutBars);
  const left = details.length - shown.length;
  const data = performance.length === 0 ? '' : ` | ${performance.join(' ')}`;
  return { code, lines: [`${withoutBars(text)}${data}`, ...shown, ...(left > 0 ? [`and ${left} more problems`] : [])] };
}
