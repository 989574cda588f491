/**
 * One desktop of the model in overnight mode: its owner, what sensors tell, the real policy and the real decision, and
 * machines that do jobs. Time goes from event to event; between two of them nothing changes but ages.
 */

import type { Config, MachinetypeConfig } from '../config/types.js';
import { decide } from '../factory/decide.js';
import { checkInvariants } from '../factory/invariants.js';
import { NO_ORDERS } from '../factory/orders.js';
import { nextOvernight, spreadPart } from '../factory/overnight.js';
import type { Calendar } from '../factory/overnight-calendar.js';
import type {
  OvernightConfig,
  OvernightState,
  OvernightVerdict,
  OwnerFacts,
  OwnerSource,
} from '../factory/overnight-types.js';
import type { Action, ActionOf } from '../factory/plan.js';
import type { FactoryState, Machine } from '../factory/types.js';
import { newRecord } from '../machines/record.js';
import { noFigures } from './desktop-figures.js';
import { type Guest, resumedFrom, startingMachine, suspendedBy } from './desktop-guest.js';
import { type OwnerWeek, type Span, SpanCursor } from './desktop-owner.js';
import { healthyHost } from './healthy-host.js';
import { SUPPORTED_MODELS } from './models.js';
import { draw, type Rng } from './random.js';

/** From a key that is pressed to the loop that knows; evdev wakes it. */
const INPUT_LATENCY = 0.2;
/** CPU of other programs is measured over so long. */
const CPU_LATENCY = 10;
/** Until libvirt has suspended or resumed a machine, with the others at the same time; until it has ended one. */
const SUSPEND_SECONDS = 0.3;
const END_SECONDS = 0.5;
/** Until libvirt has a new machine, and until that has booted and fetched its first job. */
const CREATE_SECONDS = 3;
const BOOT_SECONDS = 90;
/** A guest that is asked to stop by ACPI. */
const ACPI_SECONDS = 8;
/** A pilot takes no job that would hardly be done so long before its shutdowntime (SPEC 5). */
const PILOT_MARGIN = 600;
/** The longest time between two looks. */
const LOOK_SECONDS = 300;
const JOB = { median: 3600, sigma: 0.5, min: 300, max: 6 * 3600 };

export interface DesktopParts {
  readonly name: string;
  readonly config: Config;
  readonly overnight: OvernightConfig;
  readonly calendar: Calendar;
  readonly slots: number;
  readonly owner: OwnerWeek;
  /** Unix time at which the run begins, and its length. */
  readonly startSeconds: number;
  readonly seconds: number;
  readonly rng: Rng;
}

export class Desktop {
  readonly figures = noFigures();
  /** What was violated, a line each. */
  readonly problems: string[] = [];
  private now = 0;
  private state: OvernightState | null = null;
  private verdict: OvernightVerdict | null = null;
  private readonly guests = new Map<string, Guest>();
  private effects: { readonly at: number; readonly apply: () => void }[] = [];
  /** When each machine was asked to stop by ACPI. */
  private readonly askedAt = new Map<string, number>();
  private readonly real: Readonly<Record<keyof OwnerWeek, SpanCursor>>;
  /** The same as sensors tell it, a little later. */
  private readonly sensed: Readonly<Record<'desk' | 'remote' | 'programs', SpanCursor>>;
  private readonly cursors: readonly SpanCursor[];
  private usedSince: number | null = null;

  constructor(private readonly parts: DesktopParts) {
    const { desk, remote, programs, present } = parts.owner;
    const late = (spans: readonly Span[], seconds: number) =>
      new SpanCursor(spans.map(({ start, end }) => ({ start: start + seconds, end: end + seconds })));
    this.real = {
      desk: new SpanCursor(desk),
      remote: new SpanCursor(remote),
      programs: new SpanCursor(programs),
      present: new SpanCursor(present),
    };
    this.sensed = {
      desk: late(desk, INPUT_LATENCY),
      remote: late(remote, INPUT_LATENCY),
      programs: late(programs, CPU_LATENCY),
    };
    this.cursors = [...Object.values(this.real), ...Object.values(this.sensed)];
  }

  run(): void {
    while (this.now < this.parts.seconds) {
      this.pass();
      const to = Math.min(this.parts.seconds, this.nextEvent());
      this.advance(to - this.now);
      this.now = to;
      const due = this.effects.filter(({ at }) => at <= this.now);
      this.effects = this.effects.filter(({ at }) => at > this.now);
      for (const { apply } of due) apply();
    }
  }

  private after(seconds: number, apply: () => void): void {
    this.effects.push({ at: this.now + seconds, apply });
  }

