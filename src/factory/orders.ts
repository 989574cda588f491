/**
 * What an administrator's orders mean at a given moment. An order whose time is over is lifted by nobody's hand: it
 * holds no longer, whether or not the daemon has cleared it yet.
 */

import type { Settings } from '../config/types.js';
import type { DrainOrder, FactoryState, RunOrders } from './types.js';

export const NO_ORDERS: RunOrders = {
  drain: null,
  shutdownTimeSeconds: null,
  startsLeft: null,
  stopAll: false,
  stopMachines: new Set(),
};

/** By when all machines must be gone, and whose wish that is in words that go into reasons. */
export interface ShutdownLimit {
  readonly timeSeconds: number;
  readonly by: string;
}

type OrderedState = Pick<FactoryState, 'nowSeconds' | 'orders'> & Partial<Pick<FactoryState, 'overnight'>>;

/** The order to drain, while its time is not over. */
export function drainInForce({ nowSeconds, orders: { drain } }: OrderedState): DrainOrder | null {
  return drain === null || (drain.untilSeconds !== null && nowSeconds >= drain.untilSeconds) ? null : drain;
}

/** The earliest of the configured shutdown_time, the ordered ones and the end of a window of overnight mode; null: machines may live for as long as their type says. */
export function shutdownLimit(state: OrderedState, settings: Settings): ShutdownLimit | null {
  const limits: readonly (readonly [number | null, string])[] = [
    [settings.shutdownTimeSeconds, 'shutdown_time'],
    [state.orders.shutdownTimeSeconds, 'the shutdown time of vac shutdown-at'],
    [drainInForce(state)?.byTimeSeconds ?? null, 'the shutdown time of vac drain'],
    [state.overnight?.goneBySeconds ?? null, 'the end of the overnight window'],
  ];
  let earliest: ShutdownLimit | null = null;
  for (const [timeSeconds, by] of limits) {
    if (timeSeconds !== null && (earliest === null || timeSeconds < earliest.timeSeconds)) {
      earliest = { timeSeconds, by };
    }
  }
  return earliest;
}

/** Unix time by which all machines must be gone, by configuration or order; null: there is no such time. */
export function effectiveShutdownTime(state: OrderedState, settings: Settings): number | null {
  return shutdownLimit(state, settings)?.timeSeconds ?? null;
}

/** A moment as reasons and the log give it; without the host's time zone, which the pure core does not know. */
export function utcTime(timeSeconds: number): string {
  return `${new Date(timeSeconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
