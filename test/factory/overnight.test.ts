import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { returnSteps, windowSchedule } from '../../src/config/windows.js';
import { nextOvernight, type OvernightInput, spreadPart } from '../../src/factory/overnight.js';
import { type Calendar, overnightCalendar } from '../../src/factory/overnight-calendar.js';
import type {
  OvernightConfig,
  OvernightPause,
  OvernightState,
  OvernightVerdict,
  OwnerFacts,
} from '../../src/factory/overnight-types.js';
import { overnightConfig, owner, seat, UNKNOWN } from './desk.js';

const utc = (text: string): number => Date.parse(`${text}Z`) / 1000;
/** A Monday evening; the window of it opens at 19:00. */
const MONDAY = utc('2026-11-23T20:00');

const calendars = new Map<unknown, Calendar>();

function calendarOf({ windows, timeZone }: OvernightConfig): Calendar {
  const key = JSON.stringify([windows, timeZone]);
  const calendar = calendars.get(key) ?? overnightCalendar(windows, timeZone);
  calendars.set(key, calendar);
  return calendar;
}

/** A desktop on virtual time: what is told at each moment, and what the policy remembers. */
class Desk {
  state: OvernightState | null = null;
  now = MONDAY;
  steady = 1_000_000;
  machines = 0;
  facts = owner();
  pause: OvernightPause | null = null;
  suspendedSinceSeconds: number | null = null;

  constructor(public config = overnightConfig()) {}

  look(changes: Partial<OvernightInput> = {}): OvernightVerdict {
    const { config } = this;
    const { state, verdict } = nextOvernight(this.state, {
      nowSeconds: this.now,
      steadySeconds: this.steady,
      config,
      calendar: calendarOf(config),
      owner: this.facts,
      pause: this.pause,
      spreadPart: 0.5,
      machines: this.machines,
      suspendedSinceSeconds: this.suspendedSinceSeconds,
      ...changes,
    });
    this.state = state;
    return verdict;
  }

  /** So long later; who was idle is so for as much longer. */
  after(seconds: number, facts?: OwnerFacts): OvernightVerdict {
    this.now += seconds;
    this.steady += seconds;
    this.facts = facts ?? aged(this.facts, seconds);
    return this.look();
  }
}

function aged(facts: OwnerFacts, seconds: number): OwnerFacts {
  if ('unknown' in facts.sources) return facts;
  const value = facts.sources.value.map((source) =>
    'unknown' in source.idleForSeconds
      ? source
      : { ...source, idleForSeconds: { value: source.idleForSeconds.value + seconds } },
  );
  return { ...facts, sources: { value } };
}

const HERE = owner({}, 0);

const GONE = owner();

/** A desk whose machines run. */
function busyDesk(changes: Partial<OvernightConfig> = {}): Desk {
  const desk = new Desk(overnightConfig(changes));
  desk.look();
  desk.machines = 3;
  return desk;
}

