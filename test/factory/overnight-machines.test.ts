/** What overnight mode's verdict makes of machines, through `decide`. */

import { describe, expect, it } from 'vitest';
import { checkInvariants } from '../../src/factory/invariants.js';
import type { OvernightVerdict } from '../../src/factory/overnight-types.js';
import type { Plan } from '../../src/factory/plan.js';
import type { Machine, MachineSuspension } from '../../src/factory/types.js';
import {
  actionsOf,
  config,
  MODELS,
  machine,
  machinetype,
  NOW,
  overnight,
  plan,
  slotDecision,
  state,
  stopRequest,
} from './builders.js';

const TYPES = config([machinetype('prod', { maxWallclockSeconds: 3600, minWallclockSeconds: 1800 })]);
const BACK = { state: 'suspended', machines: 'suspend', mayStart: false, reason: 'anna active on seat0' } as const;
const STOPPING = { ...BACK, state: 'stopping', machines: 'stop' } as const;
const CLOSED = { ...BACK, state: 'closed', machines: 'stop', reason: 'the window is closed; it opens 19:00' } as const;
const BY_OWNER: MachineSuspension = { by: 'overnight', sinceSeconds: NOW - 60, reason: 'anna active on seat0' };
const QUARANTINE: MachineSuspension = { by: 'quarantine', sinceSeconds: NOW - 60, reason: 'incident 7', who: 'root' };

/** Plans for machines under a verdict, and keeps the rules of all plans. */
function planFor(machines: readonly Machine[], verdict: Partial<OvernightVerdict> | null): Plan {
  const facts = state({ machines, overnight: verdict === null ? null : overnight(verdict) });
  const made = plan(facts, TYPES);
  expect(checkInvariants(facts, made, TYPES, MODELS)).toEqual([]);
  return made;
}

/** What is done to one machine; undefined: nothing. */
const done = (one: Machine, verdict: Partial<OvernightVerdict> | null) =>
  planFor([one], verdict).actions.find((action) => 'machine' in action);

const running = (slot: number, changes: Partial<Machine> = {}, createdTimeSeconds = NOW - 3600) =>
  machine(changes, { slot, createdTimeSeconds });
const suspended = (slot: number, changes: Partial<Machine> = {}, createdTimeSeconds = NOW - 3600) =>
  running(slot, { domain: 'paused', pausedForSeconds: 600, suspension: BY_OWNER, ...changes }, createdTimeSeconds);

describe('starts', () => {
  it('none while the policy says no, and the reason is told', () => {
    const made = planFor([], BACK);
    expect(made.standstill).toEqual({ code: 'overnight', reason: 'anna active on seat0' });
    expect(actionsOf(made, 'createMachine')).toEqual([]);
    expect(slotDecision(made, 0)).toMatchObject({ code: 'overnight', reason: 'anna active on seat0' });
  });

  it('end with the window, and none that could not finish before', () => {
    const [start] = actionsOf(planFor([], { goneBySeconds: NOW + 1900 }), 'createMachine');
    expect(start?.shutdownTimeSeconds).toBe(NOW + 1900);
    const made = planFor([], { goneBySeconds: NOW + 1700 });
    expect(actionsOf(made, 'createMachine')).toEqual([]);
    expect(slotDecision(made, 0)?.reason).toContain('1700 s are left before the end of the overnight window');
  });
});

describe('the owner is back', () => {
  it('all machines are suspended in one pass', () => {
    const made = planFor(
      [0, 1, 2, 3, 4, 5, 6, 7].map((slot) => running(slot)),
      BACK,
    );
    expect(actionsOf(made, 'suspendMachine')).toHaveLength(8);
    expect(actionsOf(made, 'suspendMachine')[0]).toMatchObject({
      suspension: { by: 'overnight', sinceSeconds: NOW, reason: 'anna active on seat0' },
    });
    expect(slotDecision(made, 0)).toBeUndefined();
  });

  it('one that is being created is suspended as soon as it runs', () => {
    expect(done(machine({ phase: 'starting', busy: true }), BACK)).toBeUndefined();
    expect(done(running(0), BACK)?.kind).toBe('suspendMachine');
  });

  it('one that somebody resumed is suspended again, since the time of the first', () => {
    expect(done(running(0, { suspension: BY_OWNER }), BACK)).toMatchObject({
      kind: 'suspendMachine',
      suspension: BY_OWNER,
    });
  });

  it('one that QEMU or somebody paused is taken over, so that it does not go on under his hands', () => {
    const paused = running(0, { domain: 'paused', pausedForSeconds: 7, pausedByIoError: true });
    expect(done(paused, BACK)?.kind).toBe('suspendMachine');
    expect(done(paused, {})?.kind).toBe('resumeMachine');
  });

  it('one that is being stopped is suspended too, and its time runs on', () => {
    const stopping = running(0, { stop: stopRequest(), stopAskedForSeconds: 5 });
    expect(done(stopping, BACK)?.kind).toBe('suspendMachine');
    const both = suspended(0, { stop: stopRequest(), stopAskedForSeconds: 29 });
    expect(done(both, BACK)).toBeUndefined();
    expect(done({ ...both, stopAskedForSeconds: 30 }, BACK)?.kind).toBe('destroyMachine');
  });

  it('throttled machines run held down, and are let go when he is gone', () => {
    const throttled = { ...BACK, state: 'throttled', machines: 'throttle' } as const;
    expect(done(running(0), throttled)).toMatchObject({ kind: 'throttleMachine', throttled: true });
    expect(done(running(0, { throttled: true }), throttled)).toBeUndefined();
    expect(done(running(0, { throttled: true }), {})).toMatchObject({ kind: 'throttleMachine', throttled: false });
    expect(done(running(0, { throttled: false }), {})).toBeUndefined();
  });
});

