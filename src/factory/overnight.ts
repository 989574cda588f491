/**
 * Overnight mode's policy: when a desktop is a factory, and what becomes of its machines when its owner comes back. Pure:
 * from what it remembered, what the sensors say, and two clocks, to what is wanted now.
 *
 *                 window opens            nobody there for idle_minutes
 *     ┌────────┐ ─────────────► ┌─────────┐ ──────────────────────► ┌──────┐
 *     │ closed │                │ waiting │                         │ open │◄──────────────┐
 *     └────────┘ ◄── window     └─────────┘ ◄───────────┐           └──────┘               │ idle_minutes
 *         ▲      ends, from any      ▲                  │ no machine    │ owner returns    │
 *         │      state: machines     │ no machine       │ is left       ▼                  │
 *         │      are stopped         │ is left          │        ┌─ throttled ─┐           │
 *         │                      ┌──────────┐           │        ▼             │      ┌─────────┐
 *         └───────────────────── │ stopping │◄──────────┴─── suspended ────────┴────► │ running │
 *                                └──────────┘   by the times of on_return     quiet   └─────────┘
 *                                                                   for resume_idle_minutes
 *
 * The owner's return counts at once, his absence only after a time, and longer for new machines (`open`) than for those
 * that he interrupted (`running`): so inputs that flap keep machines down, and cost nothing but their time.
 */

import type { Calendar } from './overnight-calendar.js';
import { hostBlockers, idleForSeconds, inputBlockers, presenceBlockers, type SayTime } from './overnight-owner.js';
import type {
  OvernightBlocker,
  OvernightConfig,
  OvernightPause,
  OvernightState,
  OvernightStateName,
  OvernightVerdict,
  OwnerFacts,
} from './overnight-types.js';

/** Machines must have shut down so long before a window's end: 30 s for ACPI, and as much for the last to be destroyed. */
export const WINDOW_END_SECONDS = 60;

/** The wall clock may go back by so much without anything being opened again. */
const CLOCK_STEP_SECONDS = 900;

/** What a suspension of before a restart of vacd can be old at most, to count. */
const DAY_SECONDS = 86_400;

export interface OvernightInput {
  /** Unix time. */
  readonly nowSeconds: number;
  /** A clock that no step touches. */
  readonly steadySeconds: number;
  readonly config: OvernightConfig;
  readonly calendar: Calendar;
  readonly owner: OwnerFacts;
  readonly pause: OvernightPause | null;
  /** The host's own part of start_spread_minutes, 0 to 1 (`spreadPart`). */
  readonly spreadPart: number;
  /** Machines that are starting or running, suspended ones too. */
  readonly machines: number;
  /** Unix time since which overnight mode has machines suspended, as their directories tell; null: it has none. */
  readonly suspendedSinceSeconds: number | null;
}

/** The same for a host at all times, and as good as any for another: from 0 to 1. */
export function spreadPart(factory: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < factory.length; at++) hash = Math.imul(hash ^ factory.charCodeAt(at), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) / 2 ** 32;
}

/** @param before null: vacd has just started, or overnight mode was just switched on */
export function nextOvernight(
  before: OvernightState | null,
  input: OvernightInput,
): { readonly state: OvernightState; readonly verdict: OvernightVerdict } {
  const prior = before ?? restored(input);
  const view = look(prior, input);
  const name = stateOf(view);
  const reason = reasonOf(name, view);
  const known = prior?.name === name ? prior : null;
  const isInterrupted = name === 'throttled' || name === 'suspended' || name === 'stopping';
  const state: OvernightState = {
    name,
    sinceSeconds: known?.sinceSeconds ?? input.nowSeconds,
    reason: known?.reason ?? reason,
    calendarSeconds: view.calendarSeconds,
    blockedAtSteady: isInterrupted || (name === 'running' && view.blockers.length > 0) ? view.blockedAtSteady : null,
    clearAtSteady: view.clearAtSteady,
    openedSeconds: view.openedSeconds,
  };
  return { state, verdict: verdictOf(state, reason, view) };
}

