/**
 * A whole run of one policy on one scenario: measured first where each datagram cannot be simulated, then run to its end.
 * Synchronous and without side effects but for what it reports, so it may run in a thread of its own.
 */

import { STRICT } from './checker.js';
import type { GossipPolicy } from './gossip.js';
import type { Measures, Sample } from './measures.js';
import type { PolicyName } from './policy.js';
import { stream } from './random.js';
import type { Scenario } from './scenario.js';
import { Simulation } from './simulation.js';
import { delayAt, quantilesOf, type SpreadDelays } from './spread-delays.js';
import { SpreadMeter } from './spread-measure.js';

export interface Job {
  readonly scenario: Scenario;
  readonly policy: PolicyName;
  /** True: every datagram of the gossip is simulated, however many there are. */
  readonly exact: boolean;
}

export interface RunProgress {
  readonly policy: PolicyName;
  /** `measuring` comes before `running`, where it comes at all. */
  readonly stage: 'measuring' | 'running';
  /** Of the stage, 0 to 1. */
  readonly part: number;
}

export interface RunResult {
  readonly policy: PolicyName;
  readonly measures: Measures;
  readonly samples: readonly Sample[];
  /** Machinetypes, in the order of the samples' figures. */
  readonly types: readonly string[];
  /** How the gossip was simulated; null: there was none. */
  readonly gossip: GossipAccount | null;
  /** What was violated (checker.ts); empty when all is well. */
  readonly problems: readonly string[];
  /** Two runs with one digest were the same, event by event. */
  readonly digest: string;
  readonly events: number;
}

export interface GossipAccount {
  /** Datagrams that were simulated one by one. */
  readonly datagrams: number;
  /** Null: all of them. Else over how long, and in a space of how many factories, the spreading of news was measured. */
  readonly measured: { readonly seconds: number; readonly factories: number } | null;
}

/** With more datagrams than this the spreading of news is measured, and the rest of the run lives on that. */
const MAX_EXACT_DATAGRAMS = 2_000_000;
/** What a factory sends in a second, about (gossip-limits.ts). */
const DATAGRAMS_PER_SECOND = 2.5;
const MEASURED_DATAGRAMS = 300_000;
const MIN_MEASURED_SECONDS = 90;
const MAX_MEASURED_SECONDS = 600;
/** Before that no datagram arrives; then all are told of all, which is too old by then to be passed on (gossip-limits.ts). */
const INTRODUCED_SECONDS = 30;
/** Until all have found that they know what the others know, they are waited for, so long at most. */
const MAX_JOINING_SECONDS = 120;
/** Until it does not matter any more that all were told of all at one moment. */
const WARM_SECONDS = 60;
/** Daemons that are started again while it is measured, to see how long one takes to hear a space that runs. */
const RESTARTED = 10;
/** In a larger space each factory would have to hear all others first: its news spreads as in one of this size, or slower by the logarithm. */
const MAX_MEASURED_FACTORIES = 1_000;
/** Of all passes of all loops, one in so many is checked in a large run. */
const CHECK_EVERY_PASSES = 20;
const CHECK_EVERY_LOOKS = 10;
const PROGRESS_MS = 200;

export function runJob({ scenario, policy, exact }: Job, onProgress: (progress: RunProgress) => void): RunResult {
  const beganMs = performance.now();
  const report = throttled(onProgress, policy);
  const factories = scenario.config.settings.factories.length;
  const expected = factories * DATAGRAMS_PER_SECOND * scenario.durationSeconds;
  const isMeasured = policy === 'gossip' && !exact && expected > MAX_EXACT_DATAGRAMS;
  const delays = isMeasured ? measureSpread(scenario, (part) => report('measuring', part)) : null;
  const check = { ...STRICT, newsSeconds: 60, everyPasses: CHECK_EVERY_PASSES, everyLooks: CHECK_EVERY_LOOKS };
  const simulation = new Simulation(scenario, policy, { check, ...(delays === null ? {} : { delays: delays.delays }) });
  while (simulation.step()) report('running', simulation.nowSeconds / scenario.durationSeconds);
  const measures = simulation.measures((performance.now() - beganMs) / 1000);
  return {
    policy,
    measures: delays === null ? measures : { ...measures, ...agesOf(delays.delays) },
    samples: simulation.meter.samples,
    types: simulation.meter.typeNames,
    gossip:
      policy !== 'gossip'
        ? null
        : delays === null
          ? { datagrams: simulation.policy.sent().datagrams, measured: null }
          : { datagrams: delays.datagrams, measured: { seconds: delays.seconds, factories: delays.factories } },
    problems: simulation.checker?.problems ?? [],
    digest: simulation.trace.digest(),
    events: simulation.trace.events,
  };
}