  private nextEvent(): number {
    const { startSeconds } = this.parts;
    const times = [this.now + LOOK_SECONDS, ...this.effects.map(({ at }) => at)];
    for (const cursor of this.cursors) times.push(cursor.look(this.now).changesAt);
    if (this.verdict?.next != null) times.push(this.verdict.next.timeSeconds - startSeconds);
    for (const { machine, jobLeft, bootLeft } of this.guests.values()) {
      times.push(machine.shutdownTimeSeconds - startSeconds);
      if (machine.domain === 'running')
        times.push(this.now + (bootLeft > 0 ? bootLeft : (jobLeft ?? Number.POSITIVE_INFINITY)));
    }
    for (const asked of this.askedAt.values()) times.push(asked + 30);
    return Math.max(this.now + 0.01, Math.min(...times.filter((time) => time > this.now)));
  }

  /** Machines compute, or do not, for so long. */
  private advance(seconds: number): void {
    const { figures } = this;
    let computing = 0;
    for (const guest of this.guests.values()) {
      if (guest.machine.domain === 'paused') figures.suspendedHours += seconds / 3600;
      if (guest.machine.domain !== 'running') continue;
      computing += 1;
      figures.machineHours += seconds / 3600;
      this.work(guest, seconds);
    }
    const { desk, remote, programs, present } = this.real;
    const used = desk.look(this.now).inside || remote.look(this.now).inside;
    if (!used) this.usedSince = null;
    else this.usedSince ??= this.now;
    if (computing === 0) return;
    if (this.usedSince !== null) {
      figures.sharedSeconds += seconds;
      figures.sharedBeyondFirstSeconds += Math.max(0, seconds - Math.max(0, this.usedSince + 1 - this.now));
    } else if (programs.look(this.now).inside) figures.sharedWithProgramsSeconds += seconds;
    else if (present.look(this.now).inside) figures.besideReaderHours += seconds / 3600;
  }

  private work(guest: Guest, seconds: number): void {
    const booting = Math.min(seconds, guest.bootLeft);
    guest.bootLeft -= booting;
    if (guest.jobLeft === null) return;
    const done = Math.min(guest.jobLeft, seconds - booting);
    guest.jobDone += done;
    guest.jobLeft -= done;
  }

  private pass(): void {
    this.nextJobs();
    const { overnight, calendar, config, rng, startSeconds } = this.parts;
    const nowSeconds = Math.floor(startSeconds + this.now);
    const machines = [...this.guests.values()].map(({ machine }) => this.seen(machine));
    const living = machines.filter(({ phase }) => phase === 'starting' || phase === 'running');
    const { state, verdict } = nextOvernight(this.state, {
      nowSeconds,
      steadySeconds: this.now,
      config: overnight,
      calendar,
      owner: this.facts(),
      pause: null,
      spreadPart: spreadPart(this.parts.name),
      machines: living.length,
      suspendedSinceSeconds: null,
    });
    [this.state, this.verdict] = [state, verdict];
    const facts = this.factoryState(machines, nowSeconds, verdict);
    const plan = decide(facts, config, rng, SUPPORTED_MODELS);
    for (const problem of checkInvariants(facts, plan, config, SUPPORTED_MODELS)) {
      if (this.problems.length < 10) this.problems.push(`${this.parts.name}, ${nowSeconds}: ${problem}`);
    }
    for (const action of plan.actions) this.perform(action, nowSeconds);
  }

  /** Pilots take their next jobs, or end when none would be done in time. */
  private nextJobs(): void {
    for (const guest of this.guests.values()) {
      const { machine } = guest;
      if (machine.domain !== 'running' || machine.phase !== 'running' || guest.bootLeft > 0) continue;
      if (guest.jobLeft !== null && guest.jobLeft > 1e-6) continue;
      if (guest.jobLeft !== null) this.figures.jobHours += guest.jobDone / 3600;
      const left = machine.shutdownTimeSeconds - (this.parts.startSeconds + this.now);
      [guest.jobLeft, guest.jobDone] = [null, 0];
      if (machine.stop === null && left > JOB.median + PILOT_MARGIN) guest.jobLeft = draw(JOB, this.parts.rng);
      else this.gone(guest, '200 Success');
    }
  }

  /** With what a look at the host adds. */
  private seen(machine: Machine): Machine {
    const asked = this.askedAt.get(machine.record.id);
    return asked === undefined ? machine : { ...machine, stopAskedForSeconds: Math.floor(this.now - asked) };
  }