describe('the states', () => {
  it('closed by day, and open by night when nobody is there', () => {
    const desk = new Desk();
    expect(desk.look({ nowSeconds: utc('2026-11-23T12:00') })).toMatchObject({
      state: 'closed',
      machines: 'stop',
      mayStart: false,
      reason: 'the window is closed; it opens 19:00',
      next: { timeSeconds: utc('2026-11-23T19:00'), what: 'the window opens' },
    });
    expect(desk.look()).toMatchObject({
      state: 'open',
      sinceSeconds: MONDAY,
      machines: 'run',
      mayStart: true,
      reason: 'the window is open until 07:30, nobody has used this host for 60 min',
      goneBySeconds: utc('2026-11-24T07:29'),
      next: { timeSeconds: utc('2026-11-24T07:30'), what: 'the window ends' },
    });
  });

  it('waits for idle_minutes', () => {
    const desk = new Desk();
    desk.facts = owner({}, 400);
    expect(desk.look()).toMatchObject({
      state: 'waiting',
      mayStart: false,
      reason: 'anna was active on seat0 6 min ago',
      next: { timeSeconds: MONDAY + 500, what: 'machines may start' },
    });
    expect(desk.after(499).state).toBe('waiting');
    expect(desk.after(1).state).toBe('open');
  });

  it('throttles, suspends and stops by the times of on_return', () => {
    const desk = busyDesk();
    const facts = owner({ sources: { value: [seat(0, { activeSinceSeconds: utc('2026-11-23T19:58') })] } });
    expect(desk.after(2, facts)).toMatchObject({
      state: 'throttled',
      machines: 'throttle',
      mayStart: false,
      reason: 'machines are held down: anna active on seat0 since 19:58',
      next: { timeSeconds: MONDAY + 12, what: 'machines are suspended' },
    });
    expect(desk.after(9, facts).state).toBe('throttled');
    expect(desk.after(1, facts)).toMatchObject({ state: 'suspended', machines: 'suspend', sinceSeconds: MONDAY + 12 });
    expect(desk.after(589, facts)).toMatchObject({ state: 'suspended', sinceSeconds: MONDAY + 12 });
    expect(desk.after(1, facts)).toMatchObject({ state: 'stopping', machines: 'stop' });
    desk.machines = 0;
    expect(desk.after(1, facts)).toMatchObject({ state: 'waiting', reason: 'anna active on seat0 since 19:58' });
  });

  it('lets machines go on after resume_idle_minutes, and starts new ones after idle_minutes', () => {
    const desk = busyDesk();
    desk.after(20, HERE);
    expect(desk.after(299).state).toBe('suspended');
    expect(desk.after(1)).toMatchObject({ state: 'running', machines: 'run', mayStart: false });
    expect(desk.after(599).state).toBe('running');
    expect(desk.after(1)).toMatchObject({ state: 'open', mayStart: true });
  });

  it('stops machines that have not gone on by then, however quiet it is', () => {
    const desk = busyDesk({ resumeIdleSeconds: 900 });
    desk.after(20, HERE);
    expect(desk.after(599).state).toBe('suspended');
    expect(desk.after(1).state).toBe('stopping');
  });

  it('does not resume machines that are left when the owner goes while they are stopped, before it is quiet', () => {
    const desk = busyDesk();
    desk.after(20, HERE);
    desk.after(600, HERE);
    expect(desk.after(200).state).toBe('stopping');
    expect(desk.after(100).state).toBe('running');
  });

  it.each([
    'throttle 5s, stop 10m',
    'suspend 5s, stop 10m',
  ])('leaves machines alone before the first step: %s', (steps) => {
    const desk = busyDesk({ onReturn: returnSteps.parse(steps)! });
    expect(desk.after(1, HERE)).toMatchObject({
      state: 'running',
      machines: 'run',
      mayStart: false,
      next: { timeSeconds: MONDAY + 6 },
    });
    expect(desk.after(4, HERE).machines).toBe('run');
    expect(desk.after(1, HERE).machines).not.toBe('run');
  });

  it('closed at the end of the window, whatever was before', () => {
    const desk = busyDesk();
    const end = utc('2026-11-24T07:30');
    desk.after(end - 61 - MONDAY);
    expect(desk.look()).toMatchObject({ state: 'open', mayStart: true });
    expect(desk.after(1)).toMatchObject({ state: 'open', mayStart: false, reason: 'the window ends 07:30' });
    expect(desk.after(59).state).toBe('open');
    expect(desk.after(1)).toMatchObject({ state: 'closed', machines: 'stop', blockers: [{ code: 'window' }] });
  });
});

