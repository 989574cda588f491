/** News of the other factories, compared, added up and told: what `hearing.ts` does with it, without any state. */

import { isDeepStrictEqual } from 'node:util';
import type { MachinetypeNews } from '../factory/types.js';
import type { FactoryView, PeerSummary } from '../vacquery/index.js';

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
