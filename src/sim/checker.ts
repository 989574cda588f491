/**
 * What must hold of a whole space at each step, said from what a space is for: it looks at hosts and at what factories
 * tell, not at how they decide. A single plan is judged by factory/invariants.ts, which is asked here as well.
 *
 * What takes time to become true (a zombie ends, views agree, slots are filled) is asked for only after a calm: so long
 * without a crash, a cut or a change of configuration.
 */

import type { Config, MachinetypeConfig } from '../config/types.js';
import { BLACK_HOLE_DEATHS } from '../factory/early-deaths.js';
import { checkInvariants } from '../factory/invariants.js';
import { isAbort } from '../factory/outcome.js';
import type { Action, Plan } from '../factory/plan.js';
import type { FactoryState, MachinetypeNews } from '../factory/types.js';
import { SUPPORTED_MODELS } from './models.js';
import { START_TIME_SECONDS } from './scenario.js';
import type { Simulation } from './simulation.js';

export interface CheckerOptions {
  /** After so long without trouble all is in order again. */
  readonly calmSeconds: number;
  /** What one factory tells is known to all others after so long; longer where datagrams are lost. */
  readonly newsSeconds: number;
  /** Of passes, one in so many is looked at: all in tests, fewer where there are millions. */
  readonly everyPasses: number;
  /** Of looks at all hosts and views, one in so many. */
  readonly everyLooks: number;
  /** More problems than this are not kept. */
  readonly maxProblems: number;
}

export const STRICT: CheckerOptions = {
  calmSeconds: 150,
  newsSeconds: 40,
  everyPasses: 1,
  everyLooks: 1,
  maxProblems: 20,
};

/** What the space as a whole knows of a type, if everybody knew everything. */
interface Common {
  readonly scouts: number[];
  readonly aborts: number[];
  scoutsOut: number;
  /** Since when there have been some without a break, seconds of the run. */
  scoutsSinceSeconds: number;
  newestAbort: number;
  abortSinceSeconds: number;
}

export class Checker {
  readonly problems: string[] = [];
  readonly #found = new Set<string>();
  readonly #newsSeconds: number;
  #passes = 0;
  #looks = 0;
  #troubleSeconds = 0;
  readonly #up: boolean[];
  readonly #common: Map<string, Common>;

