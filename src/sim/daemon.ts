/**
 * A model of vacd around the real decision: its memory and its loop. It dies and comes back like the real one: what it
 * remembers is lost then, what is in the directories is found again. What it sees is in picture.ts, what its actions do
 * in perform.ts, and when its loop runs without a reason in ticks.ts.
 */

import type { Config } from '../config/types.js';
import { ownNews } from '../factory/news.js';
import type { Plan } from '../factory/plan.js';
import type {
  CreationFailure,
  EarlyDeaths,
  FactoryState,
  LastEnd,
  MachineRecord,
  MachinetypeNews,
} from '../factory/types.js';
import { sumUses, type Uses } from '../factory/use.js';
import type { SimHost } from './host.js';
import { SimMachine } from './machine.js';
import { perform } from './perform.js';
import { factoryState, takeListing } from './picture.js';
import type { AgentDisk, SpaceAgent, Speaker } from './policy.js';
import { passRandom, type Rng } from './random.js';
import { START_TIME_SECONDS } from './scenario.js';
import { Ticks } from './ticks.js';
import { NO_USES, SimUse } from './use.js';
import type { World } from './world.js';

/** From a change of domains, or a start of vacd, until a listing of domains has been taken in. */
const LISTING_MS = 200;

export interface DaemonParts {
  readonly world: World;
  readonly index: number;
  readonly name: string;
  readonly host: SimHost;
  readonly rng: Rng;
  readonly seed: number;
  readonly skewSeconds: number;
}

export class SimDaemon implements Speaker {
  readonly index: number;
  readonly name: string;
  readonly rng: Rng;
  readonly host: SimHost;
  readonly disk: AgentDisk = { incarnation: null };
  private readonly use: SimUse;
  config: Config;

  readonly machines = new Map<string, SimMachine>();
  readonly creationFailures = new Map<string, CreationFailure>();
  readonly slotFailures = new Map<number, CreationFailure>();
  readonly earlyDeaths = new Map<string, EarlyDeaths>();
  readonly lastEnds = new Map<string, LastEnd>();
  readonly zombiesBusy = new Set<string>();
  agent: SpaceAgent | null = null;

  /** When what it tells of itself last changed, and since when it has had a processor to give; seconds of the run. */
  newsChangedSeconds = 0;
  idleSinceSeconds: number | null = 0;
  /** Asked before each effect of its own doing, counted over all its lives; true: vacd has been made to die. */
  onEffect: ((effect: number) => boolean) | null = null;

  /** One object for each life: what is under way in an earlier one comes to nothing. */
  private life: object | null = null;
  private ticks: Ticks | null = null;
  private effects = 0;
  /** Cleared in the very second of their creation: their names are taken until it is over. */
  private justCleared: SimMachine[] = [];
  /** Domains that nothing explains, as last listed; null before the first listing of this life. */
  private unexplained: readonly MachineRecord[] | null = null;
  private passWanted = false;
  private listingWanted = false;
  private machineList: readonly SimMachine[] | null = null;
  private news: readonly MachinetypeNews[] | null = null;

  constructor(readonly parts: DaemonParts) {
    this.index = parts.index;
    this.name = parts.name;
    this.rng = parts.rng;
    this.host = parts.host;
    this.config = parts.world.scenario.config;
    this.use = new SimUse(this.config);
  }

  get isUp(): boolean {
    return this.life !== null;
  }

  /** As many as processors. */
  get slots(): number {
    return this.config.settings.totalProcessors ?? 1;
  }

  nowSeconds(): number {
    return START_TIME_SECONDS + this.parts.skewSeconds + this.parts.world.clock.nowMs() / 1000;
  }

  start(): void {
    const { world, index } = this.parts;
    this.life = {};
    for (const directory of this.host.directories.values()) {
      const machine = new SimMachine(directory);
      this.machines.set(machine.record.id, machine);
      this.newsWhenProven(machine);
    }
    for (const [machinetype, end] of this.host.finishes) this.lastEnds.set(machinetype, end);
    this.ticks = new Ticks(world.clock, world.clock.nowMs(), this.wake);
    if (world.scenario.everyTick) this.ticks.always();
    world.trace.add('restart', world.clock.nowMs(), index, this.machines.size);
    world.watchers.onUp(index, true);
    this.agent = world.policy.begin(this);
    this.newsChanged();
    this.listSoon();
  }

  /** What holds before vacd first starts: its machines run already. */
  tellWatchers(): void {
    const { world, index } = this.parts;
    const machines = [...this.host.directories.values()].map((directory) => new SimMachine(directory));
    const news = this.config.machinetypes.map(({ name }) =>
      ownNews(this.name, name, machines, this.host.finishes, Math.floor(this.nowSeconds())),
    );
    world.watchers.onOwnNews(index, news);
  }

  /** All that only this process knew is gone. */
  die(): void {
    if (this.life === null) return;
    const { world, index } = this.parts;
    world.trace.add('crash', world.clock.nowMs(), index, this.effects);
    this.life = null;
    this.agent?.die();
    this.agent = null;
    this.ticks?.stop();
    this.passWanted = false;
    this.listingWanted = false;
    for (const known of [this.machines, this.creationFailures, this.slotFailures, this.earlyDeaths, this.lastEnds]) {
      known.clear();
    }
    this.zombiesBusy.clear();
    this.justCleared = [];
    this.unexplained = null;
    this.machineList = null;
    this.news = null;
    world.watchers.onUp(index, false);
  }