/** What speaks for and against machines at one moment. */
interface View extends OvernightInput {
  readonly before: OvernightState | null;
  readonly calendarSeconds: number;
  readonly windowMatters: boolean;
  readonly windowOpen: boolean;
  readonly windowChangeSeconds: number | null;
  /** What stops machines that run: all but closed windows. */
  readonly blockers: readonly OvernightBlocker[];
  /** What stops new ones besides: input not long enough ago. */
  readonly recent: readonly OvernightBlocker[];
  readonly blockedAtSteady: number;
  readonly clearAtSteady: number | null;
  readonly openedSeconds: number | null;
  /** When this host's turn to start machines comes after the window opened (Unix time); null: it has come. */
  readonly turnSeconds: number | null;
  /** Nothing but input was against machines for resume_idle_minutes. */
  readonly settled: boolean;
  readonly say: SayTime;
}

/** Of what an earlier vacd was in the middle of, its machines' directories tell. */
function restored(input: OvernightInput): OvernightState | null {
  const { suspendedSinceSeconds, nowSeconds, steadySeconds, config } = input;
  if (suspendedSinceSeconds === null) return null;
  // So long after the owner's return they were suspended.
  const step = config.onReturn.find(({ action }) => action === 'suspend')?.afterSeconds ?? 0;
  const ago = Math.min(DAY_SECONDS, Math.max(0, nowSeconds - suspendedSinceSeconds));
  return {
    name: 'suspended',
    sinceSeconds: suspendedSinceSeconds,
    reason: 'machines were suspended when vacd started',
    calendarSeconds: nowSeconds,
    blockedAtSteady: steadySeconds - ago - step,
    clearAtSteady: null,
    openedSeconds: null,
  };
}

function look(before: OvernightState | null, input: OvernightInput): View {
  const { config, calendar, owner, pause, nowSeconds, steadySeconds } = input;
  const wentBack = before !== null && nowSeconds < before.calendarSeconds;
  const calendarSeconds =
    wentBack && before.calendarSeconds - nowSeconds <= CLOCK_STEP_SECONDS ? before.calendarSeconds : nowSeconds;
  const window = calendar.at(calendarSeconds);
  const windowMatters = config.use !== 'idle';
  const say: SayTime = (seconds) => sayTime(calendar, seconds, calendarSeconds);
  // Within a window that needs nobody's absence, who is there does not matter.
  const ownerMatters = config.use !== 'windows' && !(config.use === 'windows-or-idle' && window.open);
  const resumeIdle = Math.min(config.resumeIdleSeconds, config.idleSeconds);
  const inputWithin = (idle: number) => (ownerMatters ? inputBlockers(owner, config, idle, say) : []);
  const lasting = [
    ...hostBlockers(owner, config, pause, nowSeconds, say),
    ...(ownerMatters ? presenceBlockers(owner, config) : []),
  ];
  const openedNow = before?.name === 'closed' ? calendarSeconds : (before?.openedSeconds ?? null);
  const openedSeconds = window.open ? openedNow : null;
  const turn = (openedSeconds ?? 0) + input.spreadPart * config.startSpreadSeconds;
  // At the start of vacd nothing is known of before, and nobody's machines are down: it may begin.
  const firstClear = before === null ? steadySeconds - config.resumeIdleSeconds : steadySeconds;
  const clearAtSteady = lasting.length > 0 ? null : (before?.clearAtSteady ?? firstClear);
  return {
    ...input,
    before,
    calendarSeconds,
    windowMatters,
    windowOpen: window.open,
    windowChangeSeconds: windowMatters ? window.changeSeconds : null,
    blockers: [...inputWithin(resumeIdle), ...lasting],
    recent: inputWithin(config.idleSeconds),
    blockedAtSteady: before?.blockedAtSteady ?? steadySeconds,
    clearAtSteady,
    openedSeconds,
    turnSeconds: openedSeconds !== null && calendarSeconds < turn ? Math.ceil(turn) : null,
    settled: clearAtSteady !== null && steadySeconds - clearAtSteady >= config.resumeIdleSeconds,
    say,
  };
}