  constructor(
    private readonly simulation: Simulation,
    private readonly options: CheckerOptions = STRICT,
  ) {
    const { daemons, scenario } = simulation;
    // Asking and answering have to get through.
    this.#newsSeconds = options.newsSeconds / (1 - scenario.network.lossRate) ** 2;
    this.#up = daemons.map(() => false);
    this.#common = new Map(
      scenario.config.machinetypes.map(({ name }) => [
        name,
        {
          scouts: daemons.map(() => 0),
          aborts: daemons.map(() => Number.NEGATIVE_INFINITY),
          scoutsOut: 0,
          scoutsSinceSeconds: 0,
          newestAbort: Number.NEGATIVE_INFINITY,
          abortSinceSeconds: 0,
        },
      ]),
    );
  }

  onPass(factory: number, state: FactoryState, plan: Plan, config: Config): void {
    this.#passes += 1;
    if (this.#passes % this.options.everyPasses !== 0) return;
    // What the predecessor starts follows its own rules.
    if (this.simulation.policy.name === 'reference') return;
    const judged = { ...plan, actions: plan.actions.filter((action) => !isLateRecord(action, state)) };
    this.#add(
      checkInvariants(state, judged, config, SUPPORTED_MODELS).map((problem) => `factory ${factory}: ${problem}`),
    );
    this.#add(this.#checkScouts(factory, state, plan, config));
  }

  onUp(factory: number, isUp: boolean): void {
    this.#up[factory] = isUp;
    this.trouble();
  }

  /** Something happened after which the space needs time. */
  trouble(): void {
    this.#troubleSeconds = this.simulation.nowSeconds;
  }

  onOwnNews(factory: number, news: readonly MachinetypeNews[]): void {
    const now = this.simulation.nowSeconds;
    for (const { machinetype, beforeFizzle, lastEnd } of news) {
      const common = this.#common.get(machinetype)!;
      if (common.scoutsOut === 0 && beforeFizzle > 0) common.scoutsSinceSeconds = now;
      common.scoutsOut += beforeFizzle - common.scouts[factory]!;
      common.scouts[factory] = beforeFizzle;
      const abort = lastEnd !== null && isAbort(lastEnd.message) ? lastEnd.timeSeconds : Number.NEGATIVE_INFINITY;
      if (common.aborts[factory] === abort) continue;
      common.aborts[factory] = abort;
      const newest = Math.max(...common.aborts);
      if (newest === common.newestAbort) continue;
      common.newestAbort = newest;
      common.abortSinceSeconds = now;
    }
  }

  /** Asked now and then: what must hold at any time, and what must after a calm. */
  look(): void {
    const { simulation } = this;
    const { scenario, nowSeconds } = simulation;
    if (simulation.cuts.isCut(nowSeconds)) this.trouble();
    this.#looks += 1;
    if (this.#looks % this.options.everyLooks !== 0) return;
    for (const daemon of simulation.daemons) this.#add(this.#checkHost(daemon.index));
    if (nowSeconds - this.#troubleSeconds < this.options.calmSeconds || this.#up.includes(false)) return;
    this.#add(this.#checkLeftovers());
    this.#add(this.#checkViews());
    // One start a minute may be less than machines end; processors of a superslot wait for each other, and for wide types.
    const { machinetypes, settings } = scenario.config;
    const isWide = settings.processorsPerSuperslot > 1 || machinetypes.some(({ minProcessors }) => minProcessors > 1);
    const mayIdle = simulation.policy.name === 'reference' || scenario.blackHoles.length > 0 || isWide;
    if (!mayIdle && scenario.host.creationFailureRate === 0) this.#add(this.#checkFilled());
  }

  #checkHost(index: number): string[] {
    const { host, config } = this.simulation.daemons[index]!;
    const slots = config.settings.totalProcessors ?? 1;
    const problems: string[] = [];
    let living = 0;
    for (const { phase, record } of host.directories.values()) {
      if (phase === 'starting' || phase === 'running') living += record.processors;
    }
    if (living > slots) problems.push(`factory ${index}: machines hold ${living} of ${slots} processors`);
    let given = 0;
    for (const { record } of host.domains.values()) given += record.processors;
    if (given > slots) problems.push(`factory ${index}: domains have ${given} of ${slots} processors`);
    if (host.accountedTwice > 0) problems.push(`factory ${index}: a machine has two accounting records that differ`);
    if (host.unaccounted > 0) problems.push(`factory ${index}: a machine was cleared without its accounting record`);
    return problems;
  }

  /** Nothing is forgotten: every domain belongs to a machine, and every machine that is over has been cleared. */
  #checkLeftovers(): string[] {
    const nowMs = this.simulation.clock.nowMs();
    return this.simulation.daemons.flatMap(({ index, host }) => {
      const problems: string[] = [];
      const living = new Set<string>();
      for (const { record, phase, lastTraceTimeSeconds } of host.directories.values()) {
        if (phase === 'starting' || phase === 'running') living.add(record.uuid);
        const traceSeconds = (lastTraceTimeSeconds ?? record.createdTimeSeconds) - START_TIME_SECONDS;
        const isOld = nowMs / 1000 - traceSeconds > this.options.calmSeconds;
        if (isOld && !host.domains.has(record.uuid))
          problems.push(`factory ${index}: ${record.id} is over, and ${phase}`);
      }
      for (const { record, createdMs } of host.domains.values()) {
        const isOld = nowMs - createdMs > this.options.calmSeconds * 1000;
        if (isOld && !living.has(record.uuid))
          problems.push(`factory ${index}: the domain of ${record.id} is forgotten`);
      }
      return problems;
    });
  }

  /** What was not changed for a while is known to all. */
  #checkViews(): string[] {
    const { daemons, policy } = this.simulation;
    // What the predecessor's polls hear is drawn, and never is what the others say now.
    if (policy.name === 'reference') return [];
    const problems: string[] = [];
    for (const viewer of daemons) {
      const sums = new Map<string, MachinetypeNews>();
      for (const peer of daemons) {
        if (viewer === peer) continue;
        const held = policy.held(viewer.index, peer.index);
        if (held === null) return [];
        for (const news of held) addNews(sums, news);
        if (this.simulation.nowSeconds - peer.newsChangedSeconds < this.#newsSeconds) continue;
        for (const own of peer.ownNews()) {
          const known = held.find(({ machinetype }) => machinetype === own.machinetype);
          if (isSameNews(known ?? nothingOf(own), own)) continue;
          problems.push(
            `factory ${viewer.index} holds of factory ${peer.index}: ${text(known)}, and not ${text(own)}, for ${Math.round(this.#newsSeconds)} s`,
          );
        }
      }
      // What is decided by is kept in sums: they are to be what is known of each.
      for (const news of viewer.agent!.peers()) addNews(sums, news, -1);
      for (const [machinetype, difference] of sums) {
        if (isSameNews(difference, nothingOf(difference))) continue;
        problems.push(`factory ${viewer.index} decides by sums of ${machinetype} that are not those of what it knows`);
      }
    }
    return problems;
  }

  /** Where some type always has work, no slot stays empty. */
  #checkFilled(): string[] {
    const { daemons, queues, nowSeconds } = this.simulation;
    const isSteady = ({ name, targetShare }: MachinetypeConfig) =>
      targetShare > 0 && queues.get(name)!.plan.every(({ processors }) => processors === Number.POSITIVE_INFINITY);
    return daemons.flatMap(({ index, idleSinceSeconds, config, earlyDeaths }) =>
      // Machines that die at once are not started as fast as they die.
      ![...earlyDeaths.values()].some(({ deaths }) => deaths.length >= BLACK_HOLE_DEATHS) &&
      idleSinceSeconds !== null &&
      nowSeconds - idleSinceSeconds > this.options.calmSeconds &&
      config.machinetypes.some(isSteady)
        ? [`factory ${index} has had an empty slot since ${idleSinceSeconds.toFixed(0)} s, and there is work`]
        : [],
    );
  }

  /**
   * Within the scouting time after a backoff, nobody starts a machine of a type while another's scout is out that all
   * must know of. Clocks that differ make both ends of that time uncertain.
   */
  #checkScouts(factory: number, state: FactoryState, plan: Plan, config: Config): string[] {
    const { nowSeconds: now, scenario } = this.simulation;
    const newsSeconds = this.#newsSeconds;
    if (now - this.#troubleSeconds < this.options.calmSeconds || this.#up.includes(false)) return [];
    const slackSeconds = 2 * scenario.maxSkewSeconds + 2;
    return plan.actions.flatMap((action) => {
      if (action.kind !== 'createMachine') return [];
      const common = this.#common.get(action.machinetype);
      const type = config.machinetypes.find(({ name }) => name === action.machinetype);
      if (common === undefined || type === undefined || common.scoutsOut === 0) return [];
      const knownSeconds = now - Math.max(common.scoutsSinceSeconds, common.abortSinceSeconds);
      const scoutingEnds = common.newestAbort + type.backoffSeconds + type.fizzleSeconds;
      if (knownSeconds < newsSeconds || state.nowSeconds > scoutingEnds - slackSeconds) return [];
      return [
        `factory ${factory} starts ${action.machinetype} while ${common.scoutsOut} scouts are out, the first for ${knownSeconds.toFixed(0)} s`,
      ];
    });
  }

  #add(problems: readonly string[]): void {
    const at = this.simulation.nowSeconds.toFixed(3);
    for (const problem of problems) {
      // What stays wrong is found again each time.
      if (this.#found.has(problem) || this.problems.length >= this.options.maxProblems) continue;
      this.#found.add(problem);
      this.problems.push(`${at} s: ${problem}`);
    }
  }
}

