/**
 * What a run is judged by. It looks on: all it is told changes nothing.
 *
 * A space settles when, for the first time after a change (of work, shares or the network), no type is further from what
 * is wanted than a hundredth of the space. Share errors count from when it first comes within half of that, so that what
 * is measured is what it does then and not how it got there, until the next change; and at the latest from when every
 * machine that ran at the change has ended.
 */

import type { Config } from '../config/types.js';
import type { MachineRecord, MachinetypeNews } from '../factory/types.js';
import type { SpacePolicy } from './policy.js';
import type { Rng } from './random.js';
import type { Scenario } from './scenario.js';
import { LongTermMeter, type LongTermShare } from './use-measure.js';
import { wanted } from './wanted.js';
import { changeTimes, type WorkQueue } from './work.js';

/** A space is settled with no type further off than this part of it, or than so many of its machines. */
const SETTLED_PART = 0.01;
const SETTLED_PROCESSORS = 2;
/** Errors count from when they are first below this part of that. */
const CALM_PART = 0.5;
/** Pairs of factories whose news of each other is looked at in one sample, at most. */
const PAIRS_PER_SAMPLE = 200;

/** The figures of one run; the names, units in them. Null: could not be measured. */
export interface Measures {
  readonly datagramsPerMinute: number;
  readonly bytesPerMinute: number;
  /** How old a change of what a factory tells is when another knows of it: 99 % of all changes and factories. */
  readonly newsAgeP99Seconds: number | null;
  /** How long ago one factory knows another to have been alive with nothing more to tell: 99 % of all pairs and times. */
  readonly heardAgeP99Seconds: number | null;
  readonly shareErrorRms: number | null;
  readonly shareErrorWorst: number | null;
  /** After the share change (the last to settle, of several); without one, after the beginning. Null: it did not settle. */
  readonly settleSeconds: number | null;
  readonly futileStarts: number;
  /** Of a type, for each of its backoff periods without work. */
  readonly futileStartsPerBackoff: number | null;
  readonly idleSlotHours: number;
  readonly starts: number;
  readonly longTermShares: readonly LongTermShare[];
  readonly wallSeconds: number;
}

/** The space at one moment: what each type holds and should hold, as parts of the space. */
export interface Sample {
  readonly atSeconds: number;
  readonly held: readonly number[];
  readonly wanted: readonly number[];
  readonly settled: boolean;
}

export class Meter {
  readonly samples: Sample[] = [];
  readonly typeNames: readonly string[];
  starts = 0;
  futileStarts = 0;
  #config: Config;
  readonly #held: Float64Array;
  readonly #byFactory: { power: Float64Array; processors: number }[];
  readonly #capacity: number;
  #freeProcessors: number;
  readonly #isUp: boolean[];
  #idleProcessorSeconds = 0;
  #withoutWorkBackoffs = 0;
  readonly #longTerm: LongTermMeter;
  #lastSeconds = 0;
  readonly #ages: number[] = [];
  #errors = { squares: 0, count: 0, worst: 0 };
  readonly #changes: readonly number[];
  readonly #settleLimitSeconds: number;
  #changeIndex = 0;
  #isSettled = false;
  readonly #settleTimes = new Map<number, number>();