  setConfig(config: Config): void {
    this.config = config;
    this.use.weighBy(config);
    if (!this.isUp) return;
    this.newsChanged();
    this.wake();
  }

  /** Runs later in this life of vacd; it may die just before instead. */
  after(delayMs: number, effect: () => void): void {
    const { life } = this;
    const { clock } = this.parts.world;
    clock.at(clock.nowMs() + delayMs, () => {
      if (this.life !== life) return;
      this.effects += 1;
      if (this.onEffect?.(this.effects)) return;
      effect();
    });
  }

  /** Asks for a pass now; many wishes make one. */
  readonly wake = (): void => {
    if (this.passWanted || this.life === null) return;
    this.passWanted = true;
    const { life } = this;
    const { clock } = this.parts.world;
    clock.at(clock.nowMs(), () => {
      if (this.life !== life) return;
      this.passWanted = false;
      this.pass();
    });
  };

  newsHeard(): void {
    if (this.hasRoom) this.wake();
  }

  /** libvirt told of a change; or vacd itself wants to know. */
  listSoon(): void {
    if (this.listingWanted || this.life === null) return;
    this.listingWanted = true;
    this.after(LISTING_MS, () => {
      this.listingWanted = false;
      const { host, machines } = this;
      this.unexplained = takeListing({ host, machines, nowSeconds: Math.floor(this.nowSeconds()) });
      this.wake();
    });
  }

  ownNews(): readonly MachinetypeNews[] {
    this.news ??= this.config.machinetypes.map(({ name }) =>
      ownNews(this.name, name, this.list(), this.lastEnds, Math.floor(this.nowSeconds())),
    );
    return this.news;
  }

  ownUses(): Uses | null {
    return this.use.uses(this.parts.world.clock.nowMs());
  }

  /** Of the whole space as far as it is known here; empty without history. */
  spaceUses(): Uses {
    const own = this.ownUses();
    return own === null ? NO_USES : sumUses(own, this.agent!.peerUses());
  }

  newsChanged(): void {
    const { world, index } = this.parts;
    this.news = null;
    this.newsChangedSeconds = world.clock.nowMs() / 1000;
    this.idleSinceSeconds = this.hasRoom ? (this.idleSinceSeconds ?? this.newsChangedSeconds) : null;
    world.watchers.onOwnNews(index, this.ownNews());
    this.use.runs(this.ownNews(), world.clock.nowMs());
    this.agent?.ownNewsChanged();
  }

  /** A machine that is old enough to have found work is news without any event. */
  newsWhenProven({ startedTimeSeconds, record }: SimMachine): void {
    if (startedTimeSeconds === null) return;
    const waitSeconds = startedTimeSeconds + record.fizzleSeconds - this.nowSeconds();
    if (waitSeconds > 0) this.after(Math.ceil(waitSeconds * 1000), () => this.newsChanged());
  }

  add(machine: SimMachine): void {
    this.machines.set(machine.record.id, machine);
    this.machineList = null;
  }

  cleared(machine: SimMachine): void {
    this.machines.delete(machine.record.id);
    this.machineList = null;
    if (machine.record.createdTimeSeconds >= Math.floor(this.nowSeconds())) this.justCleared.push(machine);
  }

  private list(): readonly SimMachine[] {
    this.machineList ??= [...this.machines.values()];
    return this.machineList;
  }

  /** Whether it has a processor to give to a machine. */
  get hasRoom(): boolean {
    let held = 0;
    for (const machine of this.list()) if (machine.isLiving) held += machine.record.processors;
    return held < this.slots;
  }

  private pass(): void {
    const { world, seed, index } = this.parts;
    const nowSeconds = Math.floor(this.nowSeconds());
    this.justCleared = this.justCleared.filter(({ record }) => record.createdTimeSeconds >= nowSeconds);
    const machines = this.justCleared.length === 0 ? this.list() : [...this.list(), ...this.justCleared];
    const state = factoryState(this, machines, this.unexplained);
    const plan = this.agent!.plan(state, this.config, passRandom(seed, world.clock.nowMs()));
    world.watchers.onPass(index, state, plan, this.config);
    for (const action of plan.actions) perform(this, action);
    if (!world.scenario.everyTick) this.ticks!.at(this.dueMs(state, plan));
  }

  /** When something may be due that no event will tell of. */
  private dueMs(state: FactoryState, plan: Plan): number {
    const soonSeconds = state.nowSeconds + 1;
    let dueSeconds = Number.POSITIVE_INFINITY;
    for (const machine of this.list()) {
      if (machine.phase !== 'running' || machine.busy) continue;
      if (machine.stop === null) dueSeconds = Math.min(dueSeconds, machine.shutdownTimeSeconds);
      else if (machine.stopAskedAtMs !== null) dueSeconds = Math.min(dueSeconds, soonSeconds);
    }
    // Waits of types that may not start now end at times that only the decision knows.
    if (this.hasRoom && this.agent!.startsAtAnyTime && plan.standstill === null) {
      dueSeconds = Math.min(dueSeconds, soonSeconds);
    }
    return (dueSeconds - this.parts.skewSeconds - START_TIME_SECONDS) * 1000;
  }
}
