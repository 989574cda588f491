/**
 * Which machines to start: for each free slot the most starved machinetype that is eligible and fits (SPEC 4), or the
 * reason why none. Each start counts as soon as it is intended, so one pass fills a host in proportion.
 */

import type { Config, MachinetypeConfig } from '../config/types.js';
import { chances, draw, freeInSpace } from './choice.js';
import { isCredibleTime } from './credible-time.js';
import {
  creationRetryTime,
  type Evidence,
  evidenceFor,
  judgeMachinetype,
  type SupportedModels,
  type Verdict,
} from './eligibility.js';
import { isImageDue, refuseImage } from './images.js';
import { refuseAllStarts } from './limits.js';
import { freeMemoryMiB } from './memory-limit.js';
import { foldNews, holdsProcessors, ownNews } from './news.js';
import { effectiveShutdownTime } from './orders.js';
import type { Action, Decision, DecisionCode, Plan } from './plan.js';
import { type Score, scoreMachinetypes } from './shares.js';
import { type Eligible, startReason } from './start-reason.js';
import { type GroupMember, groupMembers, incompleteGroups } from './superslots.js';
import type { FactoryState, MachinetypeNews } from './types.js';
import { meanPowers } from './use.js';

/** A slot in which libvirt refused a machine is tried again after this, doubled each time. */
const SLOT_BACKOFF_SECONDS = 10;

export interface StartsInput {
  readonly state: FactoryState;
  readonly config: Config;
  readonly rng: () => number;
  readonly models: SupportedModels;
}

/** Slots with nothing in them that could still hold their address, name or disks; those without trouble first. */
export function freeSlots(state: FactoryState): number[] {
  const taken = new Set<number>();
  for (const machine of state.machines) if (machine.phase !== 'cleared') taken.add(machine.record.slot);
  for (const zombie of state.zombies) taken.add(zombie.slot);
  for (const slot of state.blockedSlots) taken.add(slot);
  const free: number[] = [];
  for (let slot = 0; slot < state.slots; slot++) if (!taken.has(slot)) free.push(slot);
  const trouble = (slot: number) => state.slotFailures.get(slot)?.count ?? 0;
  return free.sort((a, b) => trouble(a) - trouble(b) || a - b);
}

export function planStarts(input: StartsInput): Plan {
  const { state, config } = input;
  const slots = freeSlots(state);
  const standstill = refuseAllStarts(state, config.settings);
  const starts = new Starts(input);
  for (const slot of state.blockedSlots) {
    starts.note(
      { slot },
      'blocked-slot',
      'its machine directory cannot be read (see the log); remove it and restart vacd',
    );
  }
  if (standstill === null) {
    for (const slot of slots) starts.fill(slot);
    starts.explainTypes();
    starts.fetchImages();
  } else {
    for (const slot of slots) starts.note({ slot }, standstill.code, standstill.reason);
    for (const { name } of config.machinetypes) starts.note({ machinetype: name }, standstill.code, standstill.reason);
  }
  return { actions: starts.actions, decisions: starts.decisions, standstill };
}

type Choice =
  | {
      readonly type: MachinetypeConfig;
      readonly processors: number;
      readonly endTimeSeconds: number;
      readonly reason: string;
    }
  | { readonly type: null; readonly reason: string };

/** One pass over the free slots, with what is left after each start. */
class Starts {
  readonly actions: Action[] = [];
  readonly decisions: Decision[] = [];
  /** Everybody's news, with this pass's own intents counted. */
  private readonly news: MachinetypeNews[];
  /** What superslots are made of: machines, and this pass's own intents. */
  private readonly members: GroupMember[];
  private readonly evidence = new Map<string, Evidence>();
  /** HS06 by machinetype in the long term; empty: no history is kept. */
  private readonly meanPower: ReadonlyMap<string, number>;
  /** By when every machine must be gone; infinite where nobody says. */
  private readonly endBySeconds: number;
  /** Other factories of the space, that choose as this one does. */
  private readonly others: number;
  /** Images to be looked at, by machinetype, and why. */
  private readonly dueImages = new Map<string, string>();
  private freeProcessors: number;
  /** Infinite where overnight mode does not bound it. */
  private freeMemoryMiB: number;
  private starting: number;
  private startsLeft: number;