  constructor(
    private readonly scenario: Scenario,
    private readonly queues: ReadonlyMap<string, WorkQueue>,
    private readonly rng: Rng,
  ) {
    const { config, types, shareChanges, cuts } = scenario;
    const { settings } = config;
    const factories = Math.max(1, settings.factories.length);
    const slots = settings.totalProcessors ?? 1;
    this.#config = config;
    this.typeNames = config.machinetypes.map(({ name }) => name);
    this.#held = new Float64Array(this.typeNames.length);
    this.#longTerm = new LongTermMeter(this.typeNames, scenario.durationSeconds);
    this.#byFactory = Array.from({ length: factories }, () => ({
      power: new Float64Array(this.typeNames.length),
      processors: 0,
    }));
    this.#isUp = Array(factories).fill(false);
    this.#freeProcessors = factories * slots;
    this.#capacity = factories * slots * (settings.hs06PerProcessor ?? 1);
    this.#changes = [
      0,
      ...changeTimes(Object.values(types).map(({ work }) => work)),
      ...shareChanges.map(({ atSeconds }) => atSeconds),
      ...cuts.flatMap(({ fromSeconds, toSeconds }) => [fromSeconds, toSeconds]),
    ]
      .filter((time) => time < scenario.durationSeconds)
      .sort((a, b) => a - b);
    this.#settleLimitSeconds = Math.max(
      ...config.machinetypes.map(({ maxWallclockSeconds }) => maxWallclockSeconds),
      0,
    );
  }

  onOwnNews(factory: number, news: readonly MachinetypeNews[], nowSeconds: number): void {
    this.#pass(nowSeconds);
    const own = this.#byFactory[factory]!;
    let processors = 0;
    for (let type = 0; type < news.length; type += 1) {
      const { runningHs06, runningProcessors } = news[type]!;
      this.#held[type]! += runningHs06 - own.power[type]!;
      own.power[type] = runningHs06;
      processors += runningProcessors;
    }
    this.#freeProcessors -= processors - own.processors;
    own.processors = processors;
  }

  onUp(factory: number, isUp: boolean): void {
    this.#isUp[factory] = isUp;
  }

  onStart(): void {
    this.starts += 1;
  }

  onLooked(_record: MachineRecord, found: boolean): void {
    if (!found) this.futileStarts += 1;
  }

  onConfig(config: Config): void {
    this.#config = config;
  }

  sample(nowSeconds: number, policy: SpacePolicy): void {
    this.#pass(nowSeconds);
    const perProcessor = this.#config.settings.hs06PerProcessor ?? 1;
    const due = wanted(
      this.#config.machinetypes.map(({ name, targetShare }, type) => ({
        share: targetShare,
        held: this.#held[type]!,
        work: (this.queues.get(name)?.capacity(nowSeconds) ?? 0) * perProcessor,
      })),
      this.#capacity,
    );
    const part = (power: number) => power / this.#capacity;
    const errors = due.map((power, type) => part(this.#held[type]! - power));
    this.#judge(nowSeconds, errors);
    this.samples.push({
      atSeconds: nowSeconds,
      held: [...this.#held].map(part),
      wanted: due.map(part),
      settled: this.#isSettled,
    });
    this.#sampleAges(policy);
  }

  /** What was seen of news so far does not count. */
  forgetAges(): void {
    this.#ages.length = 0;
  }

  /** @param newsAgeP99Seconds is measured elsewhere (spread-measure.ts) */
  result(
    sent: { datagrams: number; bytes: number },
    nowSeconds: number,
    wallSeconds: number,
    newsAgeP99Seconds: number | null = null,
  ): Measures {
    this.#pass(nowSeconds);
    const minutes = nowSeconds / 60;
    const { squares, count, worst } = this.#errors;
    const shareTimes = this.scenario.shareChanges.map(({ atSeconds }) => atSeconds);
    const asked = shareTimes.length > 0 ? shareTimes : [0];
    const settled = asked.map((time) => this.#settleTimes.get(time) ?? null);
    return {
      datagramsPerMinute: sent.datagrams / minutes,
      bytesPerMinute: sent.bytes / minutes,
      newsAgeP99Seconds,
      heardAgeP99Seconds: quantile(this.#ages, 0.99),
      shareErrorRms: count === 0 ? null : Math.sqrt(squares / count),
      shareErrorWorst: count === 0 ? null : worst,
      settleSeconds: settled.includes(null) ? null : Math.max(...(settled as number[])),
      futileStarts: this.futileStarts,
      futileStartsPerBackoff: this.#withoutWorkBackoffs === 0 ? null : this.futileStarts / this.#withoutWorkBackoffs,
      idleSlotHours: this.#idleProcessorSeconds / 3600,
      starts: this.starts,
      longTermShares: this.#longTerm.result(),
      wallSeconds,
    };
  }

  /** Adds up what lasted since the last call. */
  #pass(nowSeconds: number): void {
    const seconds = nowSeconds - this.#lastSeconds;
    if (seconds <= 0) return;
    let anyWork = false;
    for (const { name, backoffSeconds, targetShare } of this.#config.machinetypes) {
      const queue = this.queues.get(name)!;
      if (targetShare <= 0) continue;
      if (queue.hasRoom(1, this.#lastSeconds)) anyWork = true;
      else if (queue.capacity(this.#lastSeconds) === 0)
        this.#withoutWorkBackoffs += seconds / Math.max(1, backoffSeconds);
    }
    if (anyWork) this.#idleProcessorSeconds += this.#freeProcessors * seconds;
    const shares = this.#config.machinetypes.map(({ targetShare }) => targetShare);
    this.#longTerm.add(seconds, nowSeconds, this.#held, shares);
    this.#lastSeconds = nowSeconds;
  }

  #judge(nowSeconds: number, errors: readonly number[]): void {
    while ((this.#changes[this.#changeIndex + 1] ?? Number.POSITIVE_INFINITY) <= nowSeconds) {
      this.#changeIndex += 1;
      this.#isSettled = false;
    }
    const changedSeconds = this.#changes[this.#changeIndex]!;
    const worst = Math.max(...errors.map(Math.abs));
    const slots = this.#byFactory.length * (this.scenario.config.settings.totalProcessors ?? 1);
    const settledAt = Math.max(SETTLED_PART, SETTLED_PROCESSORS / slots);
    if (nowSeconds > changedSeconds) {
      if (worst <= settledAt && !this.#settleTimes.has(changedSeconds)) {
        this.#settleTimes.set(changedSeconds, nowSeconds - changedSeconds);
      }
      if (worst <= settledAt * CALM_PART || nowSeconds - changedSeconds > this.#settleLimitSeconds)
        this.#isSettled = true;
    }
    if (!this.#isSettled) return;
    this.#errors.squares += errors.reduce((sum, error) => sum + error * error, 0);
    this.#errors.count += errors.length;
    this.#errors.worst = Math.max(this.#errors.worst, worst);
  }

  #sampleAges(policy: SpacePolicy): void {
    const factories = this.#isUp.length;
    if (factories < 2) return;
    const pairs = Math.min(PAIRS_PER_SAMPLE, factories * (factories - 1));
    for (let pair = 0; pair < pairs; pair += 1) {
      const viewer = Math.floor(this.rng() * factories);
      const peer = Math.floor(this.rng() * factories);
      if (viewer === peer || !this.#isUp[viewer] || !this.#isUp[peer]) continue;
      const age = policy.heardSecondsAgo(viewer, peer);
      if (age !== null) this.#ages.push(age);
    }
  }
}

/** The value that a part of all are not above; null of none. */
export function quantile(values: readonly number[], part: number): number | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
}
