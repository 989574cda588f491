/** News of the other factories, compared, added up and told: what `hearing.ts` does with it, without any state. */

import { isDeepStrictEqual } from 'node:util';
import type { MachinetypeNews } from '../factory/types.js';
import type { FactoryView, PeerSummary } from '../vacquery/index.js';
import type { SpaceNews } from './messages.js';

/** A line for people of a factory that gossip tells of, with what polls once found out and gossip does not tell. */
export function byGossip(view: FactoryView, polled: PeerSummary): PeerSummary {
  const sum = (of: (news: MachinetypeNews) => number) => view.news.reduce((total, news) => total + of(news), 0);
  return {
    factory: view.factory,
    way: 'gossip',
    outcome: 'complete',
    heardSecondsAgo: view.heardSecondsAgo,
    clockAheadSeconds: polled.clockAheadSeconds,
    vacVersion: polled.vacVersion,
    site: polled.site,
    machinetypes: view.news.length,
    machinetypesExpected: null,
    runningMachines: sum((news) => news.runningMachines),
    runningProcessors: sum((news) => news.runningProcessors),
    runningHs06: sum((news) => news.runningHs06),
    problems: [],
  };
}

/** Use decays all the time: what is off by less than this is told with the next news. */
const USE_TOLERANCE = 0.001;

/** Whether there is nothing new in it for the daemon. */
export function sameSpaceNews(before: SpaceNews, now: SpaceNews): boolean {
  return (
    before.generation === now.generation &&
    before.heard === now.heard &&
    before.alone === now.alone &&
    isDeepStrictEqual(before.problems, now.problems) &&
    sameUses(before.uses, now.uses) &&
    sameNews(before.news, now.news)
  );
}

function sameUses(before: SpaceNews['uses'], now: SpaceNews['uses']): boolean {
  return (
    before.length === now.length &&
    now.every(([machinetype, use], index) => {
      const [machinetypeBefore, useBefore] = before[index]!;
      return machinetype === machinetypeBefore && Math.abs(use - useBefore) <= USE_TOLERANCE * Math.max(use, useBefore);
    })
  );
}

/** Whether a pass would find the same. Times are counted back from now, and may come out a second later or earlier each time. */
export function sameNews(before: readonly MachinetypeNews[], now: readonly MachinetypeNews[]): boolean {
  return (
    before.length === now.length &&
    now.every((item, index) => {
      const { lastEnd, ...rest } = item;
      const { lastEnd: endBefore, ...restBefore } = before[index]!;
      const isSameEnd =
        lastEnd?.hostname === endBefore?.hostname &&
        lastEnd?.message === endBefore?.message &&
        Math.abs((lastEnd?.timeSeconds ?? 0) - (endBefore?.timeSeconds ?? 0)) <= 1;
      return isSameEnd && isDeepStrictEqual(rest, restBefore);
    })
  );
}

/** What takes news out of sums again. */
export function negated(news: MachinetypeNews): MachinetypeNews {
  return {
    ...news,
    runningHs06: -news.runningHs06,
    runningMachines: -news.runningMachines,
    runningProcessors: -news.runningProcessors,
    beforeFizzle: -news.beforeFizzle,
    lastEnd: null,
  };
}

/** What differences of sums that were taken at two times can leave below nothing, is nothing. */
export function atLeastNone(news: MachinetypeNews): MachinetypeNews {
  return {
    ...news,
    runningHs06: Math.max(0, news.runningHs06),
    runningMachines: Math.max(0, news.runningMachines),
    runningProcessors: Math.max(0, news.runningProcessors),
    beforeFizzle: Math.max(0, news.beforeFizzle),
  };
}