function stateOf(view: View): OvernightStateName {
  const { before, blockers, recent, settled, machines, turnSeconds } = view;
  if (isClosed(view)) return 'closed';
  const mayOpen = blockers.length === 0 && recent.length === 0 && settled;
  if (machines === 0) return mayOpen && turnSeconds === null ? 'open' : 'waiting';
  if (blockers.length > 0) return stepOf(view);
  const wasUp = before === null || before.name === 'open' || before.name === 'running' || before.name === 'closed';
  // The times of on_return go on while it is not sure that the owner is gone.
  if (!wasUp && !settled) return stepOf(view);
  return mayOpen ? 'open' : 'running';
}

function isClosed({ config, windowMatters, windowOpen }: View): boolean {
  return windowMatters && !windowOpen && config.use !== 'windows-or-idle';
}

const STATE_OF_STEP = { throttle: 'throttled', suspend: 'suspended', stop: 'stopping' } as const;

/** The last step of `on_return` whose time has come. */
function stepOf({ config, steadySeconds, blockedAtSteady }: View): OvernightStateName {
  const elapsed = steadySeconds - blockedAtSteady;
  const step = config.onReturn.findLast(({ afterSeconds }) => afterSeconds <= elapsed);
  return step === undefined ? 'running' : STATE_OF_STEP[step.action];
}

function reasonOf(name: OvernightStateName, view: View): string {
  const { blockers, recent, windowChangeSeconds, say, config, owner } = view;
  const first = [...blockers, ...recent][0]?.reason ?? 'it is not sure yet that nobody is there';
  const until = windowChangeSeconds === null ? '' : ` until ${say(windowChangeSeconds)}`;
  switch (name) {
    case 'closed':
      return windowChangeSeconds === null
        ? 'the window is closed, and none opens within a year'
        : `the window is closed; it opens ${say(windowChangeSeconds)}`;
    case 'waiting':
      return view.turnSeconds !== null && blockers.length + recent.length === 0
        ? `this host begins ${say(view.turnSeconds)}, so that not all begin at once (start_spread_minutes)`
        : first;
    case 'open': {
      const idle = config.use === 'windows' ? null : idleForSeconds(owner, config);
      const nobody = idle === null ? '' : `nobody has used this host for ${minutes(idle)}`;
      const window = view.windowMatters && view.windowOpen ? `the window is open${until}` : '';
      return [window, nobody].filter((text) => text !== '').join(', ') || 'nothing speaks against machines';
    }
    case 'running':
      return blockers.length > 0
        ? `${first}; machines are interrupted next`
        : `machines that are there go on, new ones wait: ${first}`;
    case 'throttled':
      return `machines are held down: ${first}`;
    case 'suspended':
      return `machines are suspended: ${first}`;
    case 'stopping':
      return `machines are stopped: ${first}`;
  }
}

const WANTED = {
  closed: 'stop',
  waiting: 'suspend',
  open: 'run',
  running: 'run',
  throttled: 'throttle',
  suspended: 'suspend',
  stopping: 'stop',
} as const satisfies Record<OvernightStateName, OvernightVerdict['machines']>;