  constructor(private readonly input: StartsInput) {
    const { state, config } = input;
    this.news = [
      // Whoever else speaks in our name is not believed: we know best.
      ...foldNews(
        state.peers,
        ({ factory }) => factory !== state.factory,
        (timeSeconds) => isCredibleTime(timeSeconds, state.nowSeconds),
      ),
      ...config.machinetypes.map(({ name }) =>
        ownNews(state.factory, name, state.machines, state.lastEnds, state.nowSeconds),
      ),
    ];
    this.meanPower = meanPowers(state.uses, config.settings.shareHalfLifeHours * 3600);
    this.others = config.settings.factories.filter((name) => name !== state.factory).length;
    this.endBySeconds = effectiveShutdownTime(state, config.settings) ?? Number.POSITIVE_INFINITY;
    // Ends that are about to be lowered count as that already: whoever joins must not outlive the limit either.
    this.members = groupMembers(state.machines).map(({ endTimeSeconds, processors }) => ({
      endTimeSeconds: Math.min(endTimeSeconds, this.endBySeconds),
      processors,
    }));
    const held = state.machines.filter(holdsProcessors);
    this.freeProcessors = state.totalProcessors - held.reduce((sum, { record }) => sum + record.processors, 0);
    this.freeMemoryMiB = freeMemoryMiB(state, config.overnight);
    this.starting = state.machines.filter((machine) => machine.phase === 'starting').length;
    this.startsLeft = state.orders.startsLeft ?? Number.POSITIVE_INFINITY;
  }

  fill(slot: number): void {
    const limit = this.limit(slot);
    if (limit !== null) {
      this.note({ slot }, limit.code, limit.reason);
      return;
    }
    const chosen = this.choose();
    if (chosen.type === null) {
      this.note({ slot }, 'nothing-eligible', chosen.reason);
      return;
    }
    const { type, processors, endTimeSeconds, reason } = chosen;
    this.actions.push({
      kind: 'createMachine',
      slot,
      machinetype: type.name,
      processors,
      shutdownTimeSeconds: endTimeSeconds,
      reason,
    });
    const size = `${processors} ${processors === 1 ? 'processor' : 'processors'}`;
    this.note({ slot, machinetype: type.name }, 'started', `start ${type.name} (${size}): ${reason}`);
    this.members.push({ endTimeSeconds, processors });
    this.count(type, slot, processors);
  }

  /** For `vac why TYPE`: what would be said of each type if a slot were free now. */
  explainTypes(): void {
    const line = this.scores();
    for (const type of this.input.config.machinetypes) {
      const verdict = this.judge(type, this.freeProcessors, null);
      if (!verdict.eligible) {
        this.note({ machinetype: type.name }, verdict.code, verdict.reason);
        continue;
      }
      const free = `${this.freeProcessors} ${this.freeProcessors === 1 ? 'processor is' : 'processors are'} free`;
      const place = `number ${line.findIndex((score) => score.machinetype === type.name) + 1} of ${line.length} in line by share`;
      if (this.freeProcessors > 0) {
        this.note({ machinetype: type.name }, 'may-start', `may start, ${place}; ${free}`);
      } else {
        this.note({ machinetype: type.name }, 'all-taken', `may start, ${place}; all processors are given to machines`);
      }
    }
  }

  /** Once for each image that a machine could be started from, were it ready. */
  fetchImages(): void {
    for (const [machinetype, reason] of this.dueImages) this.actions.push({ kind: 'fetchImage', machinetype, reason });
  }

  note(subject: { slot?: number; machinetype?: string }, code: DecisionCode, reason: string): void {
    this.decisions.push({
      timeSeconds: this.input.state.nowSeconds,
      slot: subject.slot ?? null,
      machinetype: subject.machinetype ?? null,
      machine: null,
      code,
      reason,
    });
  }