interface MeasuredSpread {
  readonly delays: SpreadDelays;
  readonly datagrams: number;
  readonly seconds: number;
  readonly factories: number;
}

/** Runs the real gossip on the beginning of the scenario, or of one like it with fewer factories. */
export function measureSpread(scenario: Scenario, onPart: (part: number) => void): MeasuredSpread {
  const all = scenario.config.settings.factories;
  const factories = Math.min(all.length, MAX_MEASURED_FACTORIES);
  const seconds = Math.min(
    MAX_MEASURED_SECONDS,
    Math.max(MIN_MEASURED_SECONDS, MEASURED_DATAGRAMS / (factories * DATAGRAMS_PER_SECOND)),
  );
  const settings = { ...scenario.config.settings, factories: all.slice(0, factories) };
  const mostSeconds = MAX_JOINING_SECONDS + WARM_SECONDS + seconds;
  const beginning = { cuts: [], shareChanges: [], crashes: [], durationSeconds: mostSeconds, everyTick: false };
  const simulation = new Simulation({ ...scenario, ...beginning, config: { ...scenario.config, settings } }, 'gossip');
  const gossip = simulation.policy as GossipPolicy;
  gossip.network.isDown = true;
  simulation.clock.at(INTRODUCED_SECONDS * 1000, () => {
    gossip.network.isDown = false;
    gossip.introduceAll();
  });
  while (simulation.nowSeconds < MAX_JOINING_SECONDS && !gossip.haveAllJoined()) {
    onPart(simulation.nowSeconds / mostSeconds);
    simulation.step();
  }
  const warmSeconds = simulation.nowSeconds + WARM_SECONDS;
  while (simulation.nowSeconds < warmSeconds) {
    onPart(simulation.nowSeconds / mostSeconds);
    simulation.step();
  }
  const joinedSeconds = simulation.nowSeconds;
  const endSeconds = joinedSeconds + seconds;
  const before = gossip.sent();
  simulation.meter.forgetAges();
  const joinedBefore = gossip.joiningSeconds.length;
  const meter = new SpreadMeter(gossip, stream(scenario.seed, 'spread'), {
    factories,
    lookSeconds: 0.25,
    changes: 20,
    viewers: factories,
  });
  for (let number = 0; number < Math.min(RESTARTED, factories); number += 1) {
    const atSeconds = joinedSeconds + (seconds * (number + 0.5)) / RESTARTED;
    simulation.crashAt(Math.floor((number * factories) / RESTARTED), atSeconds, 2);
  }
  meter.begin(simulation.clock);
  while (simulation.nowSeconds < endSeconds && simulation.step()) {
    onPart(1 - (endSeconds - simulation.nowSeconds) / mostSeconds);
  }
  const sent = gossip.sent();
  const measuredSeconds = simulation.nowSeconds - joinedSeconds;
  const perMinute = (count: number) => ((count * 60) / measuredSeconds) * (all.length / factories);
  const slower = factories < 2 ? 1 : Math.log(all.length) / Math.log(factories);
  const age = simulation.measures(0).heardAgeP99Seconds;
  return {
    delays: {
      news: quantilesOf(meter.delays).map((delay) => delay * slower),
      joining: quantilesOf(gossip.joiningSeconds.slice(joinedBefore), 100),
      datagramsPerMinute: perMinute(sent.datagrams - before.datagrams),
      bytesPerMinute: perMinute(sent.bytes - before.bytes),
      heardAgeP99Seconds: age === null ? null : age * slower,
    },
    datagrams: sent.datagrams,
    seconds: measuredSeconds,
    factories,
  };
}

function agesOf({ news, heardAgeP99Seconds }: SpreadDelays) {
  return { newsAgeP99Seconds: news.length === 0 ? null : delayAt(news, 0.99), heardAgeP99Seconds };
}

/** Not more often than a person can see. */
function throttled(onProgress: (progress: RunProgress) => void, policy: PolicyName) {
  let toldMs = Number.NEGATIVE_INFINITY;
  return (stage: RunProgress['stage'], part: number): void => {
    const nowMs = performance.now();
    if (nowMs - toldMs < PROGRESS_MS && part < 1) return;
    toldMs = nowMs;
    onProgress({ policy, stage, part });
  };
}