describe('the beginning of a window', () => {
  const opens = utc('2026-11-23T19:00');

  it('is spread over start_spread_minutes', () => {
    const desk = new Desk(overnightConfig({ startSpreadSeconds: 600 }));
    desk.now = opens - 1;
    expect(desk.look().state).toBe('closed');
    expect(desk.after(1)).toMatchObject({
      state: 'waiting',
      mayStart: false,
      reason: 'this host begins 19:05, so that not all begin at once (start_spread_minutes)',
      next: { timeSeconds: opens + 300, what: 'machines may start' },
    });
    expect(desk.after(299).state).toBe('waiting');
    expect(desk.after(1).state).toBe('open');
    // Who comes and goes later waits no second time.
    desk.after(3600, HERE);
    expect(desk.after(900).state).toBe('open');
  });

  it('does not hold up a vacd that starts within it', () => {
    const desk = new Desk(overnightConfig({ startSpreadSeconds: 600 }));
    desk.now = opens + 5;
    expect(desk.look().state).toBe('open');
  });

  it('has a time for each host', () => {
    const parts = Array.from({ length: 200 }, (_, index) => spreadPart(`desk${index}.example.com`)).sort(
      (a, b) => a - b,
    );
    expect(Math.max(...parts.map((part, at) => Math.abs(part - at / 200)))).toBeLessThan(0.15);
    expect(spreadPart('desk1.example.com')).toBe(spreadPart('desk1.example.com'));
  });
});

describe('what speaks against machines', () => {
  const cases: [string, Partial<OvernightConfig>, OwnerFacts, string | null][] = [
    ['input', {}, HERE, 'anna active on seat0'],
    [
      'input at a second seat',
      {},
      owner({ sources: { value: [seat(4000), seat(1, { name: 'tty2', user: null })] } }),
      'owner active on tty2',
    ],
    [
      'ssh',
      {},
      owner({ sources: { value: [seat(4000), seat(1, { name: 'ssh from 192.0.2.7', kind: 'remote' })] } }),
      'anna active on ssh from 192.0.2.7',
    ],
    [
      'ssh, where it does not count',
      { remoteSessionsCount: false },
      owner({ sources: { value: [seat(4000), seat(1, { kind: 'remote' })] } }),
      null,
    ],
    [
      'a locked screen',
      {},
      owner({ sources: { value: [seat(1, { locked: { value: true } })] } }),
      'anna active on seat0',
    ],
    [
      'a locked screen that counts as idle',
      { lockedCountsAsIdle: true },
      owner({ sources: { value: [seat(1, { locked: { value: true } })] } }),
      null,
    ],
    [
      'a lock that is not known',
      { lockedCountsAsIdle: true },
      owner({ sources: { value: [seat(1, { locked: UNKNOWN })] } }),
      'anna active on seat0',
    ],
    ['a login', { loginCountsAsUse: true }, owner(), 'anna is logged in on seat0'],
    ['no login', { loginCountsAsUse: true }, owner({ sources: { value: [seat(4000, { user: null })] } }), null],
    [
      'idle time that is not known',
      {},
      owner({}, null),
      'idle time of seat0 is not known (no answer); use = windows if nobody sits at this host',
    ],
    [
      'no sessions known',
      {},
      owner({ sources: UNKNOWN }),
      'who uses this host is not known (no answer); use = windows if nobody sits at this host',
    ],
    [
      'no seat found',
      {},
      owner({ sources: { value: [] } }),
      'no seat or terminal was found by which use could be told; use = windows if nobody sits at this host',
    ],
    [
      'other programs',
      {},
      owner({ otherCpuPercent: { value: 30 } }),
      'other programs use 30 % of the CPU, over other_cpu_percent = 25',
    ],
    [
      'other programs not known',
      {},
      owner({ otherCpuPercent: UNKNOWN }),
      'CPU use of other programs is not known (no answer); other_cpu_percent = 100 if it does not matter',
    ],
    ['other programs that do not matter', { otherCpuPercent: 100 }, owner({ otherCpuPercent: UNKNOWN }), null],
    ['battery', {}, owner({ onMains: { value: false } }), 'on battery, and run_on_battery = no'],
    ['battery that may be used', { runOnBattery: true }, owner({ onMains: { value: false } }), null],
    [
      'mains not known',
      {},
      owner({ onMains: UNKNOWN }),
      'whether it is on mains power is not known (no answer); run_on_battery = yes if it does not matter',
    ],
    [
      'lid',
      { runWithLidClosed: false },
      owner({ lidClosed: { value: true } }),
      'the lid is closed, and run_with_lid_closed = no',
    ],
    ['metered', {}, owner({ metered: { value: true } }), 'the network is metered, and run_on_metered = no'],
    [
      'metered not known',
      {},
      owner({ metered: UNKNOWN }),
      'whether the network is metered is not known (no answer); run_on_metered = yes if it does not matter',
    ],
  ];

  it.each(cases)('%s', (_, config, facts, reason) => {
    const desk = new Desk(overnightConfig(config));
    desk.facts = facts;
    const verdict = desk.look();
    expect(verdict.blockers.map((blocker) => blocker.reason)).toEqual(reason === null ? [] : [reason]);
    expect(verdict.state).toBe(reason === null ? 'open' : 'waiting');
  });

  it('other programs keep interrupted machines down until it was quiet for resume_idle_minutes', () => {
    const desk = busyDesk();
    const compiling = owner({ otherCpuPercent: { value: 90 } });
    desk.after(1, compiling);
    expect(desk.after(10, compiling).state).toBe('suspended');
    expect(desk.after(1, owner()).state).toBe('suspended');
    expect(desk.after(298).state).toBe('suspended');
    desk.after(1, compiling);
    expect(desk.after(1, owner()).state).toBe('suspended');
    expect(desk.after(288).state).toBe('suspended');
    expect(desk.after(1).state).toBe('stopping');
  });

  it('the owner pauses it, and it goes on by itself', () => {
    const desk = busyDesk();
    desk.pause = { who: 'anna', sinceSeconds: MONDAY, untilSeconds: MONDAY + 60 };
    desk.after(10);
    expect(desk.after(10)).toMatchObject({
      state: 'suspended',
      blockers: [{ code: 'paused', reason: 'paused by anna until 20:01' }],
    });
    desk.after(39);
    expect(desk.after(1).state).toBe('suspended');
    expect(desk.after(300).state).toBe('open');
  });
});