  /** What forbids a start in this slot whatever the type. */
  private limit(slot: number): { code: DecisionCode; reason: string } | null {
    const { state, config } = this.input;
    if (this.startsLeft <= 0) {
      return { code: 'starts-limit', reason: 'as many machines as were asked for have been started' };
    }
    if (this.freeProcessors <= 0) return { code: 'all-taken', reason: 'all processors are given to machines' };
    if (this.starting >= config.settings.maxStartingMachines) {
      return {
        code: 'starting-limit',
        reason: `${this.starting} machines are being created at once (max_starting_machines)`,
      };
    }
    const failure = state.slotFailures.get(slot);
    if (failure !== undefined && isCredibleTime(failure.timeSeconds, state.nowSeconds)) {
      const waitSeconds = creationRetryTime(failure, SLOT_BACKOFF_SECONDS) - state.nowSeconds;
      if (waitSeconds > 0) {
        const reason = `libvirt refused a machine in it (${failure.message}); next try in ${waitSeconds} s`;
        return { code: 'creation-failed', reason };
      }
    }
    const takenName = state.machines.some(
      ({ record }) => record.slot === slot && record.createdTimeSeconds === state.nowSeconds,
    );
    if (takenName) {
      return {
        code: 'same-second',
        reason: 'a machine was created in it this very second; the name is taken until the next',
      };
    }
    return null;
  }

  /** What to start next: first what completes a superslot, then a new one from processors that none is waiting for. */
  private choose(): Choice {
    const size = this.input.config.settings.processorsPerSuperslot;
    const groups = incompleteGroups(this.members, size, this.input.state.totalProcessors % size);
    for (const group of groups) {
      const choice = this.chooseFor(Math.min(group.missingProcessors, this.freeProcessors), group.endTimeSeconds);
      if (choice.type !== null) return choice;
    }
    const reserved = groups.reduce((sum, group) => sum + group.missingProcessors, 0);
    const choice = this.chooseFor(this.freeProcessors - reserved, null);
    if (choice.type !== null || reserved === 0) return choice;
    return { type: null, reason: `${reserved} processors are kept for incomplete superslots; ${choice.reason}` };
  }

  /**
   * The most starved machinetype that is eligible and fits; or why there is none.
   *
   * @param room processors that it may have
   * @param groupEndSeconds the end time that it must share; null = its own
   */
  private chooseFor(room: number, groupEndSeconds: number | null): Choice {
    const { state, config } = this.input;
    const { machinetypes, settings } = config;
    const scores = this.scores();
    const refusals: string[] = [];
    const candidates: Eligible[] = [];
    for (const score of scores) {
      const type = machinetypes.find((candidate) => candidate.name === score.machinetype)!;
      const verdict = this.judge(type, room, groupEndSeconds);
      if (verdict.eligible || verdict.code === 'image-checking') {
        const { targetShare } = type;
        const { eligible: isReady, reason } = verdict;
        candidates.push({ type, score, targetShare, groupShare: this.groupShare(type), isReady, reason });
        // Alone, only the first in line counts.
        if (this.others === 0) break;
      } else refusals.push(`${type.name} ${verdict.reason}`);
    }
    if (candidates.length > 0) {
      const odds = chances(candidates, this.freeHs06InSpace());
      const chosen = draw(odds, this.input.rng);
      const { type } = chosen;
      if (!chosen.isReady) return { type: null, reason: `${type.name} is next, and ${chosen.reason}` };
      const ownEnd = state.nowSeconds + type.maxWallclockSeconds;
      const wide = settings.processorsPerSuperslot > 1 ? settings.processorsPerSuperslot : Number.POSITIVE_INFINITY;
      return {
        type,
        // A type that is wider than a superslot gets what it needs at least, when so much happens to be free.
        processors: Math.max(
          type.minProcessors,
          Math.min(room, type.maxProcessors, wide, this.ownRoom(type), this.memoryRoom(type)),
        ),
        endTimeSeconds: groupEndSeconds ?? Math.min(ownEnd, this.endBySeconds),
        reason: startReason(chosen, odds, scores, refusals, groupEndSeconds !== null),
      };
    }
    if (refusals.length > 0) return { type: null, reason: refusals.join('; ') };
    if (machinetypes.length === 0) return { type: null, reason: 'no machinetype is configured' };
    return { type: null, reason: 'every machinetype has target_share 0' };
  }

  private groupShare({ machinegroup }: MachinetypeConfig): number {
    const types = this.input.config.machinetypes.filter((type) => type.machinegroup === machinegroup);
    return types.reduce((sum, { targetShare }) => sum + targetShare, 0);
  }

  /** What may be free in all factories of the space together. 0: there is no other. */
  private freeHs06InSpace(): number {
    const { hs06PerProcessor } = this.input.config.settings;
    const { totalProcessors } = this.input.state;
    const free = freeInSpace(this.freeProcessors, totalProcessors, this.others);
    return this.others === 0 ? 0 : free * (hs06PerProcessor ?? 1);
  }

