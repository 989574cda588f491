/**
 * Takes what the member of the space says of the others into the Memory, for decisions, and wakes the loop where a pass
 * may decide otherwise.
 */

import { BadMessage } from '../guard/part.js';
import type { SpaceNews } from '../space/messages.js';
import { MAX_NEWS } from '../space/pages.js';
import { sameNews } from '../space/peer-news.js';
import type { Clock } from '../vacquery/index.js';
import type { Logger } from './log.js';
import type { Memory } from './memory.js';

/** In a large space there is always some news: the loop is not woken more often than this for it. */
const WAKE_MS = 250;

export interface NewsTakerParts {
  readonly memory: Memory;
  readonly log: Logger;
  readonly clock: Clock;
  readonly wake: () => void;
}

export class NewsTaker {
  /** What the member calls wrong with this factory as a member of the space. */
  problems: readonly string[] = [];
  /** Pages that are not all there. */
  private page: SpaceNews | null = null;
  /** The member of now is not the first, and has not heard the others yet. */
  private isRehearing = false;
  private cancelWake: (() => void) | null = null;
  private wokenMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly parts: NewsTakerParts) {}

  /** Nothing of before counts: other factories, another space. Nothing starts until the others were heard. */
  forget(hasOthers: boolean): void {
    const { memory } = this.parts;
    memory.spaceHeard = !hasOthers;
    memory.peers = [];
    memory.peerUses = new Map();
    memory.alone = false;
    this.problems = [];
    this.isRehearing = false;
  }

  /** Another member has begun, and knows nothing: what the one before it said counts until this one has heard as much. */
  rehear(hasOthers: boolean): void {
    this.isRehearing = hasOthers;
    if (hasOthers) this.parts.memory.spaceHeard = false;
  }

  /** What has come of news that is not whole, no more will come of. */
  dropPages(): void {
    this.page = null;
  }

  /**
   * @param othersCount how many other factories the space has
   * @throws BadMessage for more machinetypes than are told of
   */
  take(page: SpaceNews, isLast: boolean, othersCount: number): void {
    const news = this.page === null ? page : joined(this.page, page);
    this.page = isLast ? null : news;
    if (!isLast) return;
    this.problems = news.problems;
    if (this.isRehearing && !news.heard) return;
    this.isRehearing = false;
    const { memory } = this.parts;
    const before = { peers: memory.peers, heard: memory.spaceHeard };
    memory.peers = [...news.news];
    memory.peerUses = new Map(news.uses);
    memory.spaceHeard = news.heard;
    this.tellAlone(news.alone, othersCount);
    // Who has no processor to give starts nothing, whatever the others do.
    if (before.heard !== memory.spaceHeard || (!sameNews(before.peers, memory.peers) && memory.hasRoom())) {
      this.wakeLoop();
    }
  }

  wakeLoop(): void {
    const { clock, wake } = this.parts;
    const nowMs = clock.nowMs();
    if (this.cancelWake !== null) return;
    this.cancelWake = clock.at(Math.max(nowMs, this.wokenMs + WAKE_MS), () => {
      this.cancelWake = null;
      this.wokenMs = clock.nowMs();
      wake();
    });
  }

  close(): void {
    this.cancelWake?.();
  }

  private tellAlone(alone: boolean, othersCount: number): void {
    const { memory, log } = this.parts;
    if (alone && !memory.alone) {
      const others =
        othersCount === 1 ? 'the other factory does not answer' : `none of the ${othersCount} other factories answers`;
      log.warn(`${others}: going on alone`);
    } else if (memory.alone && !alone) log.info('other factories answer: no longer alone');
    memory.alone = alone;
  }
}

/** @throws BadMessage for more machinetypes than any space has */
function joined(before: SpaceNews, page: SpaceNews): SpaceNews {
  const news = [...before.news, ...page.news];
  const uses = [...before.uses, ...page.uses];
  if (news.length > MAX_NEWS || uses.length > MAX_NEWS) throw new BadMessage('news without an end');
  return { ...page, news, uses };
}