describe('use =', () => {
  const day = utc('2026-11-23T12:00');

  it.each([
    ['windows', MONDAY, HERE, 'open'],
    ['windows', day, owner(), 'closed'],
    ['idle', day, owner(), 'open'],
    ['idle', day, HERE, 'waiting'],
    ['windows-or-idle', MONDAY, HERE, 'open'],
    ['windows-or-idle', day, owner(), 'open'],
    ['windows-or-idle', day, HERE, 'waiting'],
    ['windows-and-idle', MONDAY, HERE, 'waiting'],
    ['windows-and-idle', day, owner(), 'closed'],
  ] as const)('%s at %i', (use, nowSeconds, facts, state) => {
    const desk = new Desk(overnightConfig({ use }));
    desk.facts = facts;
    expect(desk.look({ nowSeconds }).state).toBe(state);
  });

  it('windows-or-idle: who is there at the end of the window has his host then, else machines run on', () => {
    const desk = busyDesk({ use: 'windows-or-idle' });
    const end = utc('2026-11-24T07:30');
    desk.now = end - 3600;
    expect(desk.after(0, owner())).toMatchObject({ state: 'open', goneBySeconds: null });
    expect(desk.after(0, HERE)).toMatchObject({ state: 'open', goneBySeconds: end - 60 });
    desk.now = end;
    expect(desk.after(0, HERE).state).toBe('throttled');
    expect(desk.after(3600, owner()).machines).toBe('run');
  });
});