  private scores(): Score[] {
    return scoreMachinetypes(this.input.config.machinetypes, this.news, this.input.rng, this.meanPower);
  }

  private judge(type: MachinetypeConfig, room: number, groupEndSeconds: number | null): Verdict {
    const verdict = this.judgeFit(type, room, groupEndSeconds);
    if (!verdict.eligible) return verdict;
    const image = this.input.state.images.get(type.name);
    const refusal = refuseImage(image);
    if (refusal !== null && isImageDue(image, this.freeProcessors > 0)) this.dueImages.set(type.name, refusal.reason);
    return refusal ?? verdict;
  }

  private judgeFit(type: MachinetypeConfig, room: number, groupEndSeconds: number | null): Verdict {
    const { state } = this.input;
    const verdict = judgeMachinetype(type, this.news, this.evidenceOf(type));
    // With nothing free at all it is not the type that is too big.
    if (!verdict.eligible || this.freeProcessors <= 0) return verdict;
    if (type.minProcessors > this.ownRoom(type)) {
      const left = this.ownRoom(type);
      const reason = `its machines here have all ${left === 0 ? '' : `but ${left} `}of its total_processors, ${type.totalProcessors}`;
      return { eligible: false, code: 'type-full', reason };
    }
    if (type.minProcessors > this.memoryRoom(type)) {
      const needed = type.minProcessors * type.mibPerProcessor;
      const reason = `needs ${needed} MiB of memory, ${this.freeMemoryMiB} MiB are left of what machines may have (memory_percent)`;
      return { eligible: false, code: 'memory-full', reason };
    }
    if (type.minProcessors > room) {
      return { eligible: false, code: 'too-big', reason: `needs ${type.minProcessors} processors, ${room} are free` };
    }
    if (groupEndSeconds === null) return verdict;
    const leftSeconds = groupEndSeconds - state.nowSeconds;
    if (type.minWallclockSeconds <= leftSeconds && leftSeconds <= type.maxWallclockSeconds) return verdict;
    const reason = `does not fit the ${leftSeconds} s that are left to an incomplete superslot`;
    return { eligible: false, code: 'min-wallclock', reason };
  }

  /** Processors that machines of a type may still be given on this factory by the type's own limit. */
  private ownRoom({ name, totalProcessors }: MachinetypeConfig): number {
    if (totalProcessors === null) return Number.POSITIVE_INFINITY;
    const { factory } = this.input.state;
    const own = this.news.find((item) => item.factory === factory && item.machinetype === name);
    return Math.max(0, totalProcessors - (own?.runningProcessors ?? 0));
  }

  /** Processors that the memory which is left suffices for. */
  private memoryRoom({ mibPerProcessor }: MachinetypeConfig): number {
    return Math.floor(this.freeMemoryMiB / mibPerProcessor);
  }

  private evidenceOf(type: MachinetypeConfig): Evidence {
    const { state, config, models } = this.input;
    const evidence = this.evidence.get(type.name) ?? evidenceFor(type, state, config, models);
    this.evidence.set(type.name, evidence);
    return evidence;
  }

  /** Counts a start as soon as it is intended, so that the next choice of this very pass already sees it. */
  private count(type: MachinetypeConfig, slot: number, processors: number): void {
    const { state, config } = this.input;
    const evidence = this.evidenceOf(type);
    if (evidence.blackHole !== null) {
      const hole = { ...evidence.blackHole, onTrial: `the one that starts in slot ${slot}` };
      this.evidence.set(type.name, { ...evidence, blackHole: hole });
    }
    const index = this.news.findIndex((item) => item.factory === state.factory && item.machinetype === type.name);
    const own = this.news[index]!;
    this.news[index] = {
      ...own,
      runningHs06: own.runningHs06 + processors * (config.settings.hs06PerProcessor ?? 1),
      runningMachines: own.runningMachines + 1,
      runningProcessors: own.runningProcessors + processors,
      beforeFizzle: own.beforeFizzle + 1,
    };
    this.freeProcessors -= processors;
    this.freeMemoryMiB -= processors * type.mibPerProcessor;
    this.starting += 1;
    this.startsLeft -= 1;
  }
}
