/**
 * What this factory hears of the others, by gossip and by polls, put together: written into the Memory, for decisions;
 * and as a line for each of them, for people. Whether they were heard at all since the start, and whether any still is.
 *
 * For each factory the younger news counts. Gossip's comes as sums over the space, so that a pass costs the same in a
 * space of any size.
 */

import type { MachinetypeNews } from '../factory/types.js';
import { sumUses, type Uses } from '../factory/use.js';
import type { NewsWay, PeerSummary } from '../vacquery/index.js';
import type { Gossiping } from './gossiping.js';
import type { Names } from './names.js';
import { byGossip, negated, sameNews } from './peer-news.js';
import { EXPIRY_SECONDS, type Polling } from './polling.js';
import type { SpaceParts } from './space.js';
import type { SpaceKeys } from './space-keys.js';

/** News that arrives together is taken in together. */
const GATHER_MS = 20;
/** In a large space there is always some: the loop is not woken more often than this for it. */
const WAKE_MS = 250;

/** What is known of one of the others, with what it takes to tell it to people. */
export interface Peer extends PeerSummary {
  /** Whether it signs; null: not known, or there are no keys. */
  readonly signs: boolean | null;
}

export interface HearingParts extends Pick<SpaceParts, 'memory' | 'log' | 'wake' | 'clock'> {
  readonly names: Names;
  readonly keys: SpaceKeys;
}

export class Hearing {
  private peers: readonly string[] = [];
  private space: string | null = null;
  private cancelPublish: (() => void) | null = null;
  private cancelHold = () => {};
  private cancelWake: (() => void) | null = null;
  private wokenMs = Number.NEGATIVE_INFINITY;
  private closed = false;

  constructor(
    private readonly parts: HearingParts,
    private readonly gossiping: Gossiping,
    private readonly polling: Polling,
  ) {}

  /** Takes what the configuration says now. When nobody is left who was heard, nothing starts until others are. */
  configure(peers: readonly string[]): void {
    const { vacSpace } = this.parts.memory.config.settings;
    const isNew = vacSpace !== this.space || !peers.some((name) => this.peers.includes(name));
    this.peers = peers;
    this.space = vacSpace;
    if (peers.length === 0) this.release();
    else if (isNew) this.hold();
    this.publish();
  }

  readonly publishSoon = (): void => {
    if (this.closed) return;
    const { clock } = this.parts;
    this.cancelPublish ??= clock.at(clock.nowMs() + GATHER_MS, () => this.publish());
  };

  /** One for each of the others, in the order of the configuration. */
  summaries(): Peer[] {
    const { names, keys } = this.parts;
    const views = new Map(this.gossiping.gossip?.view(this.gossiping.now()).map((view) => [view.factory, view]));
    return this.polling.summaries().map((polled) => {
      const { factory } = polled;
      const view = views.get(factory);
      const way = this.wayOf(factory);
      const unresolved = names.problemOf(factory);
      const problems = [
        ...(unresolved === null ? [] : [`its name does not resolve (${unresolved})`]),
        ...polled.problems,
        ...(view?.problems ?? []),
      ];
      const summary = view !== undefined && way === 'gossip' ? byGossip(view, polled) : polled;
      return { ...summary, way, signs: keys.signs(factory), problems: [...new Set(problems)] };
    });
  }

  close(): void {
    this.closed = true;
    this.cancelHold();
    this.cancelPublish?.();
    this.cancelWake?.();
  }

  /** By which way the younger news of a factory came; null: none came, or all has expired. */
  private wayOf(factory: string): NewsWay | null {
    const gossipSeconds = this.isKnownByGossip(factory) ? this.gossiping.heardSecondsAgo(factory) : null;
    const answeredMs = this.polling.answered.get(factory);
    const pollSeconds = answeredMs === undefined ? null : (this.parts.clock.nowMs() - answeredMs) / 1000;
    const isPolled = pollSeconds !== null && pollSeconds <= EXPIRY_SECONDS;
    if (gossipSeconds === null || gossipSeconds > EXPIRY_SECONDS) return isPolled ? 'poll' : null;
    return isPolled && this.gossiping.isSilent(factory) && pollSeconds < gossipSeconds ? 'poll' : 'gossip';
  }

