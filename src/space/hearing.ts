/**
 * What this factory hears of the others, by gossip and by polls, put together: as news for decisions, told when there is
 * any; and as a line for each of them, for people. Whether they were heard at all since the start, and whether any still is.
 *
 * For each factory the younger news counts. Gossip's comes as sums over the space, and what polls bring is added up with
 * it, so that telling and deciding cost the same in a space of any size.
 */

import { isCredibleTime } from '../factory/credible-time.js';
import { foldNews } from '../factory/news.js';
import type { MachinetypeNews } from '../factory/types.js';
import { sumUses, type Uses } from '../factory/use.js';
import type { NewsWay } from '../vacquery/index.js';
import type { Gossiping } from './gossiping.js';
import type { KeysInForce } from './keys.js';
import type { MemberParts } from './member.js';
import type { MemberConfig, Peer, SpaceNews } from './messages.js';
import type { Names } from './names.js';
import { atLeastNone, byGossip, negated, sameSpaceNews } from './peer-news.js';
import { EXPIRY_SECONDS, type Polling } from './polling.js';

/** News that arrives together is taken in together, */
const GATHER_MS = 20;
/** and in a large space, where there is always some, told no more often than this. */
const TELL_MS = 100;

export interface HearingParts extends Pick<MemberParts, 'clock'> {
  readonly config: () => MemberConfig;
  readonly tell: (news: SpaceNews) => void;
  readonly names: Names;
  readonly keys: KeysInForce;
}

export class Hearing {
  private peers: readonly string[] = [];
  private space: string | null = null;
  private heard = true;
  private told: SpaceNews | null = null;
  private toldMs = Number.NEGATIVE_INFINITY;
  private cancelPublish: (() => void) | null = null;
  private cancelHold = () => {};
  private closed = false;

  constructor(
    private readonly parts: HearingParts,
    private readonly gossiping: Gossiping,
    private readonly polling: Polling,
  ) {}

  /** Takes what the configuration says now. When nobody is left who was heard, nothing starts until others are. */
  configure(): void {
    const { space, peers } = this.parts.config();
    const isNew = space !== this.space || !peers.some((name) => this.peers.includes(name));
    this.peers = peers;
    this.space = space;
    if (peers.length === 0) this.release();
    else if (isNew) this.hold();
    this.told = null;
    this.publish();
  }

  readonly publishSoon = (): void => {
    if (this.closed || this.told === null) return;
    const { clock } = this.parts;
    const atMs = Math.max(clock.nowMs() + GATHER_MS, this.toldMs + TELL_MS);
    this.cancelPublish ??= clock.at(atMs, () => this.publish());
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
    const { config, clock } = this.parts;
    this.cancelHold();
    this.heard = false;
    this.cancelHold = clock.at(clock.nowMs() + config().udpTimeoutSeconds * 1000, () => {
      this.release();
      this.publish();
    });
  }

  private release(): void {
    this.cancelHold();
    this.heard = true;
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
    const { config, clock, tell } = this.parts;
    this.cancelPublish?.();
    this.cancelPublish = null;
    if (!this.heard && this.isHeard()) this.release();
    const news: SpaceNews = {
      generation: config().generation,
      heard: this.heard,
      alone: this.isAlone(),
      news: this.news(),
      uses: [...this.uses()],
      problems: this.gossiping.gossip?.ownProblems(this.gossiping.now()) ?? [],
    };
    if (this.told !== null && sameSpaceNews(this.told, news)) return;
    this.told = news;
    this.toldMs = clock.nowMs();
    tell(news);
  }

  private news(): MachinetypeNews[] {
    const { gossip } = this.gossiping;
    const now = this.gossiping.now();
    const sums = gossip?.totals(now) ?? [];
    const polled = new Set([...this.polling.answered.keys()].filter((name) => this.wayOf(name) === 'poll'));
    if (polled.size === 0) return sums;
    // What gossip still counts of those that polls know better is taken out of its sums.
    const stale = [...polled].flatMap((name) => gossip?.newsOf(name, now) ?? []).map(negated);
    const answered = this.polling.view.news(now).filter(({ factory }) => polled.has(factory));
    const isCredible = (timeSeconds: number) => isCredibleTime(timeSeconds, Math.floor(now.unixSeconds));
    return foldNews([...sums, ...stale, ...answered], () => true, isCredible).map(atLeastNone);
  }

  /** What machines of the others have used, HS06 × seconds by machinetype, decayed to now; empty: no history is kept. */
  private uses(): Uses {
    if (this.parts.config().shareHalfLifeHours === 0) return new Map();
    const byGossip = this.gossiping.gossip?.decayedUses(this.gossiping.now()) ?? [];
    return sumUses(
      new Map(byGossip.map(({ machinetype, decayedUse }) => [machinetype, decayedUse])),
      this.polling.view.decayedUses((factory) => !this.isKnownByGossip(factory)),
    );
  }

  private isAlone(): boolean {
    const { names } = this.parts;
    const isAnswering = () =>
      this.peers.some((name) => !this.gossiping.isSilent(name) || (this.polling.outcomeOf(name) ?? 'none') !== 'none');
    const isUndecided = () =>
      this.peers.some((name) => this.polling.outcomeOf(name) === null && names.addressesOf(name).length > 0);
    return this.peers.length > 0 && this.heard && !isAnswering() && !isUndecided();
  }
}
