import { describe, expect, it } from 'vitest';
import type { Settings } from '../../src/config/types.js';
import {
  MAX_PAUSED_BY_IO_ERROR_SECONDS,
  MAX_PAUSED_SECONDS,
  machineAction,
  STOP_SECONDS,
} from '../../src/factory/lifecycle.js';
import type { ActionOf } from '../../src/factory/plan.js';
import type { DomainState, FactoryState, Machine, MachinePhase } from '../../src/factory/types.js';
import {
  drainOrder,
  end,
  host,
  machine,
  NOT_READY,
  NOW,
  orders,
  record,
  service,
  services,
  settings,
  state,
  stopRequest,
} from './builders.js';

const due = (of: Machine, at: Partial<FactoryState> = {}, by: Partial<Settings> = {}) =>
  machineAction(of, state(at), settings(by));
const kindDue = (...args: Parameters<typeof due>) => due(...args)?.kind ?? 'nothing';

const ID = machine().record.id;

/** What `endMachine` would write. */
function endDue(of: Machine, at: Partial<FactoryState> = {}) {
  const action = due(of, at);
  if (action?.kind !== 'endMachine') throw new Error(`${action?.kind ?? 'nothing'} was due instead of endMachine`);
  return action.end;
}

const STOPS: Record<string, Partial<Machine>> = {
  'not asked': {},
  'asked before a restart': { stop: stopRequest() },
  'asked just now': { stop: stopRequest(), stopAskedForSeconds: 0 },
  'asked 29 s ago': { stop: stopRequest(), stopAskedForSeconds: STOP_SECONDS - 1 },
  'asked 30 s ago': { stop: stopRequest(), stopAskedForSeconds: STOP_SECONDS },
  'to be destroyed': { stop: stopRequest({ politely: false }) },
};
const DOMAINS: readonly DomainState[] = ['running', 'paused', 'shutdown', 'gone', 'unknown'];

/** What is due for a machine of each phase, by domain state (columns as DOMAINS) and stop state. */
const LIFE: Record<MachinePhase, Record<string, readonly string[]>> = {
  starting: {
    'not asked': ['recordStarted', 'recordStarted', 'recordStarted', 'endMachine', 'nothing'],
  },
  running: {
    'not asked': ['nothing', 'nothing', 'nothing', 'endMachine', 'nothing'],
    'asked before a restart': ['requestStop', 'requestStop', 'requestStop', 'endMachine', 'nothing'],
    'asked just now': ['nothing', 'nothing', 'nothing', 'endMachine', 'nothing'],
    'asked 29 s ago': ['nothing', 'nothing', 'nothing', 'endMachine', 'nothing'],
    'asked 30 s ago': ['destroyMachine', 'destroyMachine', 'destroyMachine', 'endMachine', 'nothing'],
    'to be destroyed': ['destroyMachine', 'destroyMachine', 'destroyMachine', 'endMachine', 'nothing'],
  },
  // From here on libvirt is not asked: what it has under that name is another's, or a zombie.
  ended: {
    'not asked': ['clearMachine', 'clearMachine', 'clearMachine', 'clearMachine', 'clearMachine'],
    'asked 30 s ago': ['clearMachine', 'clearMachine', 'clearMachine', 'clearMachine', 'clearMachine'],
  },
  cleared: {
    'not asked': ['nothing', 'nothing', 'nothing', 'nothing', 'nothing'],
    'asked 30 s ago': ['nothing', 'nothing', 'nothing', 'nothing', 'nothing'],
  },
};

describe('every phase, domain state and stop state', () => {
  const cases = Object.entries(LIFE).flatMap(([phase, byStop]) =>
    Object.entries(byStop).flatMap(([stop, expected]) =>
      expected.map((kind, index) => [phase as MachinePhase, DOMAINS[index]!, stop, kind] as const),
    ),
  );

  it.each(cases)('%s, domain %s, stop %s: %s', (phase, domain, stop, expected) => {
    expect(kindDue(machine({ phase, domain, ...STOPS[stop] }))).toBe(expected);
  });

  it.each(cases)('%s, domain %s, stop %s: nothing while busy or waiting for a retry', (phase, domain, stop) => {
    expect(kindDue(machine({ phase, domain, ...STOPS[stop], busy: true }))).toBe('nothing');
    expect(kindDue(machine({ phase, domain, ...STOPS[stop], retryInSeconds: 0.1 }))).toBe('nothing');
  });
});