describe('clocks and restarts', () => {
  it('nothing is opened again by a clock that is set back a little', () => {
    const desk = new Desk();
    desk.now = utc('2026-11-24T07:30');
    expect(desk.look().state).toBe('closed');
    desk.now -= 5;
    expect(desk.look().state).toBe('closed');
    desk.now -= 3600;
    expect(desk.look().state).toBe('open');
  });

  it('a step of the wall clock hastens no step of on_return', () => {
    const desk = busyDesk();
    desk.after(0, HERE);
    desk.now += 5000;
    expect(desk.after(1, HERE).state).toBe('throttled');
  });

  it('a host that slept past its window closes it', () => {
    const desk = busyDesk();
    desk.now = utc('2026-11-24T10:00');
    expect(desk.look()).toMatchObject({ state: 'closed', machines: 'stop' });
  });

  it('a host that slept with machines suspended wakes with the times of on_return where they were', () => {
    const desk = busyDesk();
    desk.after(0, HERE);
    expect(desk.after(60, HERE).state).toBe('suspended');
    // The wall clock ran on, the monotonic one did not; waking counts as input (host/sessions/wake.ts).
    desk.now += 7200;
    expect(desk.after(1, HERE).state).toBe('suspended');
    expect(desk.after(540, HERE).state).toBe('stopping');
  });

  it('after a restart of vacd machines stay suspended while the owner is there, and the time to their stop runs on', () => {
    const desk = new Desk();
    desk.machines = 3;
    desk.suspendedSinceSeconds = MONDAY - 500;
    desk.facts = HERE;
    expect(desk.look()).toMatchObject({ state: 'suspended', sinceSeconds: MONDAY - 500 });
    expect(desk.after(89, HERE).state).toBe('suspended');
    expect(desk.after(1, HERE).state).toBe('stopping');
  });

  it('after a restart of vacd with the owner gone, machines go on once that is sure', () => {
    const desk = new Desk();
    desk.machines = 3;
    desk.suspendedSinceSeconds = MONDAY - 200;
    expect(desk.look().state).toBe('suspended');
    expect(desk.after(300).state).toBe('open');
  });

  it('after a restart of vacd with machines that run and the owner gone, they run on', () => {
    const desk = new Desk();
    desk.machines = 3;
    expect(desk.look().state).toBe('open');
  });

  it('a window that is taken away while it is open closes at once, and one that is given opens', () => {
    const desk = busyDesk();
    const windows = desk.config.windows;
    desk.config = { ...desk.config, windows: windowSchedule.parse('mon 22:00-23:00')! };
    expect(desk.after(1)).toMatchObject({ state: 'closed', reason: 'the window is closed; it opens 22:00' });
    desk.config = { ...desk.config, windows };
    expect(desk.after(1).state).toBe('open');
  });
});

/** In Central Europe. */
const NIGHTS_OF_CHANGE = [utc('2026-03-29T01:00'), utc('2026-10-25T01:00')];

/** Any facts, some of them not known. */
const sensed = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 8, arbitrary: value.map((known) => ({ value: known })) }, fc.constant(UNKNOWN));
const anyFacts: fc.Arbitrary<OwnerFacts> = fc.record({
  sources: sensed(
    fc.array(
      fc.constantFrom(0, 0, 200, 400, 1000, 5000, null).map((idle) => seat(idle)),
      { maxLength: 2 },
    ),
  ),
  otherCpuPercent: sensed(fc.constantFrom(1, 1, 1, 60)),
  onMains: sensed(fc.constantFrom(true, true, false)),
  lidClosed: sensed(fc.boolean()),
  metered: sensed(fc.constantFrom(false, false, true)),
});

