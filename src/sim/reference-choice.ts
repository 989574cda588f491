/**
 * The predecessor's choice, from SPEC 4 and in terms of its own: of the types that may start, the one with the least
 * power by share, one machine at a time. Written again here, so that it stays what it was whatever our own rule becomes.
 */

import type { Config, MachinetypeConfig } from '../config/types.js';
import { isAbort } from '../factory/outcome.js';
import type { ActionOf } from '../factory/plan.js';
import { freeSlots } from '../factory/starts.js';
import { groupMembers, incompleteGroups } from '../factory/superslots.js';
import type { FactoryState, MachinetypeNews } from '../factory/types.js';
import type { Rng } from './random.js';

type Creation = ActionOf<'createMachine'>;

/** @param news of all factories, this one's included */
export function referenceStart(
  state: FactoryState,
  news: readonly MachinetypeNews[],
  { machinetypes, settings }: Config,
  rng: Rng,
): Creation | null {
  const [slot] = freeSlots(state);
  const free =
    state.totalProcessors - groupMembers(state.machines).reduce((sum, { processors }) => sum + processors, 0);
  if (slot === undefined || free <= 0) return null;
  const types = inLine(machinetypes, news, rng).filter((type) => mayStart(type, news, state.nowSeconds));
  const size = settings.processorsPerSuperslot;
  const groups = incompleteGroups(groupMembers(state.machines), size, state.totalProcessors % size);
  const create = (type: MachinetypeConfig, processors: number, shutdownTimeSeconds: number): Creation => ({
    kind: 'createMachine',
    slot,
    machinetype: type.name,
    processors,
    shutdownTimeSeconds,
    reason: 'least power by share',
  });
  for (const { endTimeSeconds, missingProcessors } of groups) {
    const room = Math.min(free, missingProcessors);
    const leftSeconds = endTimeSeconds - state.nowSeconds;
    const type = types.find(
      ({ minProcessors, minWallclockSeconds, maxWallclockSeconds }) =>
        minProcessors <= room && minWallclockSeconds <= leftSeconds && leftSeconds <= maxWallclockSeconds,
    );
    if (type !== undefined) return create(type, Math.min(room, type.maxProcessors), endTimeSeconds);
  }
  const room = free - groups.reduce((sum, { missingProcessors }) => sum + missingProcessors, 0);
  const type = types.find(({ minProcessors }) => minProcessors <= room);
  if (type === undefined) return null;
  const processors = Math.max(type.minProcessors, Math.min(room, type.maxProcessors, size > 1 ? size : room));
  return create(type, processors, state.nowSeconds + type.maxWallclockSeconds);
}

/** By group score, then own score, then chance. */
function inLine(
  machinetypes: readonly MachinetypeConfig[],
  news: readonly MachinetypeNews[],
  rng: Rng,
): MachinetypeConfig[] {
  const groups = new Map<string, number>();
  const scored = machinetypes
    .filter(({ targetShare }) => targetShare > 0)
    .map((type) => {
      const power = news.reduce((sum, item) => sum + (item.machinetype === type.name ? item.runningHs06 : 0), 0);
      const score = power / type.targetShare;
      groups.set(type.machinegroup, (groups.get(type.machinegroup) ?? 0) + score);
      return { type, score, chance: rng() };
    });
  const group = ({ type }: { type: MachinetypeConfig }) => groups.get(type.machinegroup)!;
  scored.sort((a, b) => group(a) - group(b) || a.score - b.score || a.chance - b.chance);
  return scored.map(({ type }) => type);
}

function mayStart(type: MachinetypeConfig, news: readonly MachinetypeNews[], nowSeconds: number): boolean {
  let abortSeconds = Number.NEGATIVE_INFINITY;
  let young = 0;
  for (const { machinetype, lastEnd, beforeFizzle } of news) {
    if (machinetype !== type.name) continue;
    young += beforeFizzle;
    if (lastEnd !== null && isAbort(lastEnd.message)) abortSeconds = Math.max(abortSeconds, lastEnd.timeSeconds);
  }
  if (nowSeconds <= abortSeconds + type.backoffSeconds) return false;
  return young === 0 || nowSeconds > abortSeconds + type.backoffSeconds + type.fizzleSeconds;
}