describe('a start that nobody carries out', () => {
  it('ends with the reason that this process knows', () => {
    const ended = endDue(machine({ phase: 'starting', domain: 'gone', creationProblem: 'creation failed: no image' }));
    expect(ended).toEqual({ timeSeconds: NOW, message: null, cpuSeconds: 0, reason: 'creation failed: no image' });
  });

  it('ends as interrupted when an earlier vacd died in it', () => {
    expect(endDue(machine({ phase: 'starting', domain: 'gone' })).reason).toContain('interrupted');
  });

  it('is a machine that runs, if libvirt has it after all', () => {
    expect(kindDue(machine({ phase: 'starting', domain: 'running', creationProblem: 'timed out' }))).toBe(
      'recordStarted',
    );
  });
});

describe('the end of a life', () => {
  it.each([
    ['was asked to stop at its shutdowntime', { shutdownTimeSeconds: NOW }, {}, 'requestStop'],
    ['has a second left', { shutdownTimeSeconds: NOW + 1 }, {}, 'nothing'],
    ['is on a factory that is being stopped', {}, { orders: orders({ stopAll: true }) }, 'requestStop'],
    ['is on a factory that drains', {}, { orders: orders({ drain: drainOrder() }) }, 'nothing'],
    ['is to be stopped itself', {}, { orders: orders({ stopMachines: new Set([ID]) }) }, 'requestStop'],
    ['is not the one to be stopped', {}, { orders: orders({ stopMachines: new Set(['another']) }) }, 'nothing'],
    ['still starts', { phase: 'starting' }, { orders: orders({ stopMachines: new Set([ID]) }) }, 'nothing'],
  ] as const)('a machine that %s', (_, changes, at, expected) => {
    expect(kindDue(machine(changes), at)).toBe(expected);
  });

  it.each([
    ['past its shutdowntime', { shutdownTimeSeconds: NOW }, {}],
    ['of a factory being stopped', {}, { stopAll: true }],
    ['that an administrator stops', {}, { stopMachines: new Set([ID]) }],
  ])('a paused machine %s is destroyed at once: it cannot answer ACPI', (_, changes, ordered) => {
    for (const pausedByIoError of [false, true]) {
      const paused = machine({ domain: 'paused', pausedForSeconds: 1, pausedByIoError, ...changes });
      expect(due(paused, { orders: orders(ordered) })).toMatchObject({
        kind: 'destroyMachine',
        stop: { politely: false },
      });
    }
  });

  it('by an administrator has words of its own for it', () => {
    const { stop } = due(machine(), { orders: orders({ stopMachines: new Set([ID]) }) }) as ActionOf<'requestStop'>;
    expect(stop.reason).toContain('vac stop');
    expect(stop.message).toBe('100 Stopped by an administrator');
  });

  it('says in the request why, and by what message the machine is known if it says nothing', () => {
    expect(due(machine({ shutdownTimeSeconds: NOW }))).toMatchObject({
      kind: 'requestStop',
      stop: { message: '100 Past shutdowntime', overrides: false, politely: true, requestedTimeSeconds: NOW },
    });
  });

  it('asks again, with the same words, what an earlier vacd asked before it died', () => {
    const stop = stopRequest({ reason: 'long ago', requestedTimeSeconds: NOW - 9999 });
    expect(due(machine({ stop, stopAskedForSeconds: null }))).toMatchObject({ kind: 'requestStop', stop });
  });

  it('destroys with the request it was asked by, so that the message stays', () => {
    const stop = stopRequest();
    expect(due(machine({ stop, stopAskedForSeconds: 31 }))).toMatchObject({
      kind: 'destroyMachine',
      stop,
      reason: 'its shutdowntime has come; it did not stop within 30 s',
    });
  });

  it('is seen, and has its own words, what it was asked, or a fizzle for a message', () => {
    const gone = { domain: 'gone', goneTimeSeconds: NOW - 1 } as const;
    expect(endDue(machine({ ...gone, shutdownMessage: '200 Success' }))).toEqual({
      timeSeconds: NOW - 1,
      message: '200 Success',
      cpuSeconds: 3000,
      reason: 'its domain is gone',
    });
    expect(endDue(machine({ ...gone, stop: stopRequest() }))).toMatchObject({
      message: '100 Past shutdowntime',
      reason: 'stopped: its shutdowntime has come',
    });
    const short = record({ createdTimeSeconds: NOW - 63 });
    expect(endDue(machine({ ...gone, record: short })).message).toBe('300 Vac detects fizzle after 60 seconds');
  });

  it.each([
    ['its last heartbeat', { heartbeatTimeSeconds: NOW - 1000 }, NOW - 1000],
    ['its start, if it was never seen', { heartbeatTimeSeconds: null }, NOW - 3598],
    ['its start, if the heartbeat is from before', { heartbeatTimeSeconds: NOW - 9000 }, NOW - 3598],
    ['now, if the clock was set back since', { heartbeatTimeSeconds: NOW + 500 }, NOW],
  ])('that nobody saw is dated by %s', (_, changes, timeSeconds) => {
    const ended = endDue(machine({ domain: 'gone', goneTimeSeconds: null, ...changes }));
    expect(ended.timeSeconds).toBe(timeSeconds);
    expect(ended.reason).toBe('its domain is gone while vacd was not watching');
  });

  it('never comes before the start, even if the clock was set back in between', () => {
    const future = record({ createdTimeSeconds: NOW + 5000 });
    const ended = endDue(machine({ record: future, domain: 'gone', goneTimeSeconds: NOW }));
    expect(ended).toMatchObject({ timeSeconds: NOW + 5002, message: '300 Vac detects fizzle after 0 seconds' });
  });

  it('of a start without a record is dated by its creation', () => {
    const ended = endDue(machine({ domain: 'gone', startedTimeSeconds: null, heartbeatTimeSeconds: null }));
    expect(ended.timeSeconds).toBe(NOW - 3600);
  });
});