  private isKnownByGossip(factory: string): boolean {
    return this.gossiping.gossip?.stampOf(factory) != null;
  }

  /** No machine starts before the others were heard: they may have just what would be started. */
  private hold(): void {
    const { memory, clock } = this.parts;
    this.cancelHold();
    memory.spaceHeard = false;
    this.cancelHold = clock.at(clock.nowMs() + memory.config.settings.udpTimeoutSeconds * 1000, () => {
      this.release();
      this.publish();
      this.wakeLoop();
    });
  }

  private release(): void {
    this.cancelHold();
    this.parts.memory.spaceHeard = true;
  }

  /** Whether waiting longer brings nothing more. A host whose names do not resolve at all may only just have booted. */
  private isHeard(): boolean {
    const gossip = this.gossiping.gossip;
    if (gossip === null) return false;
    const gossips = this.peers.filter((name) => this.isKnownByGossip(name)).length;
    if (gossips > 0 && !gossip.isJoined) return false;
    const isAnswered = (name: string) => this.isKnownByGossip(name) || this.polling.outcomeOf(name) !== null;
    return (
      this.peers.some(isAnswered) &&
      this.peers.every((name) => isAnswered(name) || this.parts.names.problemOf(name) !== null)
    );
  }

  private publish(): void {
    const { memory } = this.parts;
    this.cancelPublish?.();
    this.cancelPublish = null;
    const before = { news: memory.peers, heard: memory.spaceHeard };
    memory.peers = this.news();
    memory.peerUses = this.uses();
    if (!memory.spaceHeard && this.isHeard()) this.release();
    this.tellAlone();
    // Who has no processor to give starts nothing, whatever the others do.
    if (before.heard !== memory.spaceHeard || (!sameNews(before.news, memory.peers) && memory.hasRoom()))
      this.wakeLoop();
  }

  private news(): MachinetypeNews[] {
    const { gossip } = this.gossiping;
    const now = this.gossiping.now();
    const sums = gossip?.totals(now) ?? [];
    const polled = new Set([...this.polling.answered.keys()].filter((name) => this.wayOf(name) === 'poll'));
    if (polled.size === 0) return sums;
    // What gossip still counts of those that polls know better is taken out of its sums.
    const stale = [...polled].flatMap((name) => gossip?.newsOf(name, now) ?? []).map(negated);
    return [...sums, ...stale, ...this.polling.view.news(now).filter(({ factory }) => polled.has(factory))];
  }

  /** What machines of the others have used, HS06 × seconds by machinetype, decayed to now; empty: no history is kept. */
  private uses(): Uses {
    if (this.parts.memory.config.settings.shareHalfLifeHours === 0) return new Map();
    const byGossip = this.gossiping.gossip?.decayedUses(this.gossiping.now()) ?? [];
    return sumUses(
      new Map(byGossip.map(({ machinetype, decayedUse }) => [machinetype, decayedUse])),
      this.polling.view.decayedUses((factory) => !this.isKnownByGossip(factory)),
    );
  }

  private tellAlone(): void {
    const { memory, log, names } = this.parts;
    const isAnswering = this.peers.some(
      (name) => !this.gossiping.isSilent(name) || (this.polling.outcomeOf(name) ?? 'none') !== 'none',
    );
    const isUndecided = () =>
      this.peers.some((name) => this.polling.outcomeOf(name) === null && names.addressesOf(name).length > 0);
    const alone = this.peers.length > 0 && memory.spaceHeard && !isAnswering && !isUndecided();
    if (alone && !memory.alone) {
      const { length } = this.peers;
      const others =
        length === 1 ? 'the other factory does not answer' : `none of the ${length} other factories answers`;
      log.warn(`${others}: going on alone`);
    } else if (isAnswering && memory.alone) log.info('other factories answer: no longer alone');
    memory.alone = alone;
  }

  private wakeLoop(): void {
    const { clock, wake } = this.parts;
    const nowMs = clock.nowMs();
    if (this.closed || this.cancelWake !== null) return;
    this.cancelWake = clock.at(Math.max(nowMs, this.wokenMs + WAKE_MS), () => {
      this.cancelWake = null;
      this.wokenMs = clock.nowMs();
      wake();
    });
  }
}
