/**
 * One run: the parts put together, the scenario's events set, and time let go. Pure but for what it is given; the same
 * scenario and policy give the same run.
 */

import type { Config } from '../config/types.js';
import { VirtualClock } from '../vacquery/virtual-clock.js';
import { factoryName } from './addresses.js';
import { Checker, type CheckerOptions } from './checker.js';
import { SimDaemon } from './daemon.js';
import { fill } from './fill.js';
import { GossipPolicy } from './gossip.js';
import { SimHost } from './host.js';
import { type Measures, Meter, quantile } from './measures.js';
import { Cuts, SimNetwork } from './network.js';
import type { PolicyName, SpacePolicy } from './policy.js';
import { PollingPolicy } from './polling.js';
import { between, stream, untilNext } from './random.js';
import { ReferencePolicy } from './reference.js';
import { type Crash, type Scenario, START_TIME_SECONDS, withShares } from './scenario.js';
import { SpreadPolicy } from './spread.js';
import type { SpreadDelays } from './spread-delays.js';
import { SpreadMeter } from './spread-measure.js';
import { Trace } from './trace.js';
import { WorkQueue } from './work.js';
import type { World } from './world.js';

/** A change of configuration reaches each factory within this. */
const RELOAD_SECONDS = 10;
/** Of all changes of what factories tell, as many as a long run of a large space bears. */
const FOLLOWED = { lookSeconds: 1, changes: 2, viewers: 100 };

export class Simulation {
  readonly clock = new VirtualClock();
  readonly trace = new Trace();
  readonly daemons: readonly SimDaemon[];
  readonly meter: Meter;
  readonly spread: SpreadMeter;
  readonly policy: SpacePolicy;
  readonly queues: ReadonlyMap<string, WorkQueue>;
  readonly cuts: Cuts;
  readonly checker: Checker | null;
  /** Machines made so far. */
  serial = 0;
  private config: Config;
  private sampledSeconds = 0;

  constructor(
    readonly scenario: Scenario,
    policy: PolicyName,
    options: { readonly check?: CheckerOptions; readonly delays?: SpreadDelays } = {},
  ) {
    const { seed, config, types } = scenario;
    this.config = config;
    this.queues = new Map(Object.entries(types).map(([name, { work }]) => [name, new WorkQueue(work)]));
    this.cuts = new Cuts(scenario, this.clock);
    this.meter = new Meter(scenario, this.queues, stream(seed, 'meter'));
    this.policy = this.makePolicy(policy, options.delays ?? null);
    const world: World = {
      scenario,
      clock: this.clock,
      trace: this.trace,
      policy: this.policy,
      queues: this.queues,
      nextSerial: () => {
        this.serial += 1;
        return this.serial;
      },
      watchers: {
        onPass: (factory, state, plan, by) => this.checker?.onPass(factory, state, plan, by),
        onOwnNews: (factory, news) => {
          this.meter.onOwnNews(factory, news, this.nowSeconds);
          this.checker?.onOwnNews(factory, news);
        },
        onUp: (factory, isUp) => {
          this.meter.onUp(factory, isUp);
          this.checker?.onUp(factory, isUp);
        },
        onLooked: (_factory, record, found) => this.meter.onLooked(record, found),
        onStart: () => this.meter.onStart(),
      },
    };
    this.daemons = config.settings.factories.map((_, index) => this.makeDaemon(world, index));
    this.checker = options.check === undefined ? null : new Checker(this, options.check);
    this.spread = new SpreadMeter(this.policy, stream(seed, 'news'), {
      ...FOLLOWED,
      factories: config.settings.factories.length,
    });
    this.spread.begin(this.clock);
    if (scenario.beginsFull) fill(this);
    this.schedule();
  }

  get nowSeconds(): number {
    return this.clock.nowMs() / 1000;
  }

  /** Seconds between two looks at shares and news. */
  get sampleSeconds(): number {
    return Math.min(60, Math.max(5, Math.round(this.scenario.durationSeconds / 600)));
  }

  get isOver(): boolean {
    return this.nowSeconds >= this.scenario.durationSeconds;
  }

  /** Lets time go on to the next sample; false when the run is over. */
  step(): boolean {
    if (this.isOver) return false;
    const nextSeconds = Math.min(this.scenario.durationSeconds, this.sampledSeconds + this.sampleSeconds);
    this.clock.runUntil(nextSeconds * 1000);
    this.sampledSeconds = nextSeconds;
    this.meter.sample(nextSeconds, this.policy);
    this.checker?.look();
    return true;
  }