  private facts(): OwnerFacts {
    const { startSeconds } = this.parts;
    const source = (cursor: SpanCursor, name: string, kind: OwnerSource['kind']): OwnerSource => {
      const { inside, since, agoSeconds } = cursor.look(this.now);
      return {
        name,
        kind,
        user: 'owner',
        idleForSeconds: { value: agoSeconds },
        activeSinceSeconds: inside ? Math.floor(startSeconds + since) : null,
        locked: { value: false },
      };
    };
    return {
      sources: { value: [source(this.sensed.desk, 'seat0', 'local'), source(this.sensed.remote, 'ssh', 'remote')] },
      otherCpuPercent: { value: this.sensed.programs.look(this.now).inside ? 60 : 2 },
      onMains: { value: true },
      lidClosed: { value: false },
      metered: { value: false },
    };
  }

  private factoryState(machines: readonly Machine[], nowSeconds: number, overnight: OvernightVerdict): FactoryState {
    const { name, slots } = this.parts;
    return {
      nowSeconds,
      factory: name,
      slots,
      totalProcessors: slots,
      host: healthyHost(slots * 2),
      machines,
      zombies: [],
      blockedSlots: [],
      peers: [],
      uses: new Map(),
      lastEnds: new Map(),
      creationFailures: new Map(),
      slotFailures: new Map(),
      images: new Map(),
      earlyDeaths: new Map(),
      spaceHeard: true,
      queryProblem: null,
      orders: NO_ORDERS,
      overnight,
    };
  }

  private perform(action: Action, nowSeconds: number): void {
    if (action.kind === 'createMachine') {
      this.create(action, nowSeconds);
      return;
    }
    if (!('machine' in action)) throw new Error(`nothing in the model calls for ${action.kind}`);
    const guest = this.guests.get(action.machine)!;
    const change = (changes: Partial<Machine>): void => {
      guest.machine = { ...guest.machine, ...changes };
    };
    const later = (seconds: number, apply: () => void): void => {
      change({ busy: true });
      this.after(seconds, () => {
        change({ busy: false });
        apply();
      });
    };
    switch (action.kind) {
      case 'suspendMachine':
        if (guest.machine.suspension === null) this.figures.suspensions += 1;
        later(SUSPEND_SECONDS, () => change(guest.machine.domain === 'gone' ? {} : suspendedBy(action.suspension)));
        return;
      case 'resumeMachine':
        later(SUSPEND_SECONDS, () => change({ domain: 'running', ...resumedFrom(guest.machine, this.unix()) }));
        return;
      case 'throttleMachine':
        change({ throttled: action.throttled });
        return;
      case 'lowerShutdownTime':
        change({ shutdownTimeSeconds: action.shutdownTimeSeconds });
        return;
      case 'requestStop':
        change({ stop: action.stop });
        this.askedAt.set(action.machine, this.now);
        this.after(ACPI_SECONDS, () => {
          if (guest.machine.domain === 'running') this.kill(guest);
        });
        return;
      case 'destroyMachine':
        change({ stop: action.stop });
        later(END_SECONDS, () => this.kill(guest));
        return;
      case 'endMachine':
        change({ phase: 'ended', end: action.end });
        return;
      case 'clearMachine':
        later(END_SECONDS, () => this.guests.delete(action.machine));
        return;
      default:
        throw new Error(`nothing in the model calls for ${action.kind}`);
    }
  }

  private create(action: ActionOf<'createMachine'>, nowSeconds: number): void {
    const { name, config } = this.parts;
    const type = config.machinetypes.find((candidate) => candidate.name === action.machinetype) as MachinetypeConfig;
    const record = newRecord(name, type, config.settings, { ...action, nowSeconds }, `${action.slot}-${nowSeconds}`);
    const bare = { ...record, heartbeatFile: null };
    const guest: Guest = {
      machine: startingMachine(bare, action.shutdownTimeSeconds),
      jobLeft: null,
      jobDone: 0,
      bootLeft: BOOT_SECONDS,
    };
    this.guests.set(record.id, guest);
    this.figures.starts += 1;
    this.after(CREATE_SECONDS, () => {
      const startedTimeSeconds = Math.floor(this.unix());
      guest.machine = { ...guest.machine, phase: 'running', domain: 'running', busy: false, startedTimeSeconds };
    });
  }

  private unix(): number {
    return this.parts.startSeconds + this.now;
  }

  private kill(guest: Guest): void {
    if (guest.machine.domain === 'gone') return;
    this.figures.kills += 1;
    if (guest.jobLeft !== null) this.figures.lostHours += guest.jobDone / 3600;
    this.gone(guest, null);
  }

  private gone(guest: Guest, shutdownMessage: string | null): void {
    this.askedAt.delete(guest.machine.record.id);
    const goneTimeSeconds = Math.floor(this.unix());
    guest.machine = { ...guest.machine, domain: 'gone', goneTimeSeconds, shutdownMessage };
  }
}