function verdictOf(state: OvernightState, reason: string, view: View): OvernightVerdict {
  const { config, windowOpen, windowChangeSeconds, blockers, recent, calendarSeconds } = view;
  const endsForAll = config.use === 'windows' || config.use === 'windows-and-idle';
  // The owner who is there while a window lets machines run anyway has the host back at its end.
  const endsForOwner = config.use === 'windows-or-idle' && isInUse(view);
  const ends = windowOpen && windowChangeSeconds !== null && (endsForAll || endsForOwner);
  const goneBySeconds = ends ? windowChangeSeconds - WINDOW_END_SECONDS : null;
  const isEnding = goneBySeconds !== null && calendarSeconds >= goneBySeconds;
  const closed: OvernightBlocker[] = isClosed(view) ? [{ code: 'window', reason }] : [];
  return {
    state: state.name,
    sinceSeconds: state.sinceSeconds,
    reason: isEnding && state.name === 'open' ? `the window ends ${view.say(windowChangeSeconds!)}` : reason,
    blockers: [...closed, ...blockers, ...(blockers.length > 0 ? [] : recent)],
    windowOpen,
    windowChangeSeconds,
    next: nextChange(state, view),
    mayStart: state.name === 'open' && !isEnding,
    machines: WANTED[state.name],
    goneBySeconds,
    maxSuspensions: config.maxSuspensions,
    maxSuspendedSeconds: config.maxSuspendedSeconds,
  };
}

function isInUse({ owner, config, say }: View): boolean {
  return inputBlockers(owner, config, config.idleSeconds, say).length > 0 || presenceBlockers(owner, config).length > 0;
}

/** If nobody does anything from now on. */
function nextChange({ name }: OvernightState, view: View): OvernightVerdict['next'] {
  const { config, nowSeconds, steadySeconds, blockedAtSteady, windowChangeSeconds, pause } = view;
  const changes: { timeSeconds: number; what: string }[] = [];
  const add = (timeSeconds: number, what: string) => changes.push({ timeSeconds: Math.ceil(timeSeconds), what });
  if (windowChangeSeconds !== null) {
    add(windowChangeSeconds, view.windowOpen ? 'the window ends' : 'the window opens');
  }
  if (name !== 'closed') {
    if (pause !== null && nowSeconds < pause.untilSeconds) add(pause.untilSeconds, 'the pause ends');
    const idle = idleForSeconds(view.owner, config) ?? 0;
    const others = [...view.blockers, ...view.recent].some(({ code }) => code !== 'owner');
    const isInterrupted = name === 'throttled' || name === 'suspended' || name === 'stopping';
    if (!others && !isInterrupted && view.recent.length > 0) {
      add(nowSeconds + config.idleSeconds - idle, 'machines may start');
    }
    if (view.blockers.length + view.recent.length === 0 && view.turnSeconds !== null) {
      add(view.turnSeconds, 'machines may start');
    }
    if (!others && isInterrupted) {
      const quiet = Math.max(
        config.resumeIdleSeconds - idle,
        config.resumeIdleSeconds - (steadySeconds - (view.clearAtSteady ?? steadySeconds)),
      );
      add(nowSeconds + Math.max(0, quiet), 'machines go on');
    }
    const step = config.onReturn.find(({ afterSeconds }) => afterSeconds > steadySeconds - blockedAtSteady);
    if ((isInterrupted || (name === 'running' && view.blockers.length > 0)) && step !== undefined) {
      const what = { throttle: 'held down', suspend: 'suspended', stop: 'stopped' }[step.action];
      add(nowSeconds + step.afterSeconds - (steadySeconds - blockedAtSteady), `machines are ${what}`);
    }
  }
  return changes.sort((a, b) => a.timeSeconds - b.timeSeconds)[0] ?? null;
}

/** The time of day, with the weekday when it is more than twelve hours away, and the date when it is a week. */
function sayTime(calendar: Calendar, seconds: number, nowSeconds: number): string {
  const { day, date, time } = calendar.wall(seconds);
  const away = Math.abs(seconds - nowSeconds);
  if (away < DAY_SECONDS / 2) return time;
  return away < 6 * DAY_SECONDS ? `${day} ${time}` : `${date} ${time}`;
}

function minutes(seconds: number): string {
  if (seconds >= 7200) return `${Math.floor(seconds / 3600)} h`;
  return seconds >= 60 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds)} s`;
}