  measures(wallSeconds: number): Measures {
    const newsAge = quantile(this.spread.delays, 0.99);
    return this.meter.result(this.policy.sent(), this.nowSeconds, wallSeconds, newsAge);
  }

  private makePolicy(name: PolicyName, delays: SpreadDelays | null): SpacePolicy {
    const { seed } = this.scenario;
    switch (name) {
      case 'polling':
        return new PollingPolicy(this.clock, new SimNetwork(this.scenario, this.clock, stream(seed, 'network')));
      case 'reference':
        return new ReferencePolicy(this.clock, this.cuts, this.scenario.config, this.scenario.network.lossRate);
      case 'gossip':
        if (delays !== null) return new SpreadPolicy(this.scenario, this.clock, this.cuts, delays);
        return new GossipPolicy(this.scenario, this.clock, this.cuts, stream(seed, 'network'));
    }
  }

  private makeDaemon(world: World, index: number): SimDaemon {
    const { seed, host: model, types, maxSkewSeconds, blackHoles } = this.scenario;
    const skewSeconds =
      maxSkewSeconds === 0 ? 0 : between(stream(seed, 'skew', index), -maxSkewSeconds, maxSkewSeconds);
    const host: SimHost = new SimHost({
      clock: this.clock,
      rng: stream(seed, 'host', index),
      model,
      types,
      queues: this.queues,
      isBlackHole: blackHoles.includes(index),
      nowSeconds: () => Math.floor(START_TIME_SECONDS + skewSeconds + this.nowSeconds),
      events: {
        onLooked: (record, found) => world.watchers.onLooked(index, record, found),
        onDomains: () => daemon.listSoon(),
      },
    });
    const daemon: SimDaemon = new SimDaemon({
      world,
      index,
      name: this.scenario.config.settings.factories[index] ?? factoryName(index),
      host,
      rng: stream(seed, 'daemon', index),
      seed: Math.floor(stream(seed, 'passes', index)() * 2 ** 32),
      skewSeconds,
    });
    return daemon;
  }

  private schedule(): void {
    const { scenario } = this;
    for (const { atSeconds, shares } of scenario.shareChanges) {
      this.at(atSeconds, () => this.reload(withShares(this.config, shares)));
    }
    this.daemons.forEach((daemon, index) => {
      const rng = stream(scenario.seed, 'faults', index);
      this.at(rng() * scenario.startSpreadSeconds, () => daemon.start());
      this.restartNowAndThen(daemon, rng);
      this.crashAsTold(
        daemon,
        scenario.crashes.filter(({ factory }) => factory === index),
      );
    });
  }

  /** One more crash than the scenario has. */
  crashAt(factory: number, atSeconds: number, downSeconds: number): void {
    this.at(atSeconds, () => this.crash(this.daemons[factory]!, 'vacd', downSeconds));
  }

  private restartNowAndThen(daemon: SimDaemon, rng: () => number): void {
    const waitSeconds = untilNext(this.scenario.restartsPerHour / 3600, rng);
    if (this.nowSeconds + waitSeconds >= this.scenario.durationSeconds) return;
    this.at(this.nowSeconds + waitSeconds, () => {
      this.crash(daemon, 'vacd', between(rng, ...this.scenario.downSeconds));
      this.restartNowAndThen(daemon, rng);
    });
  }

  private crashAsTold(daemon: SimDaemon, crashes: readonly Crash[]): void {
    const atEffects = new Map<number, Crash>();
    for (const crash of crashes) {
      if ('effect' in crash.at) atEffects.set(crash.at.effect, crash);
      else this.at(crash.at.seconds, () => this.crash(daemon, crash.what, crash.downSeconds));
    }
    daemon.onEffect = (effect) => {
      const crash = atEffects.get(effect);
      if (crash === undefined) return false;
      this.crash(daemon, crash.what, crash.downSeconds);
      return true;
    };
  }

  private crash(daemon: SimDaemon, what: Crash['what'], downSeconds: number): void {
    if (!daemon.isUp) return;
    daemon.die();
    if (what === 'host') daemon.host.reboot();
    this.at(this.nowSeconds + downSeconds, () => daemon.start());
  }

  private reload(config: Config): void {
    this.config = config;
    this.meter.onConfig(config);
    this.checker?.trouble();
    this.daemons.forEach((daemon, index) => {
      const waitSeconds = stream(this.scenario.seed, 'reload', index)() * RELOAD_SECONDS;
      this.at(this.nowSeconds + waitSeconds, () => daemon.setConfig(config));
    });
  }

  private at(seconds: number, run: () => void): void {
    this.clock.at(seconds * 1000, run);
  }
}