describe('suspended machines', () => {
  it('are left alone however long, also by heartbeat rules, also by a vacd that has just started', () => {
    const old = { ...BY_OWNER, sinceSeconds: NOW - 7000 };
    expect(done(suspended(0, { suspension: old, pausedForSeconds: 7000 }), BACK)).toBeUndefined();
    const beating = machine(
      { domain: 'paused', pausedForSeconds: 0, suspension: BY_OWNER, heartbeatFileAgeSeconds: 9000 },
      { heartbeatFile: 'heartbeat', heartbeatSeconds: 60 },
    );
    expect(done(beating, BACK)).toBeUndefined();
  });

  it('go on when he is gone, and not before', () => {
    expect(done(suspended(0), {})).toMatchObject({ kind: 'resumeMachine' });
    expect(done(suspended(0), BACK)).toBeUndefined();
  });

  it('go on when overnight mode is taken out of the configuration', () => {
    expect(done(suspended(0), null)).toMatchObject({ kind: 'resumeMachine' });
  });

  it('past their shutdowntime are destroyed: they cannot be asked', () => {
    expect(done(suspended(0, { shutdownTimeSeconds: NOW }), BACK)).toMatchObject({
      kind: 'destroyMachine',
      stop: { message: '100 Past shutdowntime' },
    });
  });

  it.each([
    ['times', { pastSuspensions: { count: 3, seconds: 0 } }, 'it was suspended 3 times (max_suspensions)'],
    [
      'hours',
      { pastSuspensions: { count: 1, seconds: 1800 } },
      'it was suspended for 31 min in all (max_suspended_hours)',
    ],
  ])('within limits: %s', (_, changes, reason) => {
    const limits = { ...BACK, maxSuspensions: 3, maxSuspendedSeconds: 1800 };
    expect(done(suspended(0, changes), limits)).toMatchObject({ kind: 'destroyMachine', reason });
    expect(done(suspended(0), limits)).toBeUndefined();
    // One that runs may end well.
    expect(done(running(0, changes), { ...limits, state: 'open', machines: 'run' })?.kind).toBe('throttleMachine');
  });

  it('in quarantine are not of overnight mode', () => {
    const held = suspended(0, { suspension: QUARANTINE });
    for (const verdict of [BACK, STOPPING, {}, null]) expect(done(held, verdict)).toBeUndefined();
  });
});

describe('the owner stays', () => {
  const four = [0, 1, 2, 3].map((slot) => suspended(slot, {}, NOW - 1000 * (slot + 1)));

  it('machines are destroyed, the youngest first and few at once', () => {
    const destroyed = actionsOf(planFor(four, STOPPING), 'destroyMachine');
    expect(destroyed.map((action) => action.machine)).toEqual(four.slice(0, 2).map(({ record }) => record.id));
    expect(destroyed[0]?.stop).toMatchObject({ message: '100 Stopped for the owner of the host', politely: false });
  });

  it('the next ones when these are gone', () => {
    const [first, ...others] = four;
    const one = { ...first!, stop: stopRequest({ politely: false }), busy: true };
    expect(actionsOf(planFor([one, ...others], STOPPING), 'destroyMachine')).toHaveLength(1);
    const ended = machine({ phase: 'ended', busy: true }, { slot: 0 });
    expect(actionsOf(planFor([ended, ...others], STOPPING), 'destroyMachine')).toHaveLength(2);
  });

  it('none runs on meanwhile', () => {
    const made = planFor(
      [0, 1, 2, 3].map((slot) => running(slot)),
      STOPPING,
    );
    expect(made.actions.filter(({ kind }) => kind === 'suspendMachine')).toHaveLength(2);
  });
});

describe("the window's end", () => {
  it('is told to machines as soon as it is known, with the notice that they were promised', () => {
    expect(done(running(0, { throttled: false }), { goneBySeconds: NOW + 5000 })).toMatchObject({
      kind: 'lowerShutdownTime',
      shutdownTimeSeconds: NOW + 5000,
    });
    expect(done(running(0, { throttled: false }), { goneBySeconds: NOW + 50 })).toMatchObject({
      shutdownTimeSeconds: NOW + 600,
    });
  });

  it('has them gone by then, whatever they were promised', () => {
    const late = { goneBySeconds: NOW, mayStart: false };
    expect(done(running(0), late)).toMatchObject({ kind: 'requestStop' });
    expect(done(suspended(0), { ...BACK, ...late })).toMatchObject({ kind: 'destroyMachine' });
  });

  it('leaves none: asked where it runs, destroyed where it cannot answer', () => {
    expect(done(running(0), CLOSED)).toMatchObject({ kind: 'requestStop', reason: CLOSED.reason });
    expect(done(suspended(0), CLOSED)).toMatchObject({ kind: 'destroyMachine' });
    const deaf = running(0, { stop: stopRequest(), stopAskedForSeconds: 30 });
    expect(done(deaf, CLOSED)).toMatchObject({ kind: 'destroyMachine' });
  });
});