describe('heartbeat rules', () => {
  const beating = (ageSeconds: number | null, heartbeatSeconds: number, ranSeconds = 3600) =>
    machine(
      { heartbeatFileAgeSeconds: ageSeconds, startedTimeSeconds: NOW - ranSeconds },
      { heartbeatFile: 'heartbeat', heartbeatSeconds },
    );

  it.each([
    ['no file after fizzle_seconds', null, 300, 600, 'requestStop'],
    ['no file one second before', null, 300, 599, 'nothing'],
    ['a file as old as it may be', 300, 300, 3600, 'nothing'],
    ['a file one second older', 301, 300, 3600, 'requestStop'],
    ['an old file before fizzle_seconds', 301, 300, 599, 'nothing'],
    ['a very old file where age does not matter', 9999, 0, 3600, 'nothing'],
    ['no file where age does not matter', null, 0, 3600, 'requestStop'],
  ])('%s', (_, age, seconds, ran, expected) => {
    expect(kindDue(beating(age, seconds, ran))).toBe(expected);
  });

  it('are only for machinetypes with a heartbeat file', () => {
    expect(kindDue(machine({ heartbeatFileAgeSeconds: null }, { heartbeatSeconds: 300 }))).toBe('nothing');
  });

  it("override the machine's own words", () => {
    expect(due(beating(null, 300))).toMatchObject({
      stop: { message: '700 Heartbeat file not created', overrides: true, politely: true },
    });
    expect(due(beating(301, 300))).toMatchObject({
      stop: { message: '700 Heartbeat file not updated', overrides: true },
    });
  });

  it.each([
    ['down', NOT_READY, 300, 'nothing'],
    ['back for less than heartbeat_seconds', service({ readyForSeconds: 299 }), 300, 'nothing'],
    ['back for heartbeat_seconds', service({ readyForSeconds: 300 }), 300, 'requestStop'],
    ['back for less than a minute, age does not matter', service({ readyForSeconds: 59 }), 0, 'nothing'],
    ['back for a minute, age does not matter', service({ readyForSeconds: 60 }), 0, 'requestStop'],
  ])('do not judge a machine while NFS is %s', (_, nfs, seconds, expected) => {
    expect(kindDue(beating(null, seconds), { host: host({ services: services({ nfs }) }) })).toBe(expected);
  });

  it('judge nobody whom libvirt does not tell of', () => {
    expect(kindDue({ ...beating(null, 300), domain: 'unknown' })).toBe('nothing');
  });
});

describe('paused machines', () => {
  const paused = (pausedForSeconds: number, pausedByIoError = false) =>
    machine({ domain: 'paused', pausedForSeconds, pausedByIoError });
  const full = { host: host({ stateFreeBytes: 50e6 }) };

  it.each([
    ['for less than a minute: left alone', MAX_PAUSED_SECONDS - 1, 'nothing'],
    ['for a minute, by whoever: destroyed', MAX_PAUSED_SECONDS, 'destroyMachine'],
  ])('%s', (_, seconds, expected) => expect(kindDue(paused(seconds))).toBe(expected));

  it.each([
    ['over a full disk: left alone', 100, full, 'nothing'],
    ['over a full disk for too long: destroyed', MAX_PAUSED_BY_IO_ERROR_SECONDS, full, 'destroyMachine'],
    ['over a disk with space again: resumed', 100, {}, 'resumeMachine'],
    ['a moment ago, with space that it does not get: not resumed at once', 4, {}, 'nothing'],
    ['that long with space again: resumed', 5, {}, 'resumeMachine'],
  ])('%s', (_, seconds, at, expected) => expect(kindDue(paused(seconds, true), at)).toBe(expected));

  it('are destroyed without ACPI, as a fault of the site where the disk was full', () => {
    expect(due(paused(MAX_PAUSED_BY_IO_ERROR_SECONDS, true), full)).toMatchObject({
      kind: 'destroyMachine',
      stop: { message: '500 Disk could not be written', politely: false },
    });
    expect(due(paused(MAX_PAUSED_SECONDS))).toMatchObject({ stop: { message: '700 Paused from outside' } });
  });
});