describe('whatever sensors and clocks do', () => {
  const step = fc.record({
    seconds: fc.constantFrom(0, 1, 2, 30, 61, 300, 901, 4000),
    jump: fc.constantFrom(0, 0, 0, 0, -5, -100_000, 30_000),
    machines: fc.constantFrom(0, 1, 8),
    facts: fc.oneof(fc.constant(owner()), fc.constant(HERE), anyFacts),
  });

  it('nothing runs outside the policy, each state has its reason, and unknown counts as in use', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const desk = new Desk();
        const calendar = calendarOf(desk.config);
        let lastAgainst = Number.NEGATIVE_INFINITY;
        let known: OvernightVerdict | null = null;
        for (const { seconds, jump, machines, facts } of steps) {
          desk.now += jump;
          desk.machines = machines;
          const verdict = desk.after(seconds, facts);
          const sources = 'value' in facts.sources ? facts.sources.value : [];
          const ages = sources.map(({ idleForSeconds: idle }) => ('value' in idle ? idle.value : 0));
          const unknown = [facts.otherCpuPercent, facts.onMains, facts.metered].some((fact) => 'unknown' in fact);
          const used = JSON.stringify([facts.otherCpuPercent, facts.onMains, facts.metered]);
          const against = unknown || ages.length === 0 || used !== '[{"value":1},{"value":true},{"value":false}]';
          const idle = ages.length === 0 ? 0 : Math.min(...ages);
          if (against) lastAgainst = desk.steady;
          // The calendar may hold on to a time up to a quarter of an hour ahead of a clock that was set back.
          const mayBeOpen = [0, 5, 900].some((ahead) => calendar.at(desk.now + ahead).open);

          assert.notEqual(verdict.reason, '');
          if (verdict.mayStart) assert(mayBeOpen && !against && idle >= 900, verdict.reason);
          if (verdict.machines === 'run' || verdict.machines === 'throttle') assert(mayBeOpen, verdict.reason);
          if (against || idle < 300) assert.notEqual(verdict.machines, 'run');
          const wasDown = known !== null && !['open', 'running'].includes(known.state) && machines > 0;
          if (wasDown && verdict.machines === 'run' && known?.state !== 'closed') {
            assert(desk.steady - lastAgainst >= 300, verdict.reason);
          }
          if (known?.state === verdict.state) assert.equal(verdict.sinceSeconds, known.sinceSeconds);
          known = verdict;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('over a year, by the minute around both changes of clocks, machines run in windows while nobody is there, and never else', () => {
    const zone = { timeZone: 'Europe/Berlin', onReturn: returnSteps.parse('suspend 0s, stop 10m')! };
    const desk = new Desk(overnightConfig(zone));
    const local = new Intl.DateTimeFormat('en-GB', { timeZone: zone.timeZone, hour: 'numeric', hourCycle: 'h23' });
    const end = utc('2027-01-01T00:00');
    let [ran, opened, before, isEvening, step] = [0, 0, 'open', false, 60];
    for (desk.now = utc('2026-01-01T00:00'); desk.now < end; desk.now += step) {
      desk.steady += step;
      step = NIGHTS_OF_CHANGE.some((night) => Math.abs(desk.now - night) < 2 * 86_400) ? 60 : 900;
      // Somebody works late, from 21:00 to 22:00; the day's work is before 19:00.
      if (desk.now % 900 === 0) isEvening = local.format(desk.now * 1000) === '21';
      desk.facts = isEvening ? HERE : GONE;
      desk.machines = before === 'open' ? 4 : desk.machines;
      const { state, machines } = desk.look();
      const { open } = calendarOf(desk.config).at(desk.now);
      if (machines === 'run') {
        assert(open && !isEvening, `${new Date(desk.now * 1000).toISOString()}: ${state}`);
        ran += step;
      }
      if (state === 'open' && before === 'closed') opened += 1;
      if (state === 'closed' || state === 'stopping') desk.machines = 0;
      before = state;
    }
    expect(opened).toBe(261);
    expect(ran / 3600).toBeGreaterThan(5000);
  });

  it('inputs that flap every second suspend machines once, and resume them once', () => {
    const desk = busyDesk();
    const seen: string[] = [];
    for (let second = 0; second < 1500; second++) {
      const facts = second < 300 && second % 2 === 0 ? owner({ otherCpuPercent: { value: 80 } }) : owner();
      const { state } = desk.after(1, facts);
      if (seen.at(-1) !== state) seen.push(state);
    }
    expect(seen).toEqual(['throttled', 'suspended', 'open']);
  });
});
