/** Which times are believed: those of other hosts, and our own from before our clock was set. */

/**
 * Times this far ahead of now tell of a clock that is (or was) wrong. They are ignored: one factory whose clock is a
 * day ahead would else stop a type in the whole space for a day.
 */
export const MAX_CLOCK_ERROR_SECONDS = 300;

/** Whether a time that something is said to have happened at can be so. */
export function isCredibleTime(timeSeconds: number, nowSeconds: number): boolean {
  return timeSeconds <= nowSeconds + MAX_CLOCK_ERROR_SECONDS;
}