describe('shutdown_time of the settings', () => {
  const left = (seconds: number) => machine({ shutdownTimeSeconds: NOW + seconds });
  const lowered = (of: Machine, shutdownTimeSeconds: number) => {
    const action = due(of, {}, { shutdownTimeSeconds });
    return action?.kind === 'lowerShutdownTime' ? action.shutdownTimeSeconds - NOW : action;
  };

  it('lowers that of a machine to it', () => expect(lowered(left(9000), NOW + 5000)).toBe(5000));
  it('never gives less notice than grace_seconds', () => expect(lowered(left(9000), NOW + 60)).toBe(600));
  it('in the past gives notice too', () => expect(lowered(left(9000), NOW - 60)).toBe(600));
  it('never raises it', () => expect(lowered(left(900), NOW + 5000)).toBeNull());
  it('leaves it alone when it is the same', () => expect(lowered(left(5000), NOW + 5000)).toBeNull());
  it('leaves it alone when less than the notice is left anyway', () => expect(lowered(left(599), NOW + 60)).toBeNull());
  it('lowers it once: a second later there is nothing more to lower', () => {
    const later = state({ nowSeconds: NOW + 1 });
    expect(machineAction(left(600), later, settings({ shutdownTimeSeconds: NOW + 60 }))).toBeNull();
  });
  it('does not matter to a machine that was asked to stop', () => {
    const stopping = machine({ stop: stopRequest(), stopAskedForSeconds: 1, shutdownTimeSeconds: NOW + 9000 });
    expect(due(stopping, {}, { shutdownTimeSeconds: NOW + 5000 })).toBeNull();
  });
});

describe('shutdown times that were ordered', () => {
  const left = (seconds: number) => machine({ shutdownTimeSeconds: NOW + seconds });
  const by = (byTimeSeconds: number, untilSeconds: number | null = null) =>
    orders({ drain: drainOrder({ byTimeSeconds, untilSeconds }) });

  it.each([
    ['by vac drain', by(NOW + 5000), 5000, 'the shutdown time of vac drain'],
    ['by vac shutdown-at', orders({ shutdownTimeSeconds: NOW + 5000 }), 5000, 'the shutdown time of vac shutdown-at'],
    ['by both: the earlier', { ...by(NOW + 7000), shutdownTimeSeconds: NOW + 5000 }, 5000, 'of vac shutdown-at'],
    ['at too short notice: with grace_seconds', by(NOW + 60), 600, 'with 600 s of notice'],
  ])('lower that of machines: %s', (_, ordered, leftSeconds, words) => {
    expect(due(left(9000), { orders: ordered }, { shutdownTimeSeconds: NOW + 8000 })).toMatchObject({
      kind: 'lowerShutdownTime',
      shutdownTimeSeconds: NOW + leftSeconds,
      reason: expect.stringContaining(words),
    });
  });

  it('are said as people read them', () => {
    expect(due(left(9000), { orders: by(NOW + 5000) })).toMatchObject({
      reason: expect.stringMatching(/^the shutdown time of vac drain is \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, with/),
    });
  });

  it('do so no more once draining is over', () => {
    expect(due(left(9000), { orders: by(NOW + 5000, NOW) })).toBeNull();
    expect(kindDue(left(9000), { orders: by(NOW + 5000, NOW + 1) })).toBe('lowerShutdownTime');
  });
});

describe('exports', () => {
  it.each([
    ['are made again when the server lost them', false, service(), 'exportMachine'],
    ['wait for a server that is down', false, NOT_READY, 'nothing'],
    ['are there', true, service(), 'nothing'],
    ['are not known', null, service(), 'nothing'],
  ])('%s', (_, exported, nfs, expected) => {
    expect(kindDue(machine({ exported }), { host: host({ services: services({ nfs }) }) })).toBe(expected);
  });
});

describe('the directory of a machine', () => {
  const DAY = 86_400;
  const cleared = (endedAgoSeconds: number, machinesDirDays: number) =>
    machine({ phase: 'cleared', end: end({ timeSeconds: NOW - endedAgoSeconds }) }, { machinesDirDays });

  it.each([
    [3 * DAY - 1, 3, 'nothing'],
    [3 * DAY, 3, 'forgetMachine'],
    [1000 * DAY, 0, 'nothing'],
  ])('ended %i s ago, machines_dir_days %i: %s', (ago, days, expected) => {
    expect(kindDue(cleared(ago, days))).toBe(expected);
  });
});