/** A machine that is gone and left traces has its start recorded all the same (lifecycle.ts, `recoverStart`). */
function isLateRecord(action: Action, state: FactoryState): boolean {
  if (action.kind !== 'recordStarted') return false;
  const machine = state.machines.find(({ record }) => record.id === action.machine);
  return machine?.domain === 'gone' && machine.lastTraceTimeSeconds !== null;
}

function isSameNews(a: MachinetypeNews, b: MachinetypeNews): boolean {
  return (
    a.runningMachines === b.runningMachines &&
    a.runningProcessors === b.runningProcessors &&
    Math.abs(a.runningHs06 - b.runningHs06) < 1e-3 &&
    a.beforeFizzle === b.beforeFizzle &&
    (a.lastEnd?.message ?? null) === (b.lastEnd?.message ?? null)
  );
}

/** Adds to the sums by machinetype, or takes away; their ends aside. */
function addNews(sums: Map<string, MachinetypeNews>, news: MachinetypeNews, sign: 1 | -1 = 1): void {
  const sum = sums.get(news.machinetype) ?? nothingOf(news);
  sums.set(news.machinetype, {
    ...sum,
    runningHs06: sum.runningHs06 + sign * news.runningHs06,
    runningMachines: sum.runningMachines + sign * news.runningMachines,
    runningProcessors: sum.runningProcessors + sign * news.runningProcessors,
    beforeFizzle: sum.beforeFizzle + sign * news.beforeFizzle,
  });
}

/** What gossip need not tell: that a factory has never had a machine of a type. */
function nothingOf(news: MachinetypeNews): MachinetypeNews {
  return { ...news, runningHs06: 0, runningMachines: 0, runningProcessors: 0, beforeFizzle: 0, lastEnd: null };
}

function text(news: MachinetypeNews | undefined): string {
  if (news === undefined) return 'nothing';
  const { machinetype, runningMachines, beforeFizzle, lastEnd } = news;
  return `${machinetype} ${runningMachines} running, ${beforeFizzle} young, last "${lastEnd?.message ?? ''}"`;
}
